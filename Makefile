# `make quickstart`, `make test` and `make docs` make their own environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# setuptools warns that a folder `datasets` may hide another package; experiments/runs/common.py
# checks it, and a wheel has it under another name.
PIP := PYTHONWARNINGS=ignore $(BIN)/pip install --quiet

.PHONY: quickstart test test-slow lint format docs smplr_small

quickstart: $(VENV)/.installed
	$(BIN)/python experiments/train_nbf.py --flagfile=experiments/flags/nbf_quickstart.cfg

test: $(VENV)/.installed-test lint
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m pytest -q -n 2 --dist loadfile --durations=15

# With the extra docs, so that the site is built strictly and the notebooks run.
test-slow: $(VENV)/.installed-test
	$(PIP) -e '.[docs]'
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m pytest -q -m slow

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.installed
	$(PIP) -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# SMPLR from pictures: runs/smplr_small and its copy to ship. Goes on where it was killed.
FLAGS := experiments/flags
smplr_small: $(VENV)/.installed
	$(BIN)/python experiments/train_smplr.py --flagfile=$(FLAGS)/smplr_pictures.cfg
	$(BIN)/python experiments/train_smplr.py --flagfile=$(FLAGS)/smplr_pictures_dae.cfg
	$(BIN)/python experiments/train_smplr.py --flagfile=$(FLAGS)/smplr_pictures_pose_shape.cfg
	$(BIN)/python experiments/evaluate_smplr.py --flagfile=$(FLAGS)/smplr_small.cfg
	$(BIN)/python experiments/ship_smplr.py --run=runs/smplr_small --output=runs/shipped/smplr_small

$(VENV)/.installed: setup.py
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	$(PIP) -e .
	$(BIN)/python -m datasets.photographs.models || echo "Only finding people in photographs needs this."
	$(BIN)/python -m datasets.photographs.models --model heavy || echo "A smaller network finds people."
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) -e '.[test,build_body]'
	$(PIP) --no-deps tensorflow-graphics==2021.12.3
	touch $@
