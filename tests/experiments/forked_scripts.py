"""Starts scripts in processes that have TensorFlow already: a hundred starts are affordable so.

Each is forked from a server that has imported the libraries and done nothing with them; from there
on it is what a user starts: its own arguments, streams, signals and exit status.
"""

import multiprocessing
import os
import runpy
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tensorflow", "keras", "cv2", "h5py", "scipy.io", __name__])


def start(script, arguments, log):
    """Starts a script; returns its process, of which `wait` gives the status."""
    process = _CONTEXT.Process(target=_run, args=(script, arguments, str(log)))
    process.start()
    return process


def wait(process, seconds=600):
    """The exit status of a process, below 0 where a signal ended it."""
    process.join(seconds)
    assert process.exitcode is not None, f"still runs after {seconds} seconds"
    return process.exitcode


def wait_and_count(process):
    """The exit status, and the CPU seconds of the process and its children."""
    used = 0.0
    while process.exitcode is None:
        used = max(used, cpu_seconds(process.pid))
        time.sleep(0.02)
    return process.exitcode, used


def cpu_seconds(number):
    """What a process and its children have used."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
    except OSError:
        return 0.0
    own = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return own + sum(map(cpu_seconds, children))


def _run(script, arguments, log):
    screen = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(screen, 1)
    os.dup2(screen, 2)
    path = str(REPOSITORY / "experiments" / f"{script}.py")
    sys.argv = [path, *arguments]
    sys.modules.pop("__mp_main__", None)
    runpy.run_path(path, run_name="__main__")
