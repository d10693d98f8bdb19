"""Every script that writes: killed, started twice in one folder, and on small disks.

Nothing may be lost, doubled, half-written under a final name, or blocked. Slow, 200 starts.
FAULT_KILLS says how often each script is killed by each signal (10), FAULT_SEED when.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests.experiments import whole_files
from tests.experiments.forked_scripts import cpu_seconds, start, wait, wait_and_count

REPOSITORY = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("FAULT_KILLS", "10"))
SEED = int(os.environ.get("FAULT_SEED", "9"))
SIGNALS = (signal.SIGKILL, signal.SIGTERM)
DISKS = ("1m", "10m", "100m")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def given(people, tmp_path_factory):
    """Pictures, points of a person, and flag files of a small table."""
    folder = tmp_path_factory.mktemp("given")
    (folder / "pictures").mkdir()
    rng = np.random.default_rng(0)
    for name in ("a.jpg", "b.jpg"):
        shutil.copy(REPOSITORY / "nbf_synthetic.jpg", folder / "pictures" / name)
    flag_files = REPOSITORY / "experiments" / "flags"
    base = "nbf_small_tables.cfg"
    for file in flag_files.glob("nbf_small_t*.cfg"):
        text = file.read_text("utf-8").replace(f"experiments/flags/{base}", f"{folder}/{base}")
        (folder / file.name).write_text(text, "utf-8")
    text = re.sub("--synthetic_.*\n", "", (folder / base).read_text("utf-8"))
    smaller = {"data": people, "input_size": 16, "epochs": 1, "batch_size": 16}
    for name, value in smaller.items():
        text = re.sub(f"--{name}=.*", f"--{name}={value}", text)
    (folder / base).write_text(text, "utf-8")
    np.savez(folder / "points.npz", points=rng.normal(0, 0.3, (4, 24, 3)))
    return folder


def command_of(script, given, people, output):
    """A script's arguments, and how they are to be changed for the results to be compared."""
    tiny = ("--input_size=16", "--batch_size=8", "--epochs=4", "--learning_rate=0.003")
    return {
        "convert_dataset": (
            *("--dataset=synthetic", f"--output={output}", "--count=120", "--image_size=32"),
            "--workers=0",
        ),
        "train_nbf": (f"--data={people}", *tiny, f"--runs_dir={output}", "--run_name=one"),
        "predict": (
            *("--method=parts", f"--images={given / 'pictures'}", f"--output={output}"),
            "--mesh=glb",
        ),
        "fit": (
            *(f"--points={given / 'points.npz'}", "--skeleton=smpl_24", f"--output={output}"),
            *("--method=closed_form", "--meshes=2"),
        ),
        "export": (f"--output={output / 'exported'}", "--format=saved_model"),
        "reproduce_tables": (
            *("--table=nbf3", "--rows=3d,lat_3d_2d", "--seeds=2", f"--flag_files={given}"),
            *(f"--runs_dir={output / 'runs'}", f"--results={output / 'results'}", "--jobs=2"),
            f"--page={output / 'RESULTS.md'}",
        ),
    }[script]


SCRIPTS = ("convert_dataset", "train_nbf", "predict", "fit", "export", "reproduce_tables")


def final_names(folder):
    """All files but TensorBoard's, whose names hold the time."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)) for path in files if "events.out" not in path.name}


@pytest.mark.parametrize("script", SCRIPTS)
def test_killed_at_random_moments(script, given, people, tmp_path):
    chance, output = random.Random(f"{script} {SEED}"), tmp_path / "out"
    arguments = command_of(script, given, people, output)
    log = tmp_path / "log"
    status, whole = wait_and_count(start(script, arguments, log))
    assert status == 0, log.read_text()
    names = final_names(output)
    shutil.rmtree(output)
    landed, in_time, begun = dict.fromkeys(SIGNALS, 0), 0, 0
    while min(landed.values()) < KILLS:
        begun += 1
        assert begun <= 6 * KILLS, f"{script} ends before it is killed: {landed}"
        number = min(SIGNALS, key=landed.get)
        before = whole_files.unfinished(output)  # of one that could not tidy up
        process, moment = start(script, arguments, log), chance.uniform(0.1, 1.0) * whole
        while process.exitcode is None and cpu_seconds(process.pid) < moment:
            time.sleep(0.005)
        if process.exitcode is None:
            os.kill(process.pid, number)
        status = wait(process)
        said = log.read_text(errors="replace")
        if status in (-number, 130):
            landed[number] += 1
            if status == 130:
                assert "stopped" in said and "Traceback" not in said, said
        else:  # too late; an export refuses to replace what is whole
            in_time += 1
            assert status == 0 or "already exists" in said, said
            shutil.rmtree(output)
        if output.exists():
            whole_files.check(output)
            if status == 130:
                assert {*whole_files.unfinished(output)} <= {*before}, said
    status = wait(start(script, arguments, log))
    assert status == 0 or "already exists" in log.read_text(), log.read_text()
    assert whole_files.check(output) > 0 or script == "reproduce_tables"
    assert not whole_files.unfinished(output)
    assert names == final_names(output)
    kills = {number.name: count for number, count in landed.items()}
    print(f"{script}: seed {SEED}, {kills}, {in_time} ended before; {len(names)} files at the end")


@pytest.mark.parametrize("script", SCRIPTS)
def test_two_at_once_in_one_folder(script, given, people, tmp_path):
    output, logs = tmp_path / "out", [tmp_path / "1", tmp_path / "2"]
    arguments = command_of(script, given, people, output)
    both = [start(script, arguments, log) for log in logs]
    statuses = [wait(process) for process in both]
    assert 0 in statuses, [log.read_text() for log in logs]
    for status, log in zip(statuses, logs, strict=True):
        if status:  # told who is there, unless the other was ready by then
            line = log.read_text().strip().splitlines()[-1]
            assert "in use by process" in line or "already exists" in line, line
    whole_files.check(output)
    assert not whole_files.unfinished(output)
    print(f"{script}: statuses {statuses}")


@pytest.mark.parametrize("size", DISKS)
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_small_disk(script, size, given, people, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount a small disk here")
    try:
        output, log = disk / "out", tmp_path / "log"
        arguments = command_of(script, given, people, output)
        status = wait(start(script, arguments, log))
        said = log.read_text(errors="replace")
        if status:
            assert "no space left" in said.lower() and str(disk) in said, said
            assert "Traceback" not in said
        if output.exists():
            whole_files.check(output)
        subprocess.run(["mount", "-o", "remount,size=400m", str(disk)], check=True)
        if status:
            status = wait(start(script, arguments, log))
            assert status == 0, log.read_text()
        whole_files.check(output)
        assert not whole_files.unfinished(output)
        print(f"{script} on {size}: {'no space' if said.count('no space left') else 'fits'}")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
