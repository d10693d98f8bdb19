import keras
import numpy as np
import pytest

from experiments import evaluate_smplr, train_smplr
from experiments.run_folder import RunFolder
from experiments.smplr_flags import define_run_flags
from tests.smplr.people import people as bodies

TINY = (
    *("--motion_poses=64", "--test_bodies=16", "--steps_per_epoch=4", "--batch_size=16"),
    *("--epochs=2", "--workers=0", "--nodeterministic", "--learning_rate=0.003"),
)


@pytest.fixture
def run(call, tmp_path, monkeypatch):
    """Runs a stage in an empty folder; gives its answer and its run folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train_smplr, "define_flags", define_run_flags, raising=False)

    def run(name, *arguments):
        answer = call(train_smplr, *TINY, f"--run_name={name}", *arguments)
        return answer, RunFolder(tmp_path / "runs" / name)

    return run


def test_an_autoencoder_is_trained_measured_and_kept(run):
    answer, folder = run("dae", "--stage=dae", "--noise=structured")
    assert answer.status == 0, answer.err
    record = folder.read_record()
    assert record["stage"] == "dae"
    assert record["trained_parameters"] == 3_411_579
    assert record["people"] == 16
    assert len(record["history"]["loss"]) == 2
    assert record["metrics"].keys() == record["baseline_metrics"].keys()
    assert 30 < record["baseline_metrics"]["joints_23_mm"] < 90
    assert f"{record['metrics']['joints_23_mm']:.2f}" in answer.out
    model = keras.saving.load_model(folder.path / "model.keras", compile=False)
    assert model(bodies(2)["points"]).shape == (2, 41, 3)
    again, _ = run("dae", "--stage=dae", "--noise=structured")
    assert "is finished" in again.out and "Epoch" not in again.out


def test_a_part_that_is_missing_is_named(run):
    answer, folder = run("all", "--stage=end_to_end")
    assert answer.status == 1
    assert "needs a trained hourglass, autoencoder, pose_regressor, shape_regressor" in answer.err
    answer, _ = run("dae", "--stage=dae", "--noise=hourglass")
    assert answer.err.strip().endswith("give its folder in --parts=runs/...")
    answer, _ = run("pose", "--stage=pose", "--parts=runs/nothing")
    assert "model.keras: not found; run experiments/train_smplr.py" in answer.err


@pytest.mark.slow
def test_every_stage_follows_the_others(run, call, people):
    pictures = (f"--data={people}", "--image_size=64", "--epochs=1", "--batch_size=8")
    small = ("--stacks=1", "--width=8", "--bins=4")
    stages = {
        "hourglass": ("--augment", *small, *pictures),
        "dae": ("--noise=hourglass", "--parts=runs/hourglass", *pictures),
        "pose": ("--noise=uniform", "--missing_rate=0.1"),
        "shape": ("--noise=gaussian",),
        "pose_shape": ("--parts=runs/dae,runs/pose,runs/shape", "--denoise"),
        "end_to_end": ("--parts=runs/hourglass,runs/dae,runs/pose_shape", *pictures),
    }
    frozen = {}
    for stage, arguments in stages.items():
        answer, folder = run(stage, f"--stage={stage}", *arguments)
        assert answer.status == 0, answer.err
        record = folder.read_record()
        assert all(np.isfinite(value) for value in record["metrics"].values())
        frozen[stage] = keras.saving.load_model(folder.path / "model.keras", compile=False)
    assert record["history"]["gradient_ratio"][0] > 0
    assert {"seen_joints_23_mm", "joints_23_mm", "surface_mm"} <= record["metrics"].keys()
    for part in ("pose_regressor", "shape_regressor"):
        before = getattr(frozen["pose_shape"], part).get_weights()
        after = getattr(frozen["end_to_end"], part).get_weights()
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, other)
    moved = zip(
        frozen["hourglass"].get_weights(),
        frozen["end_to_end"].hourglass.get_weights(),
        strict=True,
    )
    assert any(np.any(one != other) for one, other in moved)

    answer = call(
        evaluate_smplr, "--run=runs/pose_shape", "--peers=4", "--test_bodies=8", "--workers=0"
    )
    assert answer.status == 0, answer.err
    assert "closed form, clean" in answer.out
    assert "200 steps of gradient descent, structured" in answer.out
    stitched = ("--parts=runs/hourglass,runs/dae,runs/pose_shape", "--run_name=stitched")
    answer = call(evaluate_smplr, *stitched, *pictures, "--workers=0")
    assert answer.status == 0, answer.err
    assert "seen_joints_16_mm" in answer.out
