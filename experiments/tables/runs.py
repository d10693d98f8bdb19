"""Runs the steps of a plan in parallel, and records their time."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from tqdm import tqdm

from experiments.runs import side_files
from experiments.runs.common import REPOSITORY, UsageError
from experiments.tables.plan import Step
from smpl_tf.files import write_json

_RUNNING: set[subprocess.Popen] = set()
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_LAST_WORDS = 300  # characters of a failed script's output that are shown


def execute(
    steps: Sequence[Step], jobs: int, threads: int, logs: Path, after: Callable[[], None]
) -> list[str]:
    """Runs steps, each after those it needs.

    Args:
      steps: to run, in order.
      jobs: number of parallel steps.
      threads: of each step; 0: as TensorFlow chooses.
      logs: folder for the scripts' output.
      after: called in this thread after each step.

    Returns:
      Name and last output of each failed step; steps that need it are not run.
    """
    waiting = {step.name: step for step in steps}
    running: dict[Future, Step] = {}
    failed: dict[str, str] = {}
    with (
        ThreadPoolExecutor(jobs) as pool,
        tqdm(total=len(steps), desc="runs", unit="run") as bar,
    ):
        while waiting or running:
            for step in list(
                waiting.values()
            ):  # in order, since steps that need one of them come later
                if failed.keys() & {*step.needs}:
                    failed[step.name] = "not run, since a run that it needs failed"
                    del waiting[step.name]
                    bar.update()
            busy = {*waiting, *(step.name for step in running.values())}
            ready = [step for step in waiting.values() if not busy & {*step.needs}]
            for step in ready[: jobs - len(running)]:
                bar.set_postfix_str(step.name)
                del waiting[step.name]
                running[pool.submit(_run, step, threads, logs)] = step
            if not running:
                continue
            try:
                done = wait(running, return_when=FIRST_COMPLETED).done
            except KeyboardInterrupt:
                _stop_all()
                raise
            for future in done:
                step, words = running.pop(future), future.result()
                if words is not None:
                    failed[step.name] = words
                bar.update()
                after()
    return [f"{name}: {words}" for name, words in failed.items()]


def _run(step: Step, threads: int, logs: Path) -> str | None:
    """Runs one step; returns the last output if it failed."""
    if step.state == "recorded":  # finished by another process since the plan was made
        return None
    log = logs / f"{step.name.replace('/', '_')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    script, *arguments = step.command
    environment = dict(os.environ)
    if threads:
        for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
            environment[name] = str(threads)
    start = time.time()
    with open(log, "wb") as file:
        process = subprocess.Popen(
            [sys.executable, str(REPOSITORY / script), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
            preexec_fn=_end_with_parent if _LIBC else None,
        )
        _RUNNING.add(process)
        try:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            _RUNNING.discard(process)
    _add_time(step.folder, time.time() - start, usage.ru_utime + usage.ru_stime)
    if process.returncode == 0:
        return None
    lines = log.read_text("utf-8", errors="replace").strip().splitlines() or ["it printed nothing"]
    return f"{lines[-1][-_LAST_WORDS:]} (status {process.returncode}; full output: {log})"


def _stop_all() -> None:
    """Interrupts the running scripts like Ctrl-C."""
    for process in list(_RUNNING):
        with contextlib.suppress(ProcessLookupError):
            process.terminate()


def _end_with_parent() -> None:
    """Asks Linux to end the script when this process is killed, since it would train on."""
    _LIBC.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _add_time(folder: Path, wall: float, cpu: float) -> None:
    """Adds the time of this start to that of earlier ones."""
    path = folder / "timing.json"
    both = {"wall_seconds": wall, "cpu_seconds": cpu}
    kinds = dict.fromkeys(both, (int, float))
    earlier = side_files.read(path, kinds, "delete it") if path.is_file() else {}
    total = {name: round(earlier.get(name, 0.0) + value, 1) for name, value in both.items()}
    write_json(path, total)


def seeds_of(given: Sequence[str]) -> list[int]:
    """Reads the flag --seeds.

    Args:
      given: its parts.

    Returns:
      The seeds.

    Raises:
      UsageError: they are not different whole numbers.
    """
    try:
        seeds = [int(seed) for seed in given]
    except ValueError:
        seeds = []
    if not seeds or min(seeds) < 0 or len({*seeds}) < len(seeds):
        raise UsageError(
            f"--seeds={','.join(given)}: expected different whole numbers, such as 0,1,2"
        )
    return seeds
