"""Files that are written aside and renamed: what has its final name is whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ASIDE = ".aside-"
"""How the names of unfinished files begin."""


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Gives a path to write to, and renames it to `path` when the block has ended well.

    Args:
      path: the final name; its folder is made.

    Yields:
      A path in the same folder and with the same ending.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{ASIDE}{os.getpid()}-{path.name}")
    try:
        yield aside
        _synchronise(aside)
        os.replace(aside, path)
        _synchronise(path.parent)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def folder_aside(folder: Path) -> Iterator[Path]:
    """Gives a folder to write to, which takes the place of `folder` when the block ends well.

    Args:
      folder: the final name; what it holds is replaced.

    Yields:
      An empty folder next to it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = folder.with_name(f"{ASIDE}{os.getpid()}-{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        yield aside
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


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
        aside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file aside and renames it.

    Args:
      path: the final name.
      value: what `json` can write; NaN is not allowed.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
