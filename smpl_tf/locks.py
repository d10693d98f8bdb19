"""Locks a folder for one process; an error tells the others which process holds it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class InUseError(ValueError):
    """Another process uses the folder; the one-line message says which."""


@contextmanager
def locked(
    folder: Path,
    name: str = ".lock",
    what: str | None = None,
    remedy: str = "choose another folder",
) -> Iterator[None]:
    """Keeps other processes out; the lock ends with the process, however that ends.

    Args:
      folder: created if it does not exist.
      name: of the lock file, which is removed when the block ends.
      what: name of the locked resource for the error message; None: the folder.
      remedy: what the user can do instead of waiting.

    Yields:
      Nothing.

    Raises:
      InUseError: another process has locked it.
      OSError: the folder cannot be written to, or the system has no file locks.
    """
    if fcntl is None:
        raise OSError(
            "this system has no locks for files (fcntl): use Linux, macOS, or on Windows the "
            "Subsystem for Linux (WSL)"
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    while True:
        file = open(path, "a+", encoding="utf-8")
        try:
            # A POSIX record lock, unlike flock, is not kept alive by forked data workers.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            owner = file.read().strip() or "another process"
            file.close()
            raise InUseError(
                f"{what or folder}: in use by {owner}; wait for it, or {remedy}"
            ) from error
        if _is_still(path, file.fileno()):
            break
        file.close()  # its owner ended and removed it between our two calls
    try:
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}")
        file.flush()
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
