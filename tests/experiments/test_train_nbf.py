import os
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from datasets.splits import mixture, open_split
from experiments import train_nbf
from experiments.nbf import data as nbf_data
from experiments.nbf import networks
from experiments.nbf.flags import define_run_flags
from experiments.runs import epochs
from experiments.runs.common import REPOSITORY
from experiments.runs.run_folder import RunFolder

METRICS = {
    *("err_joints3d_mm", "pa_mpjpe_mean_mm", "pa_mpjpe_median_mm", "pa_mpjpe_rigid_mm"),
    "surface_mm",
    *("pckh_percent", "err_quat_rad"),
}


def test_a_training_ends_with_a_record_and_a_page(finished):
    record = RunFolder(finished).read_record()
    assert record["metrics"].keys() == record["mean_pose_metrics"].keys() == METRICS
    assert record["epochs"] == 2
    assert (record["training_people"], record["people"]) == (32, 16)
    history = record["history"]
    assert len(history["loss"]) == len(history["val_err_joints3d_mm"]) == 2
    assert history["loss"][1] < history["loss"][0]
    assert record["body"]["name"] == "open_body"
    page = (finished / "report" / "index.html").read_text()
    assert f"{record['metrics']['err_joints3d_mm']:.1f} mm" in page
    # Two people of each quarter and the two worst, six pictures each.
    assert page.count('<img src="data:image/') == 5 * 2 * 6
    assert record["flags"]["epochs"] == 2 and record["flags"]["deterministic"] is False
    assert list((finished / "tensorboard").glob("*/events*"))


@pytest.mark.slow
def test_a_finished_training_only_writes_its_page_anew(finished, tiny, call):
    before = RunFolder(finished).read_record()
    (finished / "report" / "index.html").unlink()
    answer = call(train_nbf, *tiny, f"--runs_dir={finished.parent}", "--run_name=tiny")
    assert answer.status == 0
    assert "is finished" in answer.out and "Epoch" not in answer.out
    assert (finished / "report" / "index.html").exists()
    assert RunFolder(finished).read_record() == before


def test_the_batches_of_an_epoch_do_not_depend_on_where_the_training_started(tiny):
    values = flags.FlagValues()
    define_run_flags(values)
    values(["", *tiny, "--nomirror"])
    feed = networks.feed(values)
    split = mixture([[open_split(values.data, "train")]])
    from_the_start, steps = nbf_data.training_batches(values, split, 0, feed)
    resumed, _ = nbf_data.training_batches(values, split, 1, feed)
    assert steps == 4
    first = [inputs["input_map"].numpy() for inputs, _ in from_the_start.take(2 * steps)]
    second = [inputs["input_map"].numpy() for inputs, _ in resumed.take(steps)]
    np.testing.assert_array_equal(first[steps:], second)
    # Each epoch has every person once, in another order.
    epochs = [np.concatenate(first[:steps]), np.concatenate(first[steps:])]
    assert (epochs[0] != epochs[1]).any()
    sums = [np.sort(epoch.sum((1, 2, 3))) for epoch in epochs]
    np.testing.assert_allclose(*sums, rtol=1e-4)


def test_shares_of_labels_are_of_the_training_set_alone(tiny):
    values = flags.FlagValues()
    define_run_flags(values)
    values(["", *tiny, "--share_3d=0.2", "--share_2d=0.5"])
    test = open_split(values.data, "test")
    known = {}
    for held_out in (False, True):
        feed = networks.feed(values, held_out)
        batches = nbf_data.held_out_batches(values, test, feed)
        true = [targets for _, targets in batches]
        for name in ("joints_3d_valid", "joints_2d_valid"):
            known[name, held_out] = np.concatenate([one[name] for one in true]).any(-1).sum()
    assert known["joints_3d_valid", True] == known["joints_2d_valid", True] == 16
    assert known["joints_3d_valid", False] < known["joints_2d_valid", False] < 16


