"""Bad inputs of all scripts, and of those without another test of them: experiments/README.md."""

import importlib

import pytest

from experiments.runs import common
from experiments.runs.common import REPOSITORY
from experiments.runs.run_folder import RunFolder
from smpl_tf.files import write_text

SCRIPTS = sorted(
    path.stem
    for path in (REPOSITORY / "experiments").glob("*.py")
    if "\ndef main(" in path.read_text(encoding="utf-8")
)
# Those with the flags of a run.
TRAINING = ("train_nbf", "train_smplr", "train_points", "evaluate_smplr", "benchmark_pipeline")
SMALL_HOURGLASS = ("--stage=hourglass", "--image_size=64", "--stacks=1", "--width=8", "--bins=4")


@pytest.fixture
def refused(capsys, tmp_path, monkeypatch):
    """Runs a script that must end in one line; gives its status and the line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TF_CONFIG", raising=False)

    def refused(name, *arguments):
        script = importlib.import_module(f"experiments.{name}")
        define = getattr(script, "define_flags", None) or script.define_run_flags
        capsys.readouterr()
        if arguments and name in TRAINING:
            arguments = ("--nodeterministic", *arguments)  # it would stay on in this process
        status = common.run(script.main, define, [f"{name}.py", *arguments])
        line = capsys.readouterr().err
        assert line.count("\n") == 1 and line.startswith(f"{name}.py: ")
        assert "Traceback" not in line and "unexpected" not in line
        assert not list(tmp_path.rglob("record.json"))
        return status, line

    return refused


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_refuses_flags_that_it_does_not_have(refused, name):
    status, line = refused(name, "--no_such_flag=1")
    assert status == common.EXIT_USAGE and "'no_such_flag'" in line
    status, line = refused(name, "--flagfile=/nowhere.cfg")
    assert status == common.EXIT_USAGE and "/nowhere.cfg" in line


@pytest.mark.parametrize(
    ("name", "arguments", "status", "words"),
    [
        ("train_smplr", ["--female_body=/nowhere/f.pkl"], 1, ["/nowhere/f.pkl"]),
        ("train_smplr", ["--motion=/nowhere"], 1, ["/nowhere", "no such folder"]),
        ("train_smplr", ["--strategy=multi_worker"], 2, ["TF_CONFIG", '"worker"']),
        ("train_smplr", [*SMALL_HOURGLASS, "--data=/nowhere"], 1, ["/nowhere", "no such folder"]),
        ("train_nbf", ["--strategy=multi_worker"], 2, ["TF_CONFIG", '"worker"']),
        ("train_points", ["--body_model=/nowhere/n.pkl"], 1, ["/nowhere/n.pkl"]),
        ("benchmark_robustness", ["--networks=/nowhere"], 1, ["/nowhere", "no trained model"]),
        ("benchmark_robustness", ["--data=/nowhere"], 1, ["/nowhere", "no such folder"]),
        (
            "train_nbf",
            ["--strategy=mirrored", "--jit_compile"],
            2,
            ["--jit_compile", "one device"],
        ),
        (
            "train_nbf",
            ["--strategy=mirrored", "--mixed_precision=mixed_float16"],
            2,
            ["mixed_bfloat16"],
        ),
        ("evaluate_smplr", ["--run=/nowhere"], 1, ["/nowhere: no run here"]),
        ("calibrate_audit", [], 2, ["--run is missing"]),
        (
            "calibrate_audit",
            ["--run=/nowhere", "--segmentation_run=/nowhere"],
            1,
            ["/nowhere: no run here"],
        ),
        ("ship_smplr", [], 2, ["--run is missing"]),
        ("ship_smplr", ["--run=/nowhere", "--output=out"], 1, ["/nowhere: no run here"]),
        ("segment_dataset", ["--run=/nowhere"], 2, ["--output is missing"]),
        ("benchmark_conversion", [], 2, ["--dataset is missing"]),
        ("benchmark_conversion", ["--dataset=up3d"], 2, ["--source is missing"]),
        (
            "benchmark_conversion",
            ["--dataset=synthetic", "--source=."],
            1,
            ["--dataset=synthetic has no raw files to read"],
        ),
        ("benchmark_pipeline", ["--data=/nowhere"], 1, ["/nowhere", "no such folder"]),
    ],
)
def test_a_mistake_is_one_line(refused, name, arguments, status, words):
    answered, line = refused(name, *arguments)
    assert answered == status and all(word in line for word in words), line


def test_a_run_that_is_not_finished_is_not_shipped(refused, tmp_path):
    run = RunFolder(tmp_path / "runs" / "half")
    write_text(run.flags_file, "--gender_mode=hard\n--stage=pose\n")
    status, line = refused("ship_smplr", f"--run={run.path}", "--output=out")
    assert status == 1 and "not finished" in line
