import json
from pathlib import Path

import keras
import numpy as np
import pytest

from experiments import evaluate_smplr, ship_smplr, train_smplr
from experiments.prediction import smplr_pictures
from experiments.runs import callbacks, common
from experiments.runs.run_folder import RunFolder
from experiments.smplr import networks
from experiments.smplr.flags import define_run_flags
from smplr import SMPLR

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


@pytest.mark.slow
def test_a_killed_autoencoder_ends_with_the_same_numbers_and_is_kept(run, call, monkeypatch):
    arguments = ("--stage=dae", "--noise=structured")
    answer, undisturbed = run("undisturbed", *arguments)
    assert answer.status == 0, answer.err

    def stop_in_epoch_2(self, batch, logs=None):
        if self.history and batch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.SaveEpochs, "on_train_batch_end", stop_in_epoch_2)
        answer, folder = run("dae", *arguments)
    assert answer.status == common.EXIT_INTERRUPTED
    assert not folder.model_file.exists()
    answer, _ = run("dae", *arguments)
    assert answer.status == 0, answer.err
    assert "continues after epoch 1 of 2" in answer.out
    record = folder.read_record()
    for name in ("history", "metrics", "baseline_metrics"):
        assert record[name] == undisturbed.read_record()[name]
    model, stage = networks.load_model(folder)
    twin, _ = networks.load_model(undisturbed)
    for one, other in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)

    assert record["stage"] == stage == "dae"
    assert record["trained_parameters"] == 3_411_579
    assert record["people"] == 16
    assert len(record["history"]["loss"]) == 2
    assert record["metrics"].keys() == record["baseline_metrics"].keys()
    assert 30 < record["baseline_metrics"]["joints_23_mm"] < 90
    page = folder.report.read_text()
    assert f"{record['metrics']['joints_16_mm']:.1f} mm" in page
    # Two people of each quarter and the two worst; points given and found from two sides.
    assert page.count('<img src="data:image/') == 5 * 2 * 4

    again, _ = run("dae", *arguments)
    assert "is finished" in again.out and "Epoch" not in again.out
    answer, _ = run("dae", "--stage=pose", "--noise=structured")
    assert all(w in answer.err for w in ("--stage=dae", "--stage=pose", "--overwrite"))

    answer = call(evaluate_smplr, "--run=runs/dae", "--test_bodies=8", "--workers=0")
    assert answer.status == 0, answer.err
    assert "mean of 23 joints, mm" in answer.out
    evaluated = folder.path / "evaluation"
    assert json.loads((evaluated / "record.json").read_text())["people"] == 8
    assert "person" in (evaluated / "index.html").read_text()
    answer = call(evaluate_smplr, "--run=runs/dae", "--real_clip=nowhere")
    assert (answer.status, answer.err.count("\n")) == (1, 1)
    assert "give a run of --stage=pose or pose_shape" in answer.err


def test_a_part_that_is_missing_is_named(run):
    answer, folder = run("all", "--stage=end_to_end")
    assert answer.status == 1
    assert "needs a trained hourglass, autoencoder, pose_regressor, shape_regressor" in answer.err
    answer, _ = run("dae", "--stage=dae", "--noise=hourglass")
    assert answer.err.strip().endswith("give its folder in --networks=runs/...")
    answer, _ = run("pose", "--stage=pose", "--networks=runs/nothing")
    assert "model.keras: not found; finish its training" in answer.err


def test_an_autoencoder_is_trained_with_the_regressors_alone(run):
    for arguments in (("--stage=pose_shape",), ("--stage=pose", "--denoise")):
        answer, _ = run("alone", *arguments, "--train_autoencoder", "--overwrite")
        assert answer.err.strip().endswith("needs --stage=pose_shape and --denoise")


@pytest.mark.slow
def test_a_finders_points_become_bodies_and_are_shipped(run, call, tmp_path):
    finder = ("--noise=finder", "--skeleton=coco_17")
    for name, *arguments in (
        ("dae", "--stage=dae"),
        ("bodies", "--stage=pose_shape", "--networks=runs/dae", "--denoise", "--upright"),
    ):
        together = ("--train_autoencoder",) if name == "bodies" else ()
        answer, folder = run(name, *arguments, *finder, *together)
        assert answer.status == 0, answer.err
        record = folder.read_record()
        assert all(np.isfinite(value) for value in record["metrics"].values())
        assert "the errors of a finder of coco_17" in folder.report.read_text()
    first = keras.saving.load_model(tmp_path / "runs/dae/model.keras", compile=False)
    model = SMPLR.from_pretrained(folder.path)
    assert model.skeleton.name == "COCO-17" and model.upright
    moved = zip(first.trainable_weights, model.autoencoder.trainable_weights, strict=True)
    assert all(np.abs(one - other).max() > 0 for one, other in moved)

    answer = call(ship_smplr, f"--run={folder.path}", "--output=copy")
    assert answer.status == 0, answer.err
    assert SMPLR.from_pretrained("copy/model.keras").skeleton.name == "COCO-17"
    copy, _ = networks.load_model(RunFolder(tmp_path / "copy"))
    points = np.random.default_rng(0).normal(0, 0.3, (2, 17, 3)).astype(np.float32)
    for name, value in model(points).items():
        np.testing.assert_allclose(copy(points)[name], value, atol=0.02, err_msg=name)


@pytest.mark.slow
def test_every_stage_follows_the_others(run, call, people):
    pictures = (f"--data={people}", "--image_size=64", "--epochs=1", "--batch_size=8")
    small = ("--stacks=1", "--width=8", "--bins=4", "--prior_bias")
    losses = ("--point_weight=1", "--volume_weight=0")
    stages = {
        "hourglass": (
            "--augment",
            "--augmentations=mirror,colour",
            "--cache",
            *losses,
            *small,
            *pictures,
        ),
        "dae": ("--noise=hourglass", "--networks=runs/hourglass", *pictures),
        "pose": ("--noise=uniform", "--missing_rate=0.1"),
        "shape": ("--noise=gaussian",),
        "pose_shape": ("--networks=runs/dae,runs/pose,runs/shape", "--denoise"),
        "end_to_end": (
            "--networks=runs/hourglass,runs/dae,runs/pose_shape",
            "--point_weight=0.1",
            *pictures,
        ),
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
    assert "clean: closed form" in answer.out
    assert "structured: 200 steps of gradient descent" in answer.out
    stitched = ("--networks=runs/hourglass,runs/dae,runs/pose_shape", "--run_name=stitched")
    answer = call(evaluate_smplr, *stitched, *pictures, "--workers=0")
    assert answer.status == 0, answer.err
    assert "points: mean of 16 joints, mm" in answer.out
    page = (Path("runs/stitched/evaluation") / "index.html").read_text()
    # The picture; volumes of points and limbs, points, and two bodies, from two sides.
    assert page.count('<img src="data:image/') == 5 * 2 * 11
    for name in ("stitched", "end_to_end"):
        seen = smplr_pictures.restore_picture_model(RunFolder(Path("runs") / name))
        assert seen(np.zeros((2, 64, 64, 3), np.uint8)).rotations.shape == (2, 24, 3, 3)
