"""Reads untrusted JSON files, in UTF-8 with or without a byte order mark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from smpl_tf import bounds, file_kinds, text_files
from smpl_tf.errors import one_line


class JSONFileError(ValueError):
    """A file is not JSON, or too large; the one-line message names it."""


def read(path: str | Path, most_bytes: int = bounds.MOST_SIDE_FILE_BYTES) -> Any:
    """Reads a JSON file.

    Args:
      path: the file.
      most_bytes: that it may have.

    Returns:
      What it holds.

    Raises:
      JSONFileError: it is not JSON, too large, or nested deeper than MOST_DEPTH.
      OSError: it does not exist.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise JSONFileError(f"{path}: expected a JSON file, got a folder or device")
    try:
        return parse(file_kinds.read_bytes(path, most_bytes), most_bytes)
    except ValueError as error:
        raise JSONFileError(f"{path}: {error}") from None


def parse(content: bytes | str, most_bytes: int = bounds.MOST_SIDE_FILE_BYTES) -> Any:
    """Reads JSON.

    Args:
      content: the text, or bytes that `text_files.decode` can read.
      most_bytes: that it may have.

    Returns:
      What it holds.

    Raises:
      ValueError: it is not JSON, too large, or nested deeper than MOST_DEPTH.
    """
    bounds.check(len(content), most_bytes, "bytes")
    try:
        value = json.loads(text_files.decode(content) if isinstance(content, bytes) else content)
    except RecursionError:
        raise bounds.TooLargeError(f"is nested deeper than {bounds.MOST_DEPTH} levels") from None
    except ValueError as error:
        raise ValueError(f"not JSON, or truncated ({one_line(error)[:200]})") from None
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    """Rejects deeper nesting than any file of ours has: recursive readers would fail on it."""
    level, depth = [value], 0
    while level := [one for one in level if isinstance(one, list | dict)]:
        depth += 1
        bounds.check(depth, bounds.MOST_DEPTH, "levels")
        level = [
            inner for one in level for inner in (one.values() if isinstance(one, dict) else one)
        ]
