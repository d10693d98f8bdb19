"""Reads Acclaim's motion capture (ASF and AMC), as CMU distributes its database.

An ASF file has the bones of a person: direction, length, and rotation axes; an AMC file has the
angles of each frame. A bone rotates about its start, which is a joint here. The file defines the
unit of length (`length 0.45` of CMU: inches / 0.45).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from datasets.motion.bvh import MOST_JOINTS
from datasets.motion.skeleton_motion import SkeletonMotion
from datasets.sources import BadItemError
from smpl_tf import bounds, file_kinds

FRAME_RATE = 120.0  # of CMU's database; AMC files do not contain it


def read_acclaim(asf: Path, amc: Path) -> SkeletonMotion:
    """Reads a motion.

    Args:
      asf: the person's file.
      amc: the motion's.

    Returns:
      The motion.

    Raises:
      BadItemError: a file is damaged, or the two do not belong together.
    """
    bones, parents, root = _skeleton(_lines(asf))
    names = ["root", *bones]
    frames = list(_frames(_lines(amc)))
    if not frames:
        raise BadItemError("it has no frame")
    count = len(names)
    offsets = np.zeros((count, 3))
    for joint in range(1, count):
        above = names[parents[joint]]
        if above != "root":
            offsets[joint] = bones[above]["direction"] * bones[above]["length"]
    rotations = np.tile(np.eye(3), (len(frames), count, 1, 1))
    places = np.zeros((len(frames), 3))
    values = np.array([_row(frame, "root", len(root)) for frame in frames])
    turns = [i for i, name in enumerate(root) if name.startswith("r")]
    rotations[:, 0] = _turned([root[i] for i in turns], values[:, turns])
    for i, name in enumerate(root):
        if name.startswith("t"):
            places[:, "xyz".index(name[1])] = values[:, i]
    for joint, (name, bone) in enumerate(bones.items(), 1):
        if bone["dof"]:
            values = np.array([_row(frame, name, len(bone["dof"])) for frame in frames])
            # The angles are about the bone's own axes, which are given in the person's axes.
            own = bone["axis"]
            rotations[:, joint] = own @ _turned(bone["dof"], values) @ own.T
    return SkeletonMotion(tuple(names), tuple(parents), offsets, rotations, places, FRAME_RATE)


def _turned(channels: list[str], degrees: np.ndarray) -> np.ndarray:
    """Rotations `[T, 3, 3]` about fixed axes, the first channel first."""
    order = "".join(name[1] for name in channels)
    return Rotation.from_euler(order, degrees, degrees=True).as_matrix().reshape(-1, 3, 3)


def _lines(path: Path) -> list[list[str]]:
    content = file_kinds.read_bytes(path, bounds.MOST_CSV_BYTES)
    lines = content.decode("latin-1").splitlines()
    return [words for line in lines if (words := line.split("#")[0].split())]


def _skeleton(lines: list[list[str]]) -> tuple[dict[str, dict[str, Any]], list[int], list[str]]:
    """The bones by name, the parents of root and bones, and the root's channels."""
    section = ""
    bones: dict[str, dict[str, Any]] = {}
    above: dict[str, str] = {}
    root: list[str] = []
    bone: dict[str, Any] = {}
    try:
        for first, *rest in lines:
            if first.startswith(":"):
                section = first
            elif section == ":units" and first == "angle" and rest != ["deg"]:
                raise BadItemError(f"expected angles in degrees, got {rest[0]!r}")
            elif section == ":root" and first == "order":
                root = [word.lower() for word in rest]
            elif section == ":bonedata" and first == "begin":
                bone = {"dof": [], "axis": np.eye(3)}
            elif section == ":bonedata" and first == "end":
                bones[bone["name"]] = bone
            elif section == ":bonedata" and first == "name":
                bone["name"] = rest[0]
            elif section == ":bonedata" and first == "direction":
                bone["direction"] = np.array(rest[:3], np.float64)
            elif section == ":bonedata" and first == "length":
                bone["length"] = float(rest[0])
            elif section == ":bonedata" and first == "axis":
                angles = np.array([rest[:3]], np.float64)
                bone["axis"] = _turned([f"r{axis.lower()}" for axis in rest[3]], angles)[0]
            elif section == ":bonedata" and first == "dof":
                bone["dof"] = [word.lower() for word in rest if word.lower() != "l"]
            elif section == ":hierarchy" and first not in ("begin", "end"):
                above |= {child: first for child in rest}
        order = _parents_first(above)
        names = ["root", *order]
        if len(names) > MOST_JOINTS or not order:
            raise BadItemError(f"expected 1 to {MOST_JOINTS} bones, got {len(order)}")
        sound = all(
            np.isfinite([*bones[name]["direction"], bones[name]["length"]]).all()
            and set(bones[name]["dof"]) <= {"rx", "ry", "rz"}
            for name in order
        )
        if not sound or not {"tx", "ty", "tz", "rx", "ry", "rz"} >= set(root) or len(root) < 3:
            raise BadItemError("a bone or the root has unknown channels")
        parents = [-1, *(names.index(above[name]) for name in order)]
        return {name: bones[name] for name in order}, parents, root
    except (KeyError, ValueError, IndexError) as error:
        raise BadItemError(f"damaged ASF file ({type(error).__name__}: {error})") from error


def _parents_first(above: dict[str, str]) -> list[str]:
    order = ["root"]
    for name in order:
        order += [child for child, parent in above.items() if parent == name]
        if len(order) > len(above) + 1:
            raise BadItemError("a bone is its own ancestor")
    return order[1:]


def _frames(lines: list[list[str]]) -> Iterator[dict[str, list[str]]]:
    frame: dict[str, list[str]] = {}
    for first, *rest in lines:
        if first.isdigit() and not rest:
            if frame:
                yield frame
            frame = {}
        elif first.startswith(":"):
            if first.upper() == ":RADIANS":
                raise BadItemError("its angles are in radians; expected degrees")
        else:
            frame[first] = rest
    if frame:
        yield frame


def _row(frame: dict[str, list[str]], name: str, count: int) -> list[float]:
    words = frame.get(name, [])
    if len(words) != count:
        raise BadItemError(f"expected {count} numbers of {name}, got {len(words)}; truncated?")
    try:
        return [float(word) for word in words]
    except ValueError as error:
        raise BadItemError(f"expected numbers of {name} ({error})") from error