@pytest.mark.parametrize("readers, cache", [(1, True), (2, False)])
def test_a_batch_is_the_same_for_any_number_of_readers_and_found_again_by_its_step(
    tiny, readers, cache
):
    values = flags.FlagValues()
    define_run_flags(values)
    values(["", *tiny, "--nomirror", f"--cache={cache}", "--batch_size=6"])
    feed = nbf_data.Feed(("id",), lambda examples: examples["id"])
    split = mixture([[open_split(values.data, "train")]])
    steps, epoch = 5, 1  # of 32 people, two do not fill a batch

    def batches(index):
        reader = tf.distribute.InputContext(readers, index, readers)
        read, expected_steps = nbf_data.training_batches(values, split, epoch, feed, reader)
        assert expected_steps == steps
        return [batch.numpy() for batch in read.take(2 * steps)]

    # The i-th Example of a batch is the i // readers-th of reader i % readers.
    read = [
        np.stack(shares, 1).ravel() for shares in zip(*map(batches, range(readers)), strict=True)
    ]
    for step, batch in enumerate(read):
        found = epochs.example_ids(values, split, epoch + step // steps, step % steps, cache)
        assert found == [name.decode() for name in batch]
    for whole in (read[:steps], read[steps:]):
        assert len({*np.concatenate(whole)}) == 30


def test_other_flags_on_a_run_are_refused(finished, tiny, call):
    answer = call(
        train_nbf, *tiny, f"--runs_dir={finished.parent}", "--run_name=tiny", "--epochs=3"
    )
    assert answer.status == 1
    assert answer.err.count("\n") == 1
    assert all(w in answer.err for w in ("--epochs=2", "--epochs=3", "--run_name", "--overwrite"))


@pytest.fixture
def refused(call, tiny, tmp_path):
    """Starts a training that must end in one line, and gives that line."""

    def refused(*arguments):
        answer = call(train_nbf, *tiny, f"--runs_dir={tmp_path / 'runs'}", *arguments)
        assert answer.status == 1
        assert answer.err.count("\n") == 1 and "Traceback" not in answer.err
        assert "unexpected" not in answer.err
        assert not list((tmp_path / "runs").glob("*/record.json"))
        return answer.err

    return refused


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--data=/nowhere/at/all", ["/nowhere/at/all", "no such folder"]),
        ("--input_map=parts_13", ["parts_13", "parts_12"]),
        ("--backbone=resnet18", ["resnet18", "resnet50"]),
        ("--body_model=/nowhere/smpl.pkl", ["/nowhere/smpl.pkl"]),
        ("--backbone_weights=/nowhere/weights.h5", ["/nowhere/weights.h5"]),
        ("--batch_size=64", ["32 training Examples", "--batch_size=64"]),
        ("--synthetic_train=16", ["train.manifest.json", "num_items"]),
    ],
)
def test_a_mistake_is_one_line_with_what_to_mend(refused, flag, words):
    line = refused(flag)
    assert all(word in line for word in words), line


def test_data_of_another_body_is_refused(refused, people, other_body):
    line = refused(f"--body_model={other_body}")
    assert str(people) in line and "--body_model" in line


def test_after_a_mistake_the_mended_command_may_use_the_same_folder(refused, call, tmp_path):
    refused("--data=/nowhere/at/all")
    assert "/elsewhere: no such folder" in refused("--data=/elsewhere", "--input_map=parts_3")


@pytest.mark.parametrize("damage", ["empty", "truncated", "missing"])
def test_a_damaged_shard_is_named(refused, people, tmp_path, damage):
    data = tmp_path / "people"
    shutil.copytree(people, data)
    shard = next(data.glob("train-*"))
    if damage == "missing":
        shard.unlink()
    else:
        shard.write_bytes(b"" if damage == "empty" else shard.read_bytes()[:-100])
    line = refused(f"--data={data}")
    assert str(shard) in line and "delete it" in line


def test_a_flipped_bit_in_a_shard_is_named(refused, people, tmp_path):
    data = tmp_path / "people"
    shutil.copytree(people, data)
    shard = next(data.glob("train-*"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    assert str(shard) in refused(f"--data={data}")


def test_a_second_training_in_the_folder_is_refused(refused, tmp_path):
    script = (
        "import sys\n"
        "from experiments.runs.run_folder import RunFolder\n"
        f"with RunFolder({str(tmp_path / 'runs' / 'nbf')!r}).locked():\n"
        "    print('locked', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"locked\n"
        assert f"in use by process {other.pid}" in refused()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_training_ends_with_the_same_record(tiny, tmp_path, seed):
    """SIGKILL at random moments, data generation included."""

    def start(name):
        command = [
            *(sys.executable, str(REPOSITORY / "experiments" / "train_nbf.py"), *tiny),
            *("--deterministic", f"--data={tmp_path / name}", "--synthetic_train=128"),
            *("--synthetic_val=8", "--synthetic_test=16", "--synthetic_image_size=32"),
            *("--epochs=6", f"--runs_dir={tmp_path}", f"--run_name={name}"),
        ]
        with open(tmp_path / f"{name}.log", "ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    started = time.monotonic()
    assert start("undisturbed").wait() == 0
    longest = time.monotonic() - started
    chance = random.Random(seed)
    kills, status = 0, None
    while status != 0:
        process = start("killed")
        # Longer and longer, so that it ends in the end.
        limit = longest * min(1.2, chance.uniform(0.2, 0.8) + 0.1 * kills)
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
    assert kills > 0
    killed, undisturbed = (
        RunFolder(tmp_path / "killed").read_record(),
        RunFolder(tmp_path / "undisturbed").read_record(),
    )
    for key in ("metrics", "mean_pose_metrics", "history"):
        assert killed[key] == undisturbed[key]
    leftovers = [path.name for path in RunFolder(tmp_path / "killed").path.rglob(".aside-*")]
    assert leftovers == []
