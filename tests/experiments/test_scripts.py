"""What holds of every script: importing it does nothing, and Ctrl-C promises only what is so."""

import ast
import importlib
import runpy
import subprocess
import sys

import pytest

from experiments.runs import common
from experiments.runs.common import REPOSITORY

SCRIPTS = sorted(
    path for path in (REPOSITORY / "experiments").glob("*.py") if path.name != "__init__.py"
)
# They find what an earlier call has done: checkpoints, shards, records.
RESUMING = {
    *("train_nbf", "train_smplr", "train_points"),
    *("convert_dataset", "segment_dataset", "reproduce_tables", "label_budget"),
}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_only_scripts_that_resume_promise_it(path, monkeypatch):
    promised = []

    def run(main, define_flags, argv=None, *, resumes=False):
        promised.append(resumes)
        return 0

    monkeypatch.setattr(common, "run", run)
    with pytest.raises(SystemExit):
        runpy.run_path(str(path), run_name="__main__")
    assert promised == [path.stem in RESUMING]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_examples_of_the_help_keep_the_backslash_of_a_continued_line(path):
    source = path.read_text("utf-8")
    written = source.split('"""')[1].count("\\\n")
    assert ast.get_docstring(ast.parse(source), clean=False).count("\\\n") == written


def test_no_script_loads_tensorflow_when_it_is_imported():
    """So a mistyped flag, or a run that is not there, is answered at once."""
    program = (
        "import importlib, sys\n"
        f"for name in {[path.stem for path in SCRIPTS]}:\n"
        "    importlib.import_module(f'experiments.{name}')\n"
        "    if 'tensorflow' in sys.modules: sys.exit(f'{name} loads TensorFlow')\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(
    ("script", "arguments", "trainer"),
    [
        ("evaluate_smplr", (), "train_smplr.py"),
        ("evaluate_nbf", (), "train_nbf.py"),
        ("export", ("--output=never",), "train_nbf.py or train_smplr.py"),
        ("predict", ("--images=x.jpg", "--output=never"), "train_nbf.py or train_smplr.py"),
    ],
)
def test_a_run_that_is_not_there_is_answered_before_tensorflow_is_loaded(
    script, arguments, trainer, call, monkeypatch
):
    def too_early(*_):
        pytest.fail("TensorFlow was loaded first")

    monkeypatch.setattr(common, "load_tensorflow", too_early)
    answer = call(importlib.import_module(f"experiments.{script}"), "--run=/nowhere", *arguments)
    assert answer.status == 1
    assert "/nowhere: no run here (flags.cfg is missing); " in answer.err
    assert f"give the folder that {trainer} printed, such as runs/" in answer.err
