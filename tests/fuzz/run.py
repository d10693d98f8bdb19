"""Throws damaged files at the readers; a program, since a reader may crash or hang.

    python -m tests.fuzz.run FOLDER SEED picture=100 people=100

Writes FOLDER/report.json: for each kind how many files were read, how many refused; errors that
are not ours, each with its seed and a copy of the file; seconds, and peak memory. A file that
takes more than CPU_SECONDS of processor time ends the program with a traceback, and so does one
that waits; FOLDER/current tells which.
"""

import collections
import contextlib
import faulthandler
import json
import random
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path

from tests.fuzz.cases import KINDS

CPU_SECONDS = 20  # for one file
WALL_SECONDS = 300
MEMORY = 1 << 30  # bytes that reading may add
_ADDRESSES = 6 << 30  # bytes that may be asked for beyond those of the start


def peak_bytes() -> int:
    """The largest resident memory of this process so far."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


# What Python says before it starts a process.
_STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn")
_STARTED: list[str] = []


def _watch(event: str, arguments: tuple) -> None:
    if event in _STARTS:
        _STARTED.append(f"{event} {arguments}"[:200])


def _children() -> str:
    """The ids of processes that this one has started, by whatever code."""
    found = []
    for file in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
            found.append(file.read_text())
    return " ".join(found).strip()


def throw(name: str, seed: int, folder: Path) -> tuple[bool, str | None]:
    """Makes one damaged file and reads it.

    Returns:
      Whether it was read, and the traceback if the error was not the reader's own.
    """
    kind = KINDS[name]
    # Strings seed the same numbers in every process.
    path = kind.make(folder, random.Random(f"{name} {seed}"))
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    faulthandler.dump_traceback_later(WALL_SECONDS, exit=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind.read(path)
        return True, None
    except kind.errors as error:
        message = str(error)
        if "\n" in message:
            return False, f"more than one line: {message}"
        return False, None
    except Exception:
        return False, traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()


def main(folder: Path, seed: int, counts: dict[str, int]) -> None:
    """Throws so many files of each kind, and reports."""
    faulthandler.enable()
    # Without a handler of Python's: it would wait for the end of compiled code.
    faulthandler.register(signal.SIGPROF, chain=True)
    report = {"kinds": {}, "failures": []}
    sys.addaudithook(_watch)
    for name in counts:  # loads what is loaded once
        throw(name, -1, _emptied(folder / "work"))
    before = peak_bytes()
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + _ADDRESSES, -1))
    for name, count in counts.items():
        started, ends = time.process_time(), collections.Counter()
        peak = peak_bytes()
        for number in range(seed, seed + count):
            work = _emptied(folder / "work")
            (folder / "current").write_text(f"{name} {number}")
            was_read, failure = throw(name, number, work)
            ends["failed" if failure else "read" if was_read else "refused"] += 1
            if failure is None and (_STARTED or _children()):
                failure = f"started a process: {_STARTED or _children()}"
                _STARTED.clear()
            grown = peak_bytes() - peak
            if failure is None and grown > MEMORY:
                failure = f"took {grown >> 20} MB of memory"
            peak = peak_bytes()
            if failure:
                kept = folder / f"{name}_{number}"
                shutil.copytree(work, kept, dirs_exist_ok=True)
                report["failures"].append(f"{name}, seed {number}, kept in {kept}: {failure}")
        seconds = round(time.process_time() - started, 1)
        report["kinds"][name] = {"count": count, **ends, "cpu_seconds": seconds}
    report["memory_before_mb"] = before >> 20
    report["memory_added_mb"] = (peak_bytes() - before) >> 20
    (folder / "report.json").write_text(json.dumps(report, indent=1))


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        int(sys.argv[2]),
        {name: int(count) for name, count in (one.split("=") for one in sys.argv[3:])},
    )
