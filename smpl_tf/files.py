"""Writes files under a temporary name and renames them: a final name means a complete file."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ASIDE = ".aside-"
"""Prefix of the names of unfinished files; the writing process' number follows."""
MARK = ".made-by-neural-body-fitting"
"""The file that marks a folder as ours, so that it may be replaced."""

_LONGEST_NAME = 120  # bytes of a name that are kept; most file systems allow 255
_LONGEST_ENDING = 12
_WRITTEN_BY = re.compile(rf"{re.escape(ASIDE)}(\d+)-")


class NotOursError(ValueError):
    """The folder or file that would be replaced was not made by this library."""


def aside_of(path: Path) -> Path:
    """Returns the temporary name for a final name.

    Args:
      path: the final name, of any length and encoding.

    Returns:
      A path in the same folder and with the same ending. Its name is always short and ASCII, since
      HDF5, TensorFlow and OpenCV accept no others.
    """
    name = os.fsencode(path.name)
    if len(name) > _LONGEST_NAME or not name.isascii():
        ending = path.suffix if len(path.suffix) <= _LONGEST_ENDING else ""
        name = f"{zlib.crc32(name):08x}{ending if ending.isascii() else ''}".encode()
    return path.with_name(f"{ASIDE}{os.getpid()}-{os.fsdecode(name)}")


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Yields a path to write to, and renames it to `path` when the block ends without an error.

    Args:
      path: the final name; its folder is created.

    Yields:
      A path in the same folder and with the same ending.

    Raises:
      OSError: it cannot be written; of a full disk, with the final name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = aside_of(path)
    try:
        with full_disk_named(path):
            yield aside
            _synchronise(aside)
        os.replace(aside, path)
        _synchronise(path.parent)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def folder_aside(folder: Path) -> Iterator[Path]:
    """Yields a folder to write to, which replaces `folder` when the block ends without an error.

    Args:
      folder: the final name. An existing folder is replaced if this function has made it.

    Yields:
      A folder next to it that contains only our mark.

    Raises:
      NotOursError: the name belongs to something else, which is left unchanged.
      OSError: it cannot be written; of a full disk, with the final name.
    """
    check_replaceable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = aside_of(folder)
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        with full_disk_named(folder):
            (aside / MARK).touch()
            yield aside
        check_replaceable(folder)
        if folder.is_dir():
            # Moved away first, so that a process that is killed here leaves no half-deleted
            # folder.
            old = aside_of(folder.with_name(f"{folder.name[:40]}-old"))
            folder.rename(old)
            aside.rename(folder)
            shutil.rmtree(old, ignore_errors=True)
        else:
            aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def check_replaceable(folder: Path) -> None:
    """Rejects a name that `folder_aside` may not replace.

    Args:
      folder: a final name.

    Raises:
      NotOursError: it is a file or link, or a folder that is not empty and lacks our mark.
    """
    if not os.path.lexists(folder):
        return
    ours = folder.is_dir() and not folder.is_symlink()
    if ours and ((folder / MARK).is_file() or not any(folder.iterdir())):
        return
    raise NotOursError(
        f"{folder}: already exists and was not written by this program, so it is not replaced; "
        "move it away, or choose another output folder"
    )


def remove_leftovers(folder: Path) -> None:
    """Removes the unfinished files of ended processes in a folder and below it.

    Args:
      folder: where to look. Files that cannot be removed stay.
    """
    for place, folders, names in os.walk(folder):
        for name in list(folders):
            if name.startswith(ASIDE):
                folders.remove(name)
                if _is_left_over(path := Path(place, name)):
                    shutil.rmtree(path, ignore_errors=True)
        for name in names:
            if name.startswith(ASIDE) and _is_left_over(path := Path(place, name)):
                try:
                    path.unlink()
                except OSError:
                    pass


def remove_leftovers_of(path: Path) -> None:
    """Removes the unfinished files of ended processes for one final name.

    Args:
      path: the final name.
    """
    ending = aside_of(path).name.split("-", 2)[2]
    if path.absolute().parent.is_dir():
        for other in path.absolute().parent.iterdir():
            if other.name.startswith(ASIDE) and other.name.endswith(f"-{ending}"):
                if _is_left_over(other):
                    shutil.rmtree(other) if other.is_dir() else other.unlink()


def _is_left_over(path: Path) -> bool:
    written_by = _WRITTEN_BY.match(path.name)
    if written_by is None:
        return False
    try:
        return not _ran_at(int(written_by[1]), path.lstat().st_mtime)
    except OSError:
        return False


def _ran_at(process: int, moment: float) -> bool:
    """Whether another process with this number was running then and still is."""
    if process == os.getpid():
        return False  # from an earlier process: this check runs before we write
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # another user's process
    try:  # Linux: process numbers are reused, and in a container they begin with 1
        ticks = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])
        since_boot = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return True
    age = since_boot - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age <= moment + 1


@contextmanager
def full_disk_named(path: Path | str) -> Iterator[None]:
    """Makes the error of a full disk name the file, whichever library raised it."""
    try:
        yield
    except Exception as error:
        words = os.strerror(errno.ENOSPC)
        # HDF5, TensorFlow and zipfile give only the text, without an error number.
        if getattr(error, "errno", None) != errno.ENOSPC and words not in str(error):
            raise
        raise OSError(errno.ENOSPC, words, str(path)) from error


def _synchronise(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Writes a file aside and renames it.

    Args:
      path: the final name.
      content: its content.
    """
    with written_aside(Path(path)) as aside:
        aside.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Writes a text file aside and renames it.

    Args:
      path: the final name.
      text: its content.
    """
    with written_aside(path) as aside:
        # The bytes of a file name that is not UTF-8 (from old archives) are escaped.
        aside.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file aside and renames it.

    Args:
      path: the final name.
      value: anything that `json` can write; NaN is not allowed.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
