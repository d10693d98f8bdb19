"""Estimates how reliable a body fitted to detected points is when the true body is unknown.

Four kinds of evidence: how far several results of the detector lie apart, the visibility of the
joints according to it, the distance between the body and the points, and the overlap of the body's
outline with the detector's mask. The error model of the training (`nbf.proxy_corruption`) converts
visibility to a distance, so the first three are lengths at the person's depth and add like
independent errors.
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
_HALF_HEAD = 14.2  # cm, on the open body: PCKh counts a joint as wrong from this distance
_LIMBS = {
    f"{side} {limb}": (f"{side}_{upper}", f"{side}_{lower}")
    for limb, upper, lower in (("arm", "elbow", "wrist"), ("leg", "knee", "ankle"))
    for side in ("left", "right")
}
_UNSEEN = 0.1  # visibility: the detector says that a point is outside its square
_POOR_OVERLAP = 0.5
# Error of a point over the distance between the detector's results: on 119 rendered people, those
# 0.1 to 0.4 heads apart are 0.28 to 0.61 heads off.
_ERROR_PER_DEVIATION = 2.0
_UNSURE = 0.5  # score of a detector
_SIZE = 96  # pixels, longer side of the compared outlines


class PointVerdict(NamedTuple):
    """How reliable a body is that was fitted to detected points.

    Attributes:
      expected_cm: expected mean error of the limbs' joints, perpendicular to the view. On
        photographs the errors are larger: use the number to rank people, not as an error bound.
      missed_cm: mean distance of the body's joints from the detected ones, weighted by visibility.
      overlap: intersection over union of the body's outline and the detector's mask inside the
        picture; None without a mask.
      score: the detector's confidence in the person.
      guessed: the arms and legs that are outside the picture, or unknown to the detector.
    """

    expected_cm: float
    missed_cm: float
    overlap: float | None
    score: float
    guessed: tuple[str, ...] = ()

    @property
    def reasons(self) -> list[str]:
        """Reasons why the body may be wrong, in words; empty if there are none."""
        reasons = []
        if self.score < _UNSURE:
            reasons.append("the detector is unsure of this person")
        if self.expected_cm > _HALF_HEAD:
            reasons.append("joints are probably more than half a head off")
        if self.overlap is not None and self.overlap < _POOR_OVERLAP:
            reasons.append("the body does not cover the person's outline")
        if self.guessed:
            reasons.append(f"guessed, since not in the picture: {', '.join(self.guessed)}")
        return reasons

    def __str__(self) -> str:
        """The verdict in words."""
        words = [
            f"joints probably {self.expected_cm:.0f} cm off, or more",
            f"detected points missed by {self.missed_cm:.0f} cm",
        ]
        if self.overlap is not None:
            words.append(f"overlaps the mask by {100 * self.overlap:.0f} %")
        return ", ".join(words)

    def record(self, scheme: PartScheme | None = None) -> dict:
        """The verdict as JSON values; the scheme is not used, since there are no parts."""
        del scheme
        return {
            "expected_error_2d_cm": round(self.expected_cm, 2),
            "missed_points_cm": round(self.missed_cm, 2),
            "outline_iou": None if self.overlap is None else round(self.overlap, 4),
            "finder_score": round(self.score, 4),
            "guessed": list(self.guessed),
            "doubtful": self.reasons,
        }


def judge(predicted: PredictedPerson, found: FoundPerson) -> PointVerdict:
    """Judges how reliable a fitted body is.

    Args:
      predicted: the final result: the refined person, if they were refined.
      found: the detected person, with a mask if the detector gives one.

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
    centimetres = 100 * max(float(joints[0, 2]), 0.1) / focal  # per pixel, at the pelvis

    here, there = PHOTOGRAPH_21.indices(_JOINTS), SMPL_24.indices(_JOINTS)
    trust = visibility[here]
    missed = centimetres * np.linalg.norm(points[here] - person.joints_2d[there], axis=-1)
    missed = np.where(trust > 0, missed, 0)
    model = Corruption()
    spread = centimetres * float(person_frame(points, visibility).spread)
    errors = np.hypot(missed, spread * (model.deviation + model.deviation_unseen * (1 - trust)))
    if seen.deviation is not None:
        apart = centimetres * np.nan_to_num(seen.deviation[here])
        errors = np.hypot(errors, _ERROR_PER_DEVIATION * apart)
    mean_missed = float((trust * missed).sum() / max(trust.sum(), 1e-6))
    return PointVerdict(
        expected_cm=float(errors.mean()),
        missed_cm=mean_missed,
        overlap=None if found.mask is None else outline_iou(person, found.mask),
        score=float(found.score),
        guessed=_guessed_limbs(points, visibility, person.camera),
    )


def _guessed_limbs(points: np.ndarray, visibility: np.ndarray, camera: Camera) -> tuple[str, ...]:
    """Returns the limbs of which neither joint is in the picture; points of PHOTOGRAPH_21."""
    inside = np.all((points >= 0) & (points <= [camera.width, camera.height]), -1)
    seen = inside & (visibility >= _UNSEEN)
    return tuple(
        limb for limb, joints in _LIMBS.items() if not seen[PHOTOGRAPH_21.indices(joints)].any()
    )


def outline_iou(person: FittedPerson, mask: np.ndarray) -> float | None:
    """Compares a body's outline with a mask, inside the picture.

    Args:
      person: the body.
      mask: `[H, W]` uint8, 0 to 255, of the person's picture.

    Returns:
      Intersection over union; None if both are empty.
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
