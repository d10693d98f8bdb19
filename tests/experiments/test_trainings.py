"""What holds for all three trainings: what stops them, how they compute, how they are made again.

Slow: each test traces and trains a few small networks.
"""

import errno
import json
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest

from experiments import train_nbf, train_smplr
from experiments.runs import checkpoints
from experiments.runs.common import REPOSITORY
from experiments.runs.run_folder import RunFolder
from experiments.smplr.flags import define_run_flags

pytestmark = pytest.mark.slow

SCRIPTS = {"fitting": train_nbf, "segmentation": train_nbf, "smplr": train_smplr}


@pytest.fixture
def flags_of(people):
    """Flags of a training that takes seconds, by its name."""
    small = (f"--data={people}", "--input_size=16", "--batch_size=8", "--epochs=2")
    return {
        "fitting": small,
        "segmentation": (*small, "--stage=segmentation", "--segmenter_width=4"),
        "smplr": (
            *("--stage=pose", "--noise=uniform", "--motion_poses=64", "--test_bodies=16"),
            *("--steps_per_epoch=3", "--batch_size=16", "--epochs=2", "--workers=0"),
        ),
    }


@pytest.fixture
def train(call, flags_of, tmp_path, monkeypatch):
    """Trains by name in this process; gives the answer and the folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train_smplr, "define_flags", define_run_flags, raising=False)

    def train(name, *arguments):
        answer = call(
            *(SCRIPTS[name], "--nodeterministic", *flags_of[name]),
            *(f"--runs_dir={tmp_path}", "--run_name=run", *arguments),
        )
        return answer, RunFolder(tmp_path / "run")

    return train


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_loss_that_is_not_finite_stops_it_with_its_step_and_examples(train, name):
    answer, run = train(name, "--learning_rate=1e38")
    line = answer.err.splitlines()[-1]  # after progress bars
    assert answer.status == 1 and "Traceback" not in answer.err
    assert line.startswith(f"{SCRIPTS[name].__name__}.py: ")
    assert "not finite in step" in line and "of epoch 1, Examples" in line
    kept = json.loads((run.path / "not_finite.json").read_text())
    assert "loss" in kept["terms"] and kept["step"] > 1
    if name == "smplr":
        assert kept["examples"] == [f"of the motion's batch {kept['step'] - 1}, seed 0"]
    else:
        assert len({*kept["examples"]}) == 8
        assert kept["examples"][0] in line
    assert run.read_record() is None


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_full_disk_leaves_the_checkpoint_before_and_room_mends_it(train, name, monkeypatch):
    save = keras.Model.save_weights

    def full(self, path, **kwargs):
        save(self, path, **kwargs)
        if "epoch_0002" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "save_weights", full)
        answer, run = train(name)
    assert answer.status == 1 and "Traceback" not in answer.err
    assert "no space left on the disk; free some space" in answer.err.splitlines()[-1]
    assert checkpoints.latest(run.checkpoints).epoch == 1
    assert not list(run.path.rglob(".aside-*"))
    answer, _ = train(name)
    assert answer.status == 0, answer.err
    assert "continues after epoch 1 of 2" in answer.out


@pytest.mark.parametrize("flag", ["--mixed_precision=mixed_bfloat16", "--jit_compile"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_other_ways_to_compute_train_too(train, name, flag):
    try:
        answer, run = train(name, flag, "--epochs=1")
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert answer.status == 0, answer.err
    history = run.read_record()["history"]
    assert all(np.isfinite(values).all() for values in history.values())


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_run_is_made_again_from_its_flag_file(flags_of, tmp_path, name):
    """In processes of their own: the same bits is a mode of the whole process."""
    script = REPOSITORY / "experiments" / f"{SCRIPTS[name].__name__.split('.')[-1]}.py"

    def start(*arguments):
        command = [sys.executable, script, *arguments, f"--runs_dir={tmp_path}"]
        answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert answer.returncode == 0, answer.stderr

    start(*flags_of[name], "--deterministic", "--run_name=one")
    start(f"--flagfile={tmp_path / 'one' / 'flags.cfg'}", "--run_name=other")
    one, other = RunFolder(tmp_path / "one"), RunFolder(tmp_path / "other")
    for key in ("metrics", "history", "data", "versions", "flags"):
        assert one.read_record()[key] == other.read_record()[key]
    assert {"body", "bodies"} & one.read_record().keys() or name == "segmentation"
    files = [checkpoints.latest(run.checkpoints).weights for run in (one, other)]
    compared = 0
    with h5py.File(files[0]) as file, h5py.File(files[1]) as twin:

        def compare(path, item):
            nonlocal compared
            if isinstance(item, h5py.Dataset):
                compared += 1
                np.testing.assert_array_equal(twin[path][()], item[()], err_msg=path)

        file.visititems(compare)
    assert compared > 20
