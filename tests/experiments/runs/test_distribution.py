"""Trainings on several worker processes of this machine, against one process.

Slow: each process loads TensorFlow and traces a training of its own.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from functools import partial

import h5py
import numpy as np
import pytest

from experiments.runs import checkpoints
from experiments.runs.common import REPOSITORY

pytestmark = pytest.mark.slow

EPOCHS = 4
# A worker whose peer is gone must end by itself.
LONGEST = 3600


WORKER = ("tests/experiments/runs/worker.py",)
NEVER = (*WORKER, "never")


def start(arguments, script=NEVER, task=None, group=None):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("TF_CONFIG", None)
    if task is not None:
        environment["TF_CONFIG"] = json.dumps(task)
    return subprocess.Popen(
        [sys.executable, *script, *arguments],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=None if group is None else partial(os.setpgid, 0, group),
    )


def train_alone(arguments, script=NEVER):
    process = start(arguments, script)
    answer, _ = process.communicate(timeout=LONGEST)
    assert process.returncode == 0, answer
    return answer


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def train_together(arguments, *scripts):
    """Runs one worker per script; gives their statuses and what each wrote."""
    hosts = [f"127.0.0.1:{port}" for port in free_ports(len(scripts))]
    processes = []
    for index, script in enumerate(scripts):
        task = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
        group = processes[0].pid if processes else 0  # one that can be killed at a stroke
        processes.append(start([*arguments, "--strategy=multi_worker"], script, task, group))
    try:
        answers = [process.communicate(timeout=LONGEST)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], answers


@pytest.fixture(scope="module")
def arguments(people):
    """Flags of a small training: all three losses, half of the people without 3D labels."""
    return (
        *(f"--data={people}", "--input_size=16", "--batch_size=8", f"--epochs={EPOCHS}"),
        *("--learning_rate=0.003", "--share_3d=0.5"),
    )


@pytest.fixture(scope="module")
def undisturbed(arguments, tmp_path_factory):
    """The checkpoints of one process that trained without an accident."""
    runs = tmp_path_factory.mktemp("alone")
    train_alone([*arguments, f"--runs_dir={runs}"])
    return runs / "nbf" / "checkpoints"


def assert_same_training(one, other):
    """Compares all weights, the optimiser's among them, and the metrics of all epochs."""
    one, other = checkpoints.latest(one), checkpoints.latest(other)
    assert one.epoch == other.epoch == EPOCHS
    assert one.state["history"].keys() == other.state["history"].keys()
    for name, values in one.state["history"].items():
        np.testing.assert_allclose(other.state["history"][name], values, rtol=1e-5, err_msg=name)
    compared = 0
    with h5py.File(one.weights) as file, h5py.File(other.weights) as twin:

        def compare(name, item):
            nonlocal compared
            if isinstance(item, h5py.Dataset):
                compared += 1
                np.testing.assert_allclose(twin[name][()], item[()], atol=1e-5, err_msg=name)

        file.visititems(compare)
    assert compared > 100


def test_two_workers_train_to_the_weights_of_one_process(arguments, undisturbed, tmp_path):
    statuses, answers = train_together([*arguments, f"--runs_dir={tmp_path}"], NEVER, NEVER)
    assert statuses == [0, 0], answers
    together = tmp_path / "nbf" / "checkpoints"
    assert checkpoints.latest(together).state["replicas"] == 2
    assert_same_training(undisturbed, together)
    # The chief alone shows and writes.
    assert "Epoch 4/4" in answers[0] and "Epoch" not in answers[1]
    assert "worker 1 of 2: trains; the chief writes" in answers[1]


@pytest.mark.parametrize(
    ("moments", "epoch_before"),
    [
        (["never", "step:2"], 1),
        (["all:2", "all:2"], 1),
        (["write:3", "never"], 2),
        (["between:3", "never"], 3),
    ],
    ids=["one", "all", "while_writing", "between_epochs"],
)
def test_killed_workers_go_on_in_another_number(
    arguments, undisturbed, tmp_path, moments, epoch_before
):
    arguments = [*arguments, f"--runs_dir={tmp_path}"]
    folder = tmp_path / "nbf" / "checkpoints"
    statuses, answers = train_together(arguments, *[(*WORKER, moment) for moment in moments])
    for moment, status, answer in zip(moments, statuses, answers, strict=True):
        assert status == (1 if moment == "never" else -signal.SIGKILL), answer
        told = "another worker has ended; start all workers again" in answer
        assert told == (moment == "never"), answer
    assert checkpoints.latest(folder).epoch == epoch_before
    assert f"continues after epoch {epoch_before} of 4" in train_alone(arguments)
    assert_same_training(undisturbed, folder)


def test_a_batch_that_does_not_divide_is_refused_by_all_workers(arguments, tmp_path):
    statuses, answers = train_together(
        [*arguments, f"--runs_dir={tmp_path}", "--batch_size=7"], NEVER, NEVER
    )
    assert statuses == [1, 1]
    for answer in answers:
        assert "--batch_size=7 is the batch of all replicas together" in answer


def test_two_workers_train_smplr_as_one_process_does(tmp_path):
    arguments = [
        *("--stage=pose", "--noise=uniform", "--motion_poses=64", "--test_bodies=16"),
        *("--steps_per_epoch=3", "--batch_size=16", "--epochs=2", "--workers=0"),
        *("--learning_rate=1e-4", f"--runs_dir={tmp_path}"),
    ]
    script = ("experiments/train_smplr.py",)
    train_alone([*arguments, "--run_name=alone"], script)
    statuses, answers = train_together([*arguments, "--run_name=together"], script, script)
    assert statuses == [0, 0], answers
    alone, together = (
        json.loads((tmp_path / name / "record.json").read_text()) for name in ("alone", "together")
    )
    assert (alone["replicas"], together["replicas"]) == (1, 2)
    # Float32 here: the same batches, but no longer the same rounding.
    for name, values in alone["history"].items():
        np.testing.assert_allclose(together["history"][name], values, rtol=1e-4, err_msg=name)
    assert (tmp_path / "together" / "model.keras").exists()
