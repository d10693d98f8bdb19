"""Scores of people found in photographs: PCKh, PCK, fraction found, PA-MPJPE.

The joints are the twelve annotated limb joints (LIMB_JOINTS), hidden ones included. A joint is
correct in PCKh@0.5 within half the size of the head, in PCK@0.2 within 0.2 of the torso. For
people who are not found, no joint is correct. People without annotated head and torso are left out
of PCKh, those without torso out of PCK.

Head and torso are lengths between annotated points, pixels:

* torso: left shoulder to right hip, or right shoulder to left hip where one of these is unknown;
* head: neck to head top; where one of these is unknown, half the torso, as on the open body at
  rest (284 and 565 mm).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from smpl_tf import metrics
from smpl_tf.found_person import FoundPerson
from smpl_tf.skeleton import Skeleton

LIMB_PAIRS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
LIMB_JOINTS = Skeleton(
    name="limb joints",
    names=tuple(f"{side}_{pair}" for pair in LIMB_PAIRS for side in ("left", "right")),
)
PCKH_SHARE = 0.5  # of the head
PCK_SHARE = 0.2  # of the torso
_ENDS = Skeleton("torso and head", (*LIMB_JOINTS.names, "lsp_neck", "head_top"))
_HEAD_IN_TORSOS = 0.5
_LEAST_OVERLAP = 0.1  # least IoU of the boxes of an annotated and a found person to match
_MARGIN = 0.1  # around such a box, fraction of its longer side: from the side people are thin
_LEAST_JOINTS_3D = 4  # fewer points can be aligned exactly


class PersonScore(NamedTuple):
    """The result for one annotated person, found or missed.

    Attributes:
      found: whether the person was found.
      distances: `[12]` of LIMB_JOINTS, pixels; infinite if not found, NaN if the truth is unknown.
      head: its size, pixels; NaN if unknown.
      torso: its size, pixels; NaN if unknown.
      pa_mpjpe_mm: error of the joints in 3D after Procrustes alignment; NaN if unknown.
    """

    found: bool
    distances: np.ndarray
    head: float
    torso: float
    pa_mpjpe_mm: float

    @property
    def pckh(self) -> float:
        """Fraction of the joints within half the head's size; NaN if unknown."""
        return _mean(right(self.distances, PCKH_SHARE * self.head))

    @property
    def pck(self) -> float:
        """Fraction of the joints within 0.2 of the torso; NaN if unknown."""
        return _mean(right(self.distances, PCK_SHARE * self.torso))


def torso_size(person: FoundPerson) -> float:
    """Returns the length of the torso in pixels, NaN if unknown."""
    points = person.in_skeleton(_ENDS).points_2d
    for left, right_ in (("left", "right"), ("right", "left")):
        ends = points[_ENDS.indices((f"{left}_shoulder", f"{right_}_hip"))]
        length = float(np.linalg.norm(ends[0] - ends[1]))
        if length > 0:
            return length
    return float("nan")


def head_size(person: FoundPerson) -> float:
    """Returns the length of the head in pixels, half the torso's if unknown, else NaN."""
    ends = person.in_skeleton(_ENDS).points_2d[_ENDS.indices(("lsp_neck", "head_top"))]
    length = float(np.linalg.norm(ends[0] - ends[1]))
    return length if length > 0 else _HEAD_IN_TORSOS * torso_size(person)


def right(distances: np.ndarray, limit: float) -> np.ndarray:
    """Returns whether each joint is near enough to the truth.

    Args:
      distances: `[...]` pixels, infinite if not found, NaN if the truth is unknown.
      limit: pixels, NaN if unknown.

    Returns:
      `[...]` 1 or 0, NaN where the truth or the limit is unknown.
    """
    unknown = np.isnan(distances) | np.isnan(limit)
    return np.where(unknown, np.nan, np.asarray(distances) <= limit)


def largest(people: Sequence[FoundPerson]) -> int | None:
    """Returns the person with the largest box of those with a PCKh; None: nobody has one."""
    areas = [_area(person) if _has_pckh(person) else -1.0 for person in people]
    return int(np.argmax(areas)) if areas and max(areas) >= 0 else None


def match(true: Sequence[FoundPerson], found: Sequence[FoundPerson]) -> list[int | None]:
    """Matches annotated and found people by boxes alone, not by the joints' errors.

    The box of a pair is that of the annotated limb joints, or the annotated box if there are fewer
    than two. Each person is matched at most once, with the largest total overlap; pairs with less
    than 0.1 intersection over union do not count.

    Args:
      true: the annotated people of a picture.
      found: the people found in it.

    Returns:
      For each annotated person the index of the found one, or None.
    """
    pairs: list[int | None] = [None] * len(true)
    overlaps = np.array([[_overlap(one, other) for other in found] for one in true])
    if overlaps.size:
        for i, j in zip(*linear_sum_assignment(-overlaps), strict=True):
            if overlaps[i, j] >= _LEAST_OVERLAP:
                pairs[int(i)] = int(j)
    return pairs


