"""The page of `evaluate_photos.py`: the best, median and worst people with all methods."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from datasets.photographs.scores import LIMB_JOINTS, LIMB_PAIRS, PCKH_SHARE
from experiments.pages import report
from experiments.prediction import files as prediction_files
from experiments.prediction.photo_methods import MethodPerson
from experiments.prediction.photo_scores import Evaluation, ScoredPerson, table
from nbf.prediction.windows import Window
from smpl_tf import pictures
from smpl_tf.found_person import FoundPerson

PEOPLE_PER_GROUP = 4
_SIZE = 320  # pixels of a picture
_MARGIN = 0.35  # margin around a person, fraction of the longer side of the box
_TRUE, _FOUND = (60, 200, 90), (255, 140, 30)  # RGB
_ARM, _LEG = LIMB_PAIRS[:3], LIMB_PAIRS[3:]
_BONES = [
    (f"{side}_{start}", f"{side}_{end}")
    for side in ("left", "right")
    for limb in (_ARM, _LEG, ("shoulder", "hip"))
    for start, end in zip(limb[:-1], limb[1:], strict=True)
] + [("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")]


def choose(evaluation: Evaluation, method: str) -> dict[str, list[ScoredPerson]]:
    """Picks the best, median and worst people of a method, never by appearance.

    Args:
      evaluation: all people.
      method: its scores decide: PCKh, then the mean distance of the detected joints.

    Returns:
      Heading -> people, without duplicates.
    """
    people = [one for one in evaluation.people if not np.isnan(one.scores[method].pckh)]
    people.sort(key=lambda one: _rank(one, method))
    count = min(PEOPLE_PER_GROUP, -(-len(people) // 3))
    best, rest = people[:count], people[count:]
    worst, middle = rest[-count:], rest[:-count]
    first = (len(middle) - count + 1) // 2
    chosen = {
        f"Best by {method}": best,
        f"Median by {method}": middle[max(first, 0) : max(first, 0) + count],
        f"Worst by {method}": worst[::-1],
    }
    return {heading: people for heading, people in chosen.items() if people}


def make_page(evaluation: Evaluation, title: str, lead: str) -> report.Page:
    """Makes the page.

    Args:
      evaluation: from `photo_scores.evaluate`.
      title: of the page.
      lead: summary.

    Returns:
      The page, with its pictures.
    """
    method = next(iter(evaluation.cpu_seconds))
    groups = [
        report.Group(heading, [_person(one) for one in people])
        for heading, people in choose(evaluation, method).items()
    ]
    return report.Page(
        title=title,
        lead=lead,
        table=table(evaluation),
        groups=groups,
        failures=evaluation.failures,
        details=[("dots", "annotated joints"), ("lines", "joints of the method")],
    )


def _rank(one: ScoredPerson, method: str) -> tuple[float, float, str]:
    score = one.scores[method]
    near = score.distances[np.isfinite(score.distances)]
    distance = float(near.mean() / score.head) if near.size else np.inf
    return -score.pckh, distance, str(one.picture)


def _person(one: ScoredPerson) -> report.Person:
    pixels = pictures.read(one.picture).pixels
    shown = []
    for name, found in one.found.items():
        right = "not found" if found is None else f"{one.scores[name].pckh:.0%}"
        shown.append(report.picture(f"{name}: {right}", draw(pixels, one.true, found)))
    limit = PCKH_SHARE * next(iter(one.scores.values())).head
    return report.Person(f"{one.picture.name}, right within {limit:.0f} pixels", shown)


def draw(pixels: np.ndarray, true: FoundPerson, found: MethodPerson | None) -> np.ndarray:
    """Draws a person's annotated joints as dots, and the prediction as body and lines.

    Args:
      pixels: `[H, W, 3]` uint8 RGB, the whole picture.
      true: the annotated person.
      found: the prediction; None: missed.

    Returns:
      `[S, S, 3]` uint8, the person's square of the picture.
    """
    joints = true.in_skeleton(LIMB_JOINTS).points_2d
    known = true.points_2d[np.isfinite(true.points_2d).all(-1)]
    low, high = known.min(0), known.max(0)
    side = float((1 + 2 * _MARGIN) * max((high - low).max(), 1))
    window = Window(*((low + high - side) / 2), side)
    if found is not None and found.body is not None:
        pixels = prediction_files.body_over(pixels, found.body)
    picture = np.ascontiguousarray(window.cut(pixels, _SIZE))
    if found is not None:
        points = _places(found.points.in_skeleton(LIMB_JOINTS).points_2d, window)
        for bone in _BONES:
            start, end = (points[i] for i in LIMB_JOINTS.indices(bone))
            if start is not None and end is not None:
                cv2.line(picture, start, end, _FOUND, 2, cv2.LINE_AA)
    for place in _places(joints, window):
        if place is not None:
            cv2.circle(picture, place, 4, _TRUE, -1, cv2.LINE_AA)
    return picture


def _places(points: np.ndarray, window: Window) -> Sequence[tuple[int, int] | None]:
    """Converts points `[N, 2]` of the picture to whole pixels of the square; None: unknown."""
    scaled = (points - np.array(window[:2])) * _SIZE / window.side
    inside = np.abs(np.nan_to_num(scaled, nan=np.inf)).max(-1) < 10 * _SIZE
    return [
        (round(float(x)), round(float(y))) if ok else None
        for (x, y), ok in zip(scaled, inside, strict=True)
    ]
