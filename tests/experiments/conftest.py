import dataclasses
import fcntl
import os
import shutil
from typing import NamedTuple

import pytest

from experiments import convert_dataset, train_nbf
from experiments.nbf.flags import define_run_flags
from experiments.runs import callbacks, common
from smpl_tf.model_data import load_model_data, save_model_data
from tests.eager import eagerly

COUNTS = {"train": 32, "val": 8, "test": 16}


class Answer(NamedTuple):
    """What a script did: its exit status and what it wrote to the screen."""

    status: int
    out: str
    err: str


@pytest.fixture
def call(capsys):
    """Calls a script as its users do, in this process."""

    def call(script, *arguments):
        define_flags = getattr(script, "define_flags", define_run_flags)
        capsys.readouterr()
        status = common.run(script.main, define_flags, [f"{script.__name__}.py", *arguments])
        return Answer(status, *capsys.readouterr())

    return call


def made_once(tmp_path_factory, name, make):
    """Makes a folder once for all processes of a test run; the others wait for the first.

    Args:
      tmp_path_factory: pytest's.
      name: of the folder.
      make: fills the empty folder that it is given.

    Returns:
      The folder; it belongs to all, so nobody may change it.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, whole = root / name, root / f"{name}.whole"
    with open(root / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a process that failed
            folder.mkdir()
            make(folder)
            whole.touch()
    return folder


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    """A folder with a few small synthetic people; copy it to change it."""

    def make(folder):
        for split, count in COUNTS.items():
            arguments = [
                *("convert_dataset.py", "--dataset=synthetic", f"--output={folder}"),
                *(f"--split={split}", f"--count={count}", "--image_size=32", "--workers=0"),
            ]
            assert common.run(convert_dataset.main, convert_dataset.define_flags, arguments) == 0

    return made_once(tmp_path_factory, "shared_people", make)


@pytest.fixture(scope="session")
def tiny(people):
    """Flags of a training that takes seconds."""
    return (
        *(f"--data={people}", "--input_size=16", "--batch_size=8", "--epochs=2"),
        *("--learning_rate=0.003", "--nodeterministic"),
    )


@pytest.fixture(scope="session")
def finished(tiny, tmp_path_factory):
    """The folder of a training that was stopped in its second epoch, and then finished."""

    def make(runs):
        arguments = ["train_nbf.py", *tiny, f"--runs_dir={runs}", "--run_name=tiny"]

        def stop_in_epoch_2(self, batch, logs=None):
            if self.history and batch == 1:
                raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch, eagerly():
            patch.setattr(callbacks.SaveEpochs, "on_train_batch_end", stop_in_epoch_2)
            status = common.run(train_nbf.main, define_run_flags, arguments)
        assert status == common.EXIT_INTERRUPTED
        assert not (runs / "tiny" / "record.json").exists()
        assert common.run(train_nbf.main, define_run_flags, arguments) == 0

    shared = made_once(tmp_path_factory, "shared_runs", make)
    own = tmp_path_factory.mktemp("runs") / "tiny"
    shutil.copytree(shared / "tiny", own)
    return own


@pytest.fixture(scope="session")
def other_body(tmp_path_factory):
    """A body model file that is not the open body."""
    body = load_model_data()
    path = tmp_path_factory.mktemp("bodies") / "official.h5"
    save_model_data(dataclasses.replace(body, v_template=body.v_template * 1.01), path)
    return path
