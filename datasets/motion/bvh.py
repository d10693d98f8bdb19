"""Reads Biovision hierarchy files (BVH): a skeleton, and a row of channels per frame.

Angles are degrees; a joint turns in the order of its channels, R = R1 R2 R3. Programs differ in
units, axes, names and in the pose at zero angles; `datasets.motion.retargeting` handles that.
Position channels of the root replace its offset, those of other joints are added to theirs, as in
Blender; joints whose distance to the parent changes are rejected.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from datasets.motion.skeleton_motion import SkeletonMotion
from datasets.sources import BadItemError
from smpl_tf import bounds, file_kinds

_PLACES = ("xposition", "yposition", "zposition")
_TURNS = ("xrotation", "yrotation", "zrotation")
MOST_JOINTS = 1000  # an animated character with a face has a few hundred


def read_bvh(path: Path) -> SkeletonMotion:
    """Reads a motion.

    Args:
      path: of the file.

    Returns:
      The motion, without end sites.

    Raises:
      BadItemError: it is not a BVH file, or damaged; the message says where.
    """
    content = file_kinds.read_bytes(path, bounds.MOST_CSV_BYTES)
    head, found, table = content.decode("latin-1").partition("MOTION")
    words = iter(head.split())
    if next(words, "").upper() != "HIERARCHY" or not found:
        raise BadItemError("expected a BVH file: HIERARCHY, then MOTION")
    names, parents, offsets, channels = _hierarchy(words)
    values, frame_time = _table(table, sum(map(len, channels)))
    count = len(names)
    rotations = np.tile(np.eye(3), (len(values), count, 1, 1))
    places = np.tile(offsets[0], (len(values), 1))
    column = 0
    for joint, own in enumerate(channels):
        turns = [name for name in own if name in _TURNS]
        columns = {name: values[:, column + i] for i, name in enumerate(own)}
        column += len(own)
        if turns:
            # Upper case: about the rotated axes (intrinsic).
            order = "".join(name[0] for name in turns).upper()
            angles = np.stack([columns[name] for name in turns], -1)
            turned = Rotation.from_euler(order, angles, degrees=True)
            rotations[:, joint] = turned.as_matrix().reshape(-1, 3, 3)
        moved = [name for name in own if name in _PLACES]
        if moved and joint == 0:
            for name in moved:
                places[:, _PLACES.index(name)] = columns[name]
        elif moved and any(np.ptp(columns[name]) > 1e-3 for name in moved):
            raise BadItemError(f"its joint {names[joint]} changes its distance to its parent")
        elif moved:
            for name in moved:
                offsets[joint, _PLACES.index(name)] = columns[name][0]
    return SkeletonMotion(
        tuple(names), tuple(parents), offsets, rotations, places, 1.0 / frame_time
    )


def _hierarchy(words: Iterator[str]) -> tuple[list[str], list[int], np.ndarray, list[list[str]]]:
    """Returns names, parents, offsets and channels of the joints, in the file's order."""
    names: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[list[str]] = []
    above: list[int | None] = []  # the joints whose braces are open; None: an end site
    latest: int | None = None
    for word in words:
        key = word.upper()
        if key in ("ROOT", "JOINT"):
            if (key == "ROOT") != (not names):
                raise BadItemError("expected one ROOT; files of several people are not supported")
            names.append(_next(words))
            parents.append(next((one for one in reversed(above) if one is not None), -1))
            offsets.append([0.0, 0.0, 0.0])
            channels.append([])
            latest = len(names) - 1
            if len(names) > MOST_JOINTS:
                raise BadItemError(f"more than {MOST_JOINTS} joints")
        elif key == "END":
            _next(words)  # Site
            latest = None
        elif key == "{":
            above.append(latest)
        elif key == "}":
            if not above:
                raise BadItemError("a closing brace has no opening brace")
            above.pop()
        elif key == "OFFSET":
            offset = [_number(_next(words)) for _ in range(3)]
            if above and above[-1] is not None:
                offsets[above[-1]] = offset
        elif key == "CHANNELS":
            own = [_next(words).lower() for _ in range(int(_number(_next(words))))]
            wrong = [name for name in own if name not in (*_PLACES, *_TURNS)]
            if wrong or len(set(own)) < len(own) or not above or above[-1] is None:
                raise BadItemError(f"unknown channels: {' '.join(own)[:60]}")
            channels[above[-1]] = own
        else:
            raise BadItemError(f"an unknown word in its hierarchy: {word[:40]!r}")
    if above or not names:
        raise BadItemError("its hierarchy ends before all braces are closed")
    return names, parents, np.array(offsets), channels


def _table(text: str, columns: int) -> tuple[np.ndarray, float]:
    """The channels `[T, C]`, and seconds per frame."""
    head, found, rows = text.partition("Time:")
    if not found or "Frames:" not in head:
        raise BadItemError("expected Frames: and Frame Time: after MOTION")
    count = int(_number(head.split("Frames:")[1].split()[0]))
    first, _, rows = rows.lstrip().partition("\n")
    frame_time = _number(first.strip())
    try:
        values = np.array(rows.split(), np.float64)
    except ValueError as error:
        raise BadItemError(f"its frames contain something other than numbers ({error})") from error
    if not 1e-4 < frame_time < 10 or count < 1:
        raise BadItemError(f"{count} frames of {frame_time} s")
    if values.size != count * columns or not np.isfinite(values).all():
        raise BadItemError(
            f"expected {count} frames of {columns} numbers, got {values.size} numbers; truncated?"
        )
    return values.reshape(count, columns), frame_time


def _next(words: Iterator[str]) -> str:
    try:
        return next(words)
    except StopIteration:
        raise BadItemError("its hierarchy ends too early") from None


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise BadItemError(f"expected a number, got {text[:40]!r}") from None
    if not abs(value) < 1e6:
        raise BadItemError(f"expected a number of reasonable size, got {text[:40]!r}")
    return value
