"""The wheel in an environment of its own, alone and next to Hugging Face's `datasets`."""

import importlib.metadata
import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import datasets
import nbf
import neural_body_fitting
import smpl_tf
import smplr
from neural_body_fitting import commands

ROOT = Path(__file__).parents[1]


def test_one_version_everywhere():
    assert {one.__version__ for one in (smpl_tf, nbf, smplr, neural_body_fitting)} == {
        smpl_tf.version.__version__
    }
    version = smpl_tf.version.__version__
    assert f"\n## {version} " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_in_a_checkout_our_packages_keep_their_names():
    assert neural_body_fitting.datasets is datasets
    assert neural_body_fitting.find_package("experiments") == "experiments"
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        neural_body_fitting.other  # noqa: B018


def test_another_package_of_our_name_is_named_with_the_remedy(monkeypatch):
    other = types.ModuleType("datasets")
    other.__file__ = "/site-packages/datasets/__init__.py"
    monkeypatch.setitem(sys.modules, "datasets", other)
    with pytest.raises(ImportError, match=r"from /site-packages/datasets, not from.*pip install"):
        neural_body_fitting.find_package("datasets")


def test_code_that_means_the_other_datasets_is_told_so():
    with pytest.raises(ImportError, match=r"load_dataset is Hugging Face's.*install the wheel"):
        from datasets import load_dataset  # noqa: F401


def test_a_command_runs_its_script(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["smpl-view", "--help"])
    # runpy warns of a module that another test has imported.
    monkeypatch.delitem(sys.modules, "experiments.view", raising=False)
    with pytest.raises(SystemExit) as caught:
        commands.view()
    assert not caught.value.code and "Shows an interactive body" in capsys.readouterr().out
    for script in commands.COMMANDS.values():
        assert (ROOT / "experiments" / f"{script}.py").is_file()


def test_imports_are_rewritten_for_the_wheel(monkeypatch):
    import setuptools

    monkeypatch.setattr(setuptools, "setup", lambda **given: None)
    rewrite = runpy.run_path(str(ROOT / "setup.py"))["moved_imports"]
    cases = {
        "from datasets import x\n": "from neural_body_fitting.datasets import x\n",
        "  from experiments.runs import y": "  from neural_body_fitting.experiments.runs import y",
        "    import datasets\n": "    from neural_body_fitting import datasets\n",
        "python experiments/view.py --x": "python -m neural_body_fitting.experiments.view --x",
        "    python -m experiments.view": "    python -m neural_body_fitting.experiments.view",
        "from datasets_of_others import x": "from datasets_of_others import x",
        "from smpl_tf import datasets": "from smpl_tf import datasets",
    }
    assert {source: rewrite(source) for source in cases} == cases


def run(*command, cwd, fails=False):
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    answer = subprocess.run(
        [str(one) for one in command], cwd=cwd, env=clean, capture_output=True, text=True
    )
    assert fails or answer.returncode == 0, f"{command}\n{answer.stdout}\n{answer.stderr}"
    return answer


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A new environment with our wheel; TensorFlow and the like come from the tests' own."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, source / name)
    wheels = folder / "wheels"
    pip = (sys.executable, "-m", "pip")
    answer = run(*pip, "wheel", "-q", "--no-deps", "-w", wheels, source, cwd=folder, fails=True)
    if answer.returncode:
        if "Could not find" in answer.stderr or "No matching" in answer.stderr:
            pytest.skip("no package index is reached here")
        pytest.fail(answer.stderr)
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "--no-deps", *wheels.glob("*.whl"), cwd=folder)
    site = next((folder / "venv" / "lib").glob("python*/site-packages"))
    # A line of a .pth file, behind the new environment's own packages; links in it do not count.
    paths = {sysconfig.get_path("purelib"), *(one for one in sys.path if "-packages" in one)}
    (site / "tests.pth").write_text("\n".join(sorted(paths)) + "\n")
    return folder


CHECK = """
import sys
from neural_body_fitting import datasets as ours, __version__
import smpl_tf, nbf, smplr
assert "venv" in ours.__file__ and "venv" in nbf.__file__, (ours.__file__, nbf.__file__)
from neural_body_fitting.datasets import example, pipelines
from nbf import Predictor
assert Predictor.from_pretrained() is not None
print("ours", __version__)
"""


@pytest.mark.slow
def test_the_wheel_works_alone_from_an_unrelated_folder(environment):
    folder, scripts = environment / "elsewhere", environment / "venv" / "bin"
    folder.mkdir()
    names = run(scripts / "python", "-c", "import datasets", cwd=folder, fails=True)
    assert "No module named 'datasets'" in names.stderr
    assert "ours" in run(scripts / "python", "-c", CHECK, cwd=folder).stdout
    for command in commands.COMMANDS:
        assert "lags:" in run(scripts / command, "--help", cwd=folder).stdout
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (90, 60, 3), np.uint8)).save(folder / "a.png")
    answer = run(
        scripts / "nbf-predict", "a.png", "--method=parts", "--output=out", cwd=folder, fails=True
    )
    assert (folder / "out" / "index.html").is_file(), answer.stderr
    run(scripts / "smpl-view", "--noopen", "--output=view.html", cwd=folder)
    assert (folder / "view.html").stat().st_size > 1e6


@pytest.mark.slow
def test_the_wheel_and_the_other_datasets_leave_each_other_alone(environment):
    scripts, wheel = environment / "venv" / "bin", next((environment / "wheels").glob("*.whl"))
    numpy = f"numpy=={importlib.metadata.version('numpy')}"
    pip = (scripts / "python", "-m", "pip", "install", "-q")
    answer = run(*pip, "datasets", numpy, cwd=environment, fails=True)
    if answer.returncode:
        pytest.skip("no package index is reached here")
    theirs = "import datasets\nassert datasets.load_dataset and 'venv' in datasets.__file__\n"
    run(scripts / "python", "-c", theirs + CHECK, cwd=environment)
    run(scripts / "nbf-predict", "--help", cwd=environment)
    # The other order: ours last.
    run(*pip, "--no-deps", "--force-reinstall", wheel, cwd=environment)
    run(scripts / "python", "-c", CHECK + theirs, cwd=environment)
    run(
        scripts / "python", "-m", "pip", "uninstall", "-qy", "neural-body-fitting", cwd=environment
    )
    run(scripts / "python", "-c", theirs, cwd=environment)
