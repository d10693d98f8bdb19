"""Every command that we show can be given: fast tests read its flags, slow ones run it."""

import importlib
import importlib.util
import re
from pathlib import Path

import pytest

from experiments.runs import common
from tests.commands import ROOT, commands

SHOWN = commands()
# In the place of a script's name, in a sentence about all of them.
ANY = "NAME"


def cases(of):
    return pytest.mark.parametrize("command", [c for c in SHOWN if of(c)], ids=lambda c: c.line)


def test_they_are_found():
    shown = {(source, one.line) for one in SHOWN for source in one.sources}
    assert {
        ("README.md", "make quickstart"),
        ("README.md", "nbf-predict photo.jpg"),
        ("README.md", "python experiments/predict.py photos/ --run=runs/nbf_quickstart"),
        ("README.md", "python -m datasets.photographs.models"),
        ("docs/index.md", "smpl-view"),
        ("docs/training.md", "python experiments/reproduce_tables.py --table=all --dry_run"),
        ("experiments/predict.py", "python experiments/predict.py photo.jpg"),
    } <= shown
    sources = {Path(source).name for source, _ in shown}
    assert {"nbf_own_photos.cfg", "MODEL_CARD.md", "smplr-results.md"} <= sources
    # Of a loop; of lines that a backslash continues.
    assert any(line.endswith("--strategy=multi_worker") for _, line in shown)
    assert any("--split=train --neutral_body=basicModel" in line for _, line in shown)


@cases(lambda command: command.script not in (None, ANY))
def test_a_script_knows_its_flags_and_their_values(command, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    script = importlib.import_module(f"experiments.{command.script}")

    def main(values):
        for name in ("run", "segmentation_run"):
            shipped = name in values and values[name].value
            if shipped and str(shipped).startswith("experiments/"):
                assert Path(shipped, "flags.cfg").exists(), f"no run: {shipped}"

    main.__module__ = script.__name__  # which names the flag of arguments without a name
    define_flags = getattr(script, "define_flags", None) or script.define_run_flags
    status = common.run(main, define_flags, [f"{command.script}.py", *command.arguments])
    assert status == 0, capsys.readouterr().err


@cases(lambda command: command.module and command.script is None)
def test_a_module_is_there_and_knows_its_flags(command):
    module = importlib.util.find_spec(command.module)
    assert module, f"no module {command.module}"
    if module.submodule_search_locations:
        module = importlib.util.find_spec(f"{command.module}.__main__")
    if Path(module.origin).is_relative_to(ROOT):
        known = re.findall(r'"(--\w+)"', Path(module.origin).read_text(encoding="utf-8"))
        assert {one.split("=")[0] for one in command.arguments if one[:2] == "--"} <= {*known}
    for word in command.arguments:
        if word.startswith("tests/"):
            assert (ROOT / word).exists(), word


@cases(lambda command: command.words[0] == "make")
def test_make_has_the_target(command):
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {*command.words[1:]} <= {*targets}


@cases(lambda command: command.words[0] == "pip")
def test_pip_installs_extras_that_there_are(command):
    assert command.words[1] in ("install", "list", "download")
    extras = re.findall(r'^    "(\w+)": \[', (ROOT / "setup.py").read_text(), re.MULTILINE)
    for names in re.findall(r"^\.\[(.*)\]$", command.words[-1]):
        assert {*names.split(",")} <= {*extras}


def test_each_is_one_of_these():
    for command in SHOWN:
        first = command.words[0]
        known = first in ("make", "pip") or command.module or command.script
        assert known, f"{command.sources}: {command.line}"
