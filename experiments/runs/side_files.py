"""Reads untrusted small JSON files next to data and networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.runs.common import UserError
from smpl_tf import json_files
from smpl_tf.errors import one_line


def read(path: Path, kinds: Mapping[str, type | tuple[type, ...]], remedy: str) -> dict[str, Any]:
    """Reads an object from a JSON file.

    Args:
      path: the file.
      kinds: required values, name -> type.
      remedy: what to do if it is damaged or of another version.

    Returns:
      The object.

    Raises:
      UserError: the file has no such object; the one-line message names it.
    """
    try:
        content = json_files.read(path)
        if not isinstance(content, dict):
            raise ValueError(f"expected an object, got a {type(content).__name__}")
        for name, kind in kinds.items():
            if name not in content:
                raise ValueError(f"it has no {name}")
            if not isinstance(content[name], kind) or isinstance(content[name], bool):
                raise ValueError(f"its {name} is a {type(content[name]).__name__}")
    except (ValueError, OSError) as error:
        reason = one_line(error).removeprefix(f"{path}: ")
        raise UserError(f"{path}: damaged or of another version ({reason}); {remedy}") from error
    return content
