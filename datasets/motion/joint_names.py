"""Matches the joints of a skeleton to SMPL's by their usual names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datasets.motion.skeleton_motion import SkeletonMotion
from datasets.sources import BadItemError

# SMPL's name without its side -> other names, the most reliable first. A BVH joint is named after
# the bone that it rotates, so that a "leg" is a knee.
_SIDED = {
    "hip": ("upleg", "upperleg", "thigh", "femur", "hip"),
    "knee": ("lowerleg", "lowleg", "shin", "calf", "tibia", "knee", "leg"),
    "ankle": ("ankle", "foot"),
    "foot": ("toebase", "toe", "toes", "ball", "foot"),
    "collar": ("collar", "clavicle", "shoulder"),
    "shoulder": ("upperarm", "uparm", "humerus", "arm", "shoulder"),
    "elbow": ("lowerarm", "lowarm", "forearm", "radius", "elbow"),
    "wrist": ("wrist", "hand"),
}
_MIDDLE = {"neck": ("neck", "neck1", "lowerneck"), "head": ("head",)}
_MAY_LACK = ("left_foot", "right_foot", "left_collar", "right_collar", "head")
_SIDES = {"left": "left", "l": "left", "right": "right", "r": "right"}
_PREFIX = re.compile(r"^.*[:|]|^(bip\d*|mixamorig\d*|character\d*|skeleton)[ _]?", re.IGNORECASE)


def smpl_joints(motion: SkeletonMotion) -> dict[str, int]:
    """Finds SMPL's joints among those of a skeleton.

    Args:
      motion: of the skeleton.

    Returns:
      SMPL's name -> index. The pelvis is the root; spine joints are not included.

    Raises:
      BadItemError: a necessary joint has no known name.
    """
    sided: dict[tuple[str, str], int] = {}
    middle: dict[str, int] = {}
    for index, name in enumerate(motion.names):
        side, part = _side_and_part(name)
        if side:
            sided.setdefault((side, part), index)
        else:
            middle.setdefault(part, index)
    found = {"pelvis": 0}
    for name, aliases in _MIDDLE.items():
        found |= _first(name, middle, aliases)
    for side in ("left", "right"):
        for name, aliases in _SIDED.items():
            # An arm's "shoulder" is the collarbone if the upper arm has its own name.
            known = {part: index for (own, part), index in sided.items() if own == side}
            used = {index for joint, index in found.items() if joint.startswith(side)}
            free = {part: index for part, index in known.items() if index not in used}
            if name == "collar" and not set(known) & set(_SIDED["shoulder"][:-1]):
                free.pop("shoulder", None)
            found |= _first(f"{side}_{name}", free, aliases)
    wanted = [f"{side}_{name}" for side in ("left", "right") for name in _SIDED]
    missing = [n for n in (*wanted, *_MIDDLE) if n not in found and n not in _MAY_LACK]
    if missing:
        raise BadItemError(
            f"no joint has a known name for {missing[0].replace('_', ' ')}; it has "
            f"{', '.join(motion.names)[:300]}"
        )
    for side in ("left", "right"):
        for chain in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
            _check_chain(motion, [found[f"{side}_{name}"] for name in chain])
    return found


def spine(motion: SkeletonMotion, neck: int) -> list[int]:
    """Returns the joints between the root and the neck, from below."""
    chain = []
    joint = motion.parents[neck]
    while joint > 0:
        chain.append(joint)
        joint = motion.parents[joint]
    return chain[::-1]


def _side_and_part(name: str) -> tuple[str | None, str]:
    """Returns the side, None for the middle, and the part in lower case without punctuation."""
    plain = _PREFIX.sub("", name)
    words = [w.lower() for w in re.findall(r"[A-Z]?[a-z]+\d*|[A-Z]+(?![a-z])\d*", plain)]
    for place in (0, -1):
        if len(words) > 1 and words[place] in _SIDES:
            rest = words[1:] if place == 0 else words[:-1]
            return _SIDES[words[place]], "".join(rest)
    joined = "".join(words)
    known = {alias for aliases in _SIDED.values() for alias in aliases}
    for mark, side in _SIDES.items():  # lfemur, rightupleg
        if joined.startswith(mark) and joined.removeprefix(mark) in known:
            return side, joined.removeprefix(mark)
    return None, joined


def _first(name: str, known: dict[str, int], aliases: Sequence[str]) -> dict[str, int]:
    return next(({name: known[alias]} for alias in aliases if alias in known), {})


def _check_chain(motion: SkeletonMotion, joints: Sequence[int]) -> None:
    """Rejects names that contradict the tree."""
    for above, below in zip(joints[:-1], joints[1:], strict=True):
        joint = motion.parents[below]
        while joint >= 0 and joint != above:
            joint = motion.parents[joint]
        if joint < 0:
            raise BadItemError(
                f"its {motion.names[below]} is not below its {motion.names[above]}: the names "
                "cannot be matched"
            )
