"""How far to trust a body that was fitted to found points, when nobody knows the truth.

Three witnesses, none of which needs the truth: how visible the finder says the joints are, how far
the body misses the points, and how well its outline covers the finder's mask. Visibility becomes a
distance by the error model that the network was trained with (`nbf.proxy_corruption`), so both
distances are lengths at the person's place and add up as independent errors do.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nbf.points_mask import person_frame
from nbf.prediction.fitted_person import FittedPerson, PredictedPerson
from nbf.proxy_corruption import Corruption
from smpl_tf.camera import Camera
from smpl_tf.found_person import FoundPerson
from smpl_tf.parts import PartScheme
from smpl_tf.rasterizer import rasterize
from smpl_tf.skeleton import PHOTOGRAPH_21, SMPL_24

_JOINTS = tuple(
    f"{side}_{joint}"
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
)
_HALF_HEAD = 14.2  # cm, on the open body: the distance from which on PCKh calls a joint wrong
_POOR_OVERLAP = 0.5
_UNSURE = 0.5  # score of a finder
_SIZE = 96  # pixels, longer side of the outlines that are compared


class PointVerdict(NamedTuple):
    """How far to trust a body that was fitted to found points.

    Attributes:
      expected_cm: mean distance of the limbs' joints from the true ones to expect, across the
        view, at the person's distance, if the finder errs as the training assumed. On photographs
        it errs more: the number ranks people, it is no promise.
      missed_cm: mean distance of the body's joints from the found ones, by their visibility.
      overlap: intersection over union of the body's outline and the finder's mask inside of the
        picture; None without a mask.
      score: of the finder: how sure it is of the person.
    """

    expected_cm: float
    missed_cm: float
    overlap: float | None
    score: float

    @property
    def reasons(self) -> list[str]:
        """Why the body is not to be trusted, in words; empty if nothing speaks against it."""
        reasons = []
        if self.score < _UNSURE:
            reasons.append("the finder is unsure of this person")
        if self.expected_cm > _HALF_HEAD:
            reasons.append("joints are probably more than half a head off")
        if self.overlap is not None and self.overlap < _POOR_OVERLAP:
            reasons.append("the body does not cover the person's outline")
        return reasons

    def __str__(self) -> str:
        """The verdict in words."""
        words = [
            f"joints {self.expected_cm:.0f} cm off if the finder errs as in training",
            f"found points missed by {self.missed_cm:.0f} cm",
        ]
        if self.overlap is not None:
            words.append(f"covers the outline by {100 * self.overlap:.0f} %")
        return ", ".join(words)

    def record(self, scheme: PartScheme | None = None) -> dict:
        """The verdict as JSON values; there are no parts, so the scheme is not read."""
        del scheme
        return {
            "expected_error_2d_cm": round(self.expected_cm, 2),
            "missed_points_cm": round(self.missed_cm, 2),
            "outline_iou": None if self.overlap is None else round(self.overlap, 4),
            "finder_score": round(self.score, 4),
            "doubtful": self.reasons,
        }


def judge(predicted: PredictedPerson, found: FoundPerson) -> PointVerdict:
    """Says how far to trust a fitted body.

    Args:
      predicted: the person, as they will be shown: refined, if they were refined.
      found: what the finder said of them, with its mask if it has one.

    Returns:
      The verdict.
    """
    person = predicted.person
    seen = found.in_skeleton(PHOTOGRAPH_21)
    known = np.isfinite(seen.points_2d).all(-1)
    points = np.where(known[:, None], seen.points_2d, 0)
    visibility = np.where(known, seen.visibility, 0)
    joints = person.joints_3d
    focal = float(np.asarray(person.camera.intrinsics)[0, 0])
    centimetres = 100 * max(float(joints[0, 2]), 0.1) / focal  # of a pixel, at the pelvis

    here, there = PHOTOGRAPH_21.indices(_JOINTS), SMPL_24.indices(_JOINTS)
    trust = visibility[here]
    missed = centimetres * np.linalg.norm(points[here] - person.joints_2d[there], axis=-1)
    missed = np.where(trust > 0, missed, 0)
    model = Corruption()
    spread = centimetres * float(person_frame(points, visibility).spread)
    finder = spread * (model.deviation + model.deviation_unseen * (1 - trust))
    mean_missed = float((trust * missed).sum() / max(trust.sum(), 1e-6))
    return PointVerdict(
        expected_cm=float(np.hypot(missed, finder).mean()),
        missed_cm=mean_missed,
        overlap=None if found.mask is None else outline_iou(person, found.mask),
        score=float(found.score),
    )


def outline_iou(person: FittedPerson, mask: np.ndarray) -> float | None:
    """Compares a body's outline with a mask, as far as the picture goes.

    Args:
      person: the body.
      mask: `[H, W]` uint8, 0 to 255, of the person's picture.

    Returns:
      Intersection over union; None where neither shows anybody.
    """
    height, width = mask.shape
    rows, columns = np.nonzero(mask > 127)
    corners = person.camera.project(person.vertices()).numpy()
    low, high = corners.min(0), corners.max(0)
    if len(rows):
        low = np.minimum(low, [columns.min(), rows.min()])
        high = np.maximum(high, [columns.max() + 1, rows.max() + 1])
    low = np.floor(low.clip(0, [width, height])).astype(int)
    high = np.ceil(high.clip(0, [width, height])).astype(int)
    extent = high - low
    if (extent <= 0).any():
        return None
    size = np.maximum(np.round(extent * min(1.0, _SIZE / extent.max())).astype(int), 1)
    camera = Camera(np.asarray(person.camera.intrinsics), width, height)
    camera = camera.crop(*low, *extent).resize(*size)
    drawn = rasterize(person.vertices(), person.body.faces, camera).mask
    at = [
        low[axis] + ((np.arange(size[axis]) + 0.5) * extent[axis] / size[axis]).astype(int)
        for axis in (0, 1)
    ]
    true = mask[np.ix_(at[1], at[0])] > 127
    either = (drawn | true).sum()
    return float((drawn & true).sum() / either) if either else None
