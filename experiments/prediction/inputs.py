"""What is to be looked at: pictures, videos and cameras, found from what the user names."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.runs.common import UserError
from smpl_tf import pictures

VIDEO_ENDINGS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")


class Input(NamedTuple):
    """One picture, video or camera.

    Attributes:
      name: of its folder in the output; no other input has it.
      path: the file; of a camera, its number as text.
      kind: "picture", "video" or "camera".
    """

    name: str
    path: Path
    kind: str


def find(named: Sequence[str]) -> tuple[list[Input], list[str]]:
    """Finds the inputs that the user named.

    Args:
      named: files, folders, patterns such as `photos/*.jpg`, and numbers of cameras. Each may be
        several, separated by commas.

    Returns:
      The inputs, each once, and one line for each name that leads to none.
    """
    found: dict[Path, str] = {}
    failures = []
    for name in _separated(named):
        try:
            found.update(dict.fromkeys(_paths(name)))
        except UserError as error:
            failures.append(str(error))
    inputs = []
    taken: set[str] = set()
    for path in found:
        kind = _kind(path)
        name = f"camera_{path}" if kind == "camera" else path.name
        # The same name in two folders: the folder's name goes before it.
        parents = iter(path.resolve().parent.parts[:0:-1])
        while name in taken:
            name = f"{next(parents, '_')}_{name}"
        taken.add(name)
        inputs.append(Input(name, path, kind))
    return inputs, failures


def _separated(named: Sequence[str]) -> Iterator[str]:
    for text in named:
        if Path(text).exists():  # commas belong to file names, too
            yield text
        else:
            yield from filter(None, (part.strip() for part in text.split(",")))


def _paths(name: str) -> Iterable[Path]:
    path = Path(name)
    if path.is_dir():
        endings = (*pictures.ENDINGS, *VIDEO_ENDINGS)
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in endings)
        if not inside:
            raise UserError(
                f"{path}: no pictures or videos here; expected files ending in {' '.join(endings)}"
            )
        return inside
    if path.is_file() or name.isdecimal():
        return [path]
    matches = sorted(Path(match) for match in glob.glob(name, recursive=True))
    if not matches:
        raise UserError(
            f"{path}: no such file or folder; give pictures, videos, folders or patterns with "
            "--images"
        )
    return [p for p in matches if p.is_file()]


def _kind(path: Path) -> str:
    if str(path).isdecimal() and not path.exists():
        return "camera"
    return "video" if path.suffix.lower() in VIDEO_ENDINGS else "picture"
