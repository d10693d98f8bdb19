"""A conversion and a training, killed twenty times each at random moments, and what they end with.

Slow, 7 CPU minutes: each start loads TensorFlow anew. Kills follow what the process has done, not
the clock, so that they hit its work on a busy machine too.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest

from datasets import records
from experiments.runs.run_folder import RunFolder
from tests.datasets.fake_amass import write_sequence

REPOSITORY = Path(__file__).resolve().parents[2]
KILLS = 20
SEED = 9
EPOCHS = 60  # more than the killed starts can finish
SEQUENCES = 96

pytestmark = pytest.mark.slow


def start(log, script, *arguments):
    command = [sys.executable, str(REPOSITORY / "experiments" / script), *arguments]
    with open(log, "ab") as screen:
        return subprocess.Popen(command, stdout=screen, stderr=screen)


def kill_at_random(process, chance, progress, most):
    """Waits for some progress, a moment longer, and kills.

    Args:
      process: to be killed.
      chance: random numbers.
      progress: gives a number that grows while the process works.
      most: how much progress is waited for at most; 0 is a kill while TensorFlow loads.
    """
    wanted = progress() + chance.randint(0, most)
    moment = chance.uniform(0.0, 8.0 if progress() == wanted else 0.3)
    while progress() < wanted:
        assert process.poll() is None, "ended before it was killed: more work is needed"
        time.sleep(0.002)
    deadline = time.monotonic() + moment
    while time.monotonic() < deadline:
        assert process.poll() is None, "ended before it was killed: more work is needed"
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def files_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_conversion_killed_twenty_times_loses_and_doubles_nothing(tmp_path):
    source, chance = tmp_path / "amass", random.Random(SEED)
    for seed in range(SEQUENCES):
        write_sequence(source / "CMU" / "01" / f"01_{seed:03d}_poses.npz", 40, seed=seed)

    def convert(name, workers):
        return start(
            *(tmp_path / f"{name}.log", "convert_dataset.py", "--dataset=amass"),
            *(f"--source={source}", f"--output={tmp_path / name}", "--shard_mb=0.02"),
            *("--female_body=open", "--male_body=open", f"--workers={workers}"),
        )

    assert convert("undisturbed", 0).wait() == 0
    killed = tmp_path / "killed"
    for kill in range(KILLS):
        process = convert("killed", workers=chance.choice((0, 0, 0, 1)))
        kill_at_random(process, chance, lambda: len(list(killed.glob("train-*.tfrecord"))), 3)
        print(f"kill {kill + 1}: {len(list(killed.glob('*')))} files")
    assert convert("killed", 0).wait() == 0
    ids = [one["id"] for one in records.read_examples(str(killed), "train")]
    assert len(set(ids)) == len(ids) > 0
    assert records.check(str(killed), "train", checksums=True).count == len(ids)
    assert files_of(killed) == files_of(tmp_path / "undisturbed")


def test_a_training_killed_twenty_times_ends_with_the_same_metrics(people, tmp_path):
    chance = random.Random(SEED)

    def train(name):
        return start(
            *(tmp_path / f"{name}.log", "train_nbf.py", "--deterministic", f"--data={people}"),
            *("--input_size=16", "--batch_size=8", f"--epochs={EPOCHS}", "--learning_rate=0.003"),
            *(f"--runs_dir={tmp_path}", f"--run_name={name}"),
        )

    checkpoints = RunFolder(tmp_path / "killed").checkpoints

    def epochs():
        names = [path.name for path in checkpoints.glob("epoch_*.h5")]
        return int(max(names)[6:10]) if names else 0

    assert train("undisturbed").wait() == 0
    for kill in range(KILLS):
        kill_at_random(train("killed"), chance, epochs, 2)
        for path in checkpoints.glob("epoch_*.h5"):
            with h5py.File(path) as weights:
                weights.visititems(lambda _, one: one[()] if hasattr(one, "shape") else None)
            json.loads(path.with_name(f"{path.name[:10]}.json").read_text())
        print(f"kill {kill + 1}: {epochs()} epochs")
    assert train("killed").wait() == 0
    killed, undisturbed = (
        RunFolder(tmp_path / name).read_record() for name in ("killed", "undisturbed")
    )
    for key in ("metrics", "mean_pose_metrics", "history"):
        assert killed[key] == undisturbed[key]
    assert not list((tmp_path / "killed").rglob(".aside-*"))
