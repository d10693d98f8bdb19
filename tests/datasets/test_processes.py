"""A conversion by the script in two processes, killed in its middle, and what becomes of it."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest

from datasets import processes, records
from experiments import convert_dataset
from experiments.runs import common
from tests.datasets.fake_amass import write_sequence

REPOSITORY = Path(__file__).resolve().parents[2]
NUM_SEQUENCES = 16
BLOCKED = 11  # place, in the order of the conversion, of the sequence that does not come
# Python runs it at its start, in each process: one file never opens.
SLOW_DISK = """
import builtins, os, time

def slow(path, *args, at_once=open, **kwargs):
    if isinstance(path, os.PathLike | str) and os.fspath(path) == os.environ["SLOW_FILE"]:
        time.sleep(600)
    return at_once(path, *args, **kwargs)

builtins.open = slow
"""


def children(process):
    """The processes that a process has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, *_ = path.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(parent) == process and state != "Z":
            found.append(int(path.parent.name))
    return found


def runs(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def arguments(source, output, workers):
    return [
        str(REPOSITORY / "experiments" / "convert_dataset.py"),
        *("--dataset=amass", f"--source={source}", f"--output={output}", "--shard_mb=0.07"),
        *("--female_body=open", "--male_body=open", f"--workers={workers}"),
    ]


def convert(source, output):
    given = arguments(source, output, workers=0)
    assert common.run(convert_dataset.main, convert_dataset.define_flags, given) == 0
    return {path.name: path.read_bytes() for path in output.iterdir()}


def test_a_killed_conversion_leaves_no_process_and_goes_on_to_the_same_bytes(tmp_path):
    source, output = tmp_path / "amass", tmp_path / "killed"
    paths = [source / "CMU" / "01" / f"01_{n:02d}_poses.npz" for n in range(NUM_SEQUENCES)]
    for seed, path in enumerate(paths):
        write_sequence(path, 40, seed=seed)
    blocked = paths[np.random.default_rng(0).permutation(NUM_SEQUENCES)[BLOCKED]]
    (tmp_path / "sitecustomize.py").write_text(SLOW_DISK)
    search = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, *arguments(source, output, workers=2)],
        env={**os.environ, "PYTHONPATH": search, "SLOW_FILE": str(blocked)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as parent:
        try:
            while not (output / "train-00002.tfrecord").exists():
                assert parent.poll() is None
                time.sleep(0.05)
            workers = children(parent.pid)
        finally:
            parent.send_signal(signal.SIGKILL)
    assert len(workers) >= 2
    deadline = time.monotonic() + 60
    while any(map(runs, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(runs, workers))
    with pytest.raises(records.RecordError, match="unfinished; run its conversion again"):
        records.check(str(output), "train")
    done = {path: path.stat().st_mtime_ns for path in output.glob("*.tfrecord")}
    assert len(done) == 3

    continued = convert(source, output)
    assert continued == convert(source, tmp_path / "undisturbed")
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert sorted(continued) == [
        *(f"train-{shard:05d}.tfrecord" for shard in range(6)),
        "train.manifest.json",
        "train.skipped.jsonl",
    ]


def test_a_pool_that_dies_at_its_start_says_so():
    """As in a script without a guard: each process would start a pool of its own (C16)."""
    with pytest.raises(ChildProcessError, match='under `if __name__ == "__main__":`'):
        with processes.process_pool(1, 1):
            raise BrokenProcessPool


@pytest.mark.slow
def test_a_script_without_a_guard_is_told(tmp_path):
    script = tmp_path / "generate.py"
    script.write_text(
        "from datasets import synthetic\n"
        "config = synthetic.SyntheticConfig(seed=0, image_size=32)\n"
        "synthetic.generate('people', 'train', 8, config)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    answer = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith(
        "ChildProcessError: the processes ended at their start"
    )