def score(true: FoundPerson, found: FoundPerson | None) -> PersonScore:
    """Scores a found person against the annotated one.

    Args:
      true: the annotated person.
      found: the same person as found; None: missed.

    Returns:
      The score.
    """
    points = true.in_skeleton(LIMB_JOINTS).points_2d
    known = np.isfinite(points).all(-1)
    distances = np.where(known, np.inf, np.nan)
    if found is not None:
        lengths = np.linalg.norm(found.in_skeleton(LIMB_JOINTS).points_2d - points, axis=-1)
        distances = np.where(known & np.isfinite(lengths), lengths, distances)
    return PersonScore(
        found is not None, distances, head_size(true), torso_size(true), _pa_mpjpe_mm(true, found)
    )


def summarise(scores: Sequence[PersonScore]) -> dict[str, float]:
    """Averages over people; PCKh and PCK over all their joints.

    Args:
      scores: of people; those without a PCKh count only in `pa_mpjpe_mm`.

    Returns:
      `people` (with a PCKh), `joints` (of these), `found`, `pckh` and `pck` (fractions),
      `pckh_<joint>` for each joint and each pair, `pa_mpjpe_mm` and its number of people
      `people_3d`. Unknown values are left out.
    """
    counted = [one for one in scores if not np.isnan(one.pckh)]
    summary: dict[str, float] = {"people": len(counted)}
    if counted:
        hits = np.array([right(one.distances, PCKH_SHARE * one.head) for one in counted])
        near = np.array([right(one.distances, PCK_SHARE * one.torso) for one in counted])
        means = {"found": _mean(np.array([one.found for one in counted], float))}
        means |= {"pckh": _mean(hits), "pck": _mean(near)}
        of_pairs = hits.reshape(len(counted), len(LIMB_PAIRS), 2)
        for i, pair in enumerate(LIMB_PAIRS):
            means[f"pckh_{pair}"] = _mean(of_pairs[:, i])
        for i, joint in enumerate(LIMB_JOINTS.names):
            means[f"pckh_{joint}"] = _mean(hits[:, i])
        summary["joints"] = int(np.isfinite(hits).sum())
        summary |= {name: value for name, value in means.items() if not np.isnan(value)}
    errors = [one.pa_mpjpe_mm for one in scores if not np.isnan(one.pa_mpjpe_mm)]
    if errors:
        summary |= {"pa_mpjpe_mm": float(np.mean(errors)), "people_3d": len(errors)}
    return summary


def _area(person: FoundPerson) -> float:
    box = _box(person) if person.box is None else person.box
    return float(np.prod(box[2:] - box[:2]))


def _has_pckh(person: FoundPerson) -> bool:
    return not np.isnan(score(person, None).pckh)


def _mean(values: np.ndarray) -> float:
    """The mean of the known values, NaN if there are none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _pa_mpjpe_mm(true: FoundPerson, found: FoundPerson | None) -> float:
    there = true.in_skeleton(LIMB_JOINTS).points_3d
    here = None if found is None else found.in_skeleton(LIMB_JOINTS).points_3d
    if there is None or here is None:
        return float("nan")
    known = np.isfinite(there).all(-1) & np.isfinite(here).all(-1)
    if known.sum() < _LEAST_JOINTS_3D:
        return float("nan")
    return 1000 * float(metrics.pa_mpjpe(there[known], here[known]))


def _box(person: FoundPerson, joints: np.ndarray | None = None) -> np.ndarray:
    """Returns the box around points `[N, 2]` or limb joints, else the person's; NaN if unknown."""
    points = person.in_skeleton(LIMB_JOINTS).points_2d if joints is None else joints
    points = points[np.isfinite(points).all(-1)]
    if len(points) < 2:
        return np.full(4, np.nan) if person.box is None else person.box
    return np.concatenate([points.min(0), points.max(0)])


def _overlap(true: FoundPerson, found: FoundPerson) -> float:
    """Intersection over union of the boxes around the same joints of both."""
    there = true.in_skeleton(LIMB_JOINTS).points_2d
    here = found.in_skeleton(LIMB_JOINTS).points_2d
    if np.isfinite(there).all(-1).sum() >= 2:
        here = np.where(np.isfinite(there), here, np.nan)
    boxes = [_padded(_box(true)), _padded(_box(found, here))]
    low = np.maximum(boxes[0][:2], boxes[1][:2])
    high = np.minimum(boxes[0][2:], boxes[1][2:])
    shared = np.prod((high - low).clip(0))
    areas = [np.prod(box[2:] - box[:2]) for box in boxes]
    overlap = float(shared / (sum(areas) - shared)) if sum(areas) > 0 else 0.0
    return overlap if np.isfinite(overlap) else 0.0


def _padded(box: np.ndarray) -> np.ndarray:
    margin = _MARGIN * float((box[2:] - box[:2]).max())
    return box + margin * np.array([-1, -1, 1, 1])
