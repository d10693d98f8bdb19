"""Finds the inputs that the user names: pictures, videos and cameras."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.runs.common import UserError
from smpl_tf import file_kinds, pictures
from smpl_tf.errors import one_line

_LONGEST_NAME = 250  # bytes; file systems allow 255
_NAMED = 5  # skipped files that are listed
VIDEO_ENDINGS = (
    ".avi",
    ".m4v",
    ".mkv",
    ".mov",
    ".mp4",
    ".mpeg",
    ".mpg",
    ".webm",
    ".wmv",
    ".ts",
    ".m2ts",
    ".mts",
    ".flv",
    ".ogv",
    ".3gp",
)


class Input(NamedTuple):
    """One picture, video or camera.

    Attributes:
      name: of its folder in the output; unique.
      path: the file; for a camera, its number as text.
      kind: "picture", "video" or "camera".
    """

    name: str
    path: Path
    kind: str


def find(named: Sequence[str]) -> tuple[list[Input], list[str]]:
    """Finds the inputs that the user named.

    Args:
      named: files, folders, patterns such as `photos/*.jpg`, and camera numbers; each entry may be
        a comma-separated list.

    Returns:
      The inputs without duplicates, and one line for each name without inputs.
    """
    found: dict[Path, None] = {}
    failures = []
    for name in _separated(named):
        try:
            found.update(dict.fromkeys(_paths(name)))
        except (UserError, OSError, ValueError) as error:
            failures.append(one_line(error))
    inputs = []
    taken = {"index.html"}  # the page
    for path in found:
        kind = _kind(path)
        name = f"camera_{path}" if kind == "camera" else path.name
        # The same name in two folders: prefixed with the folder's name.
        parents = iter(Path(os.path.abspath(path)).parent.parts[:0:-1])
        while name in taken:
            name = _short(f"{next(parents, '_')}_{name}")
        taken.add(name)
        inputs.append(Input(name, path, kind))
    return inputs, failures


def passed_over(named: Sequence[str]) -> list[str]:
    """Counts the files in the named folders that are not pictures or videos.

    Args:
      named: see `find`.

    Returns:
      One line for each folder with such files.
    """
    lines = []
    for name in _separated(named):
        if not file_kinds.is_folder(Path(name)):
            continue
        others = [path for path in sorted(Path(name).iterdir()) if not _is_input(path)]
        others = [path for path in others if not path.name.startswith(".aside-")]
        if others:
            shown = ", ".join(path.name for path in others[:_NAMED])
            more = f" and {len(others) - _NAMED} more" if others[_NAMED:] else ""
            lines.append(
                f"{name}: skipped {len(others)} that are not pictures or videos: {shown}{more}"
            )
    return lines


def _short(name: str) -> str:
    """Shortens a name to the file system's limit."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= _LONGEST_NAME else os.fsdecode(encoded[-_LONGEST_NAME:])


def _separated(named: Sequence[str]) -> Iterator[str]:
    for text in named:
        if os.path.lexists(text):  # file names may contain commas
            yield text
        else:
            yield from filter(None, (part.strip() for part in text.split(",")))


def _paths(name: str) -> Iterable[Path]:
    path = Path(name)
    if file_kinds.is_folder(path):
        inside = [p for p in sorted(path.iterdir()) if _is_input(p)]
        if not inside:
            raise UserError(
                f"{path}: no pictures or videos here; expected files such as .jpg, .png and .mp4"
            )
        return inside
    if os.path.lexists(path) or name.isdecimal():
        return [path]  # it is checked when it is processed
    matches = _matches(path)
    if not matches:
        raise UserError(
            f"{path}: no such file or folder; give pictures, videos, folders or patterns with "
            "--images"
        )
    return [p for p in matches if not file_kinds.is_folder(p)]


def _matches(pattern: Path) -> list[Path]:
    """Returns what a pattern matches; `**` follows no links, since two loops would never end."""
    fixed = list(itertools.takewhile(lambda part: not glob.has_magic(part), pattern.parts))
    rest = pattern.parts[len(fixed) :]
    if not rest:
        return []
    if rest[-1] == "**":
        rest = (*rest, "*")
    folder = Path(*fixed)
    found = set(folder.glob("/".join(rest)))
    if not any(part.startswith(".") for part in rest):  # as in a shell
        hidden = {p for p in found if any(o.startswith(".") for o in p.relative_to(folder).parts)}
        found -= hidden
    return sorted(found)


def _is_input(path: Path) -> bool:
    """Whether a file in a folder is an input: by its extension, or by its first bytes."""
    if path.name.startswith("._") or file_kinds.is_folder(path):  # macOS' metadata of a file
        return False
    if path.suffix.lower() in (*pictures.ENDINGS, *VIDEO_ENDINGS):
        return True
    try:
        head = file_kinds.head_of(path)
    except OSError:
        return False
    if file_kinds.picture_kind(head) is not None:
        return not path.name.startswith(".")
    return file_kinds.is_video(head)


def _kind(path: Path) -> str:
    """Returns the kind by content; by extension if the file is unreadable or unknown."""
    if str(path).isdecimal() and not os.path.lexists(path):
        return "camera"
    by_ending = "video" if path.suffix.lower() in VIDEO_ENDINGS else "picture"
    try:
        head = file_kinds.head_of(path)
    except OSError:
        return by_ending
    if file_kinds.picture_kind(head) is not None:
        return "picture"
    return "video" if file_kinds.is_video(head) else by_ending
