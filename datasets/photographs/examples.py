"""Converts people in photographs to Examples: 2D points, masks, a detector's 3D estimates."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from datasets import bodies as bodies_lib
from datasets import example as example_lib
from datasets.photographs.scores import LIMB_JOINTS
from datasets.sources import Skip
from smpl_tf import pictures
from smpl_tf.found_person import FoundPerson
from smpl_tf.skeleton import LSP_14, SMPL_24, Skeleton

LEAST_JOINTS = 4  # of the twelve limb joints; fewer do not determine a pose
LEAST_VISIBILITY = 0.5  # smallest visibility of a detected point that becomes a label
_AROUND = 2.0  # side of the kept square divided by the longer side of the person's box
_LARGEST = 1024  # largest side of that square, pixels; NBF's pictures show people at half of it
_HIPS = SMPL_24.indices(("left_hip", "right_hip"))


def example_of(
    person: FoundPerson, pixels: np.ndarray, scale: float = 1.0
) -> dict[str, Any] | Skip:
    """Crops a person out of a photograph, with all labels.

    The picture is a square around the person with the margin that a training needs for rotation
    and zoom, inside the photograph, and at most 1024 pixels wide.

    Args:
      person: pixels of the file, upright.
      pixels: `[H, W, 3]` uint8 RGB, the decoded photograph.
      scale: decoded pixels per pixel of the file.

    Returns:
      An Example with `lsp/2d` and `joints/2d`, without id and source; or the reason why there is
      none.
    """
    known = known_points(person, LIMB_JOINTS)
    if known.sum() < LEAST_JOINTS:
        return Skip(f"fewer than {LEAST_JOINTS} of the limbs' 12 joints are known")
    limbs = person.in_skeleton(LIMB_JOINTS).points_2d[known] * scale
    height, width = pixels.shape[:2]
    if person.box is None:
        box = bodies_lib.box_around(limbs, width, height).get("person/box")
    else:
        box = np.clip(person.box * scale, 0, [width, height] * 2)
    if box is None or (box[2:] - box[:2]).min() < 1:
        return Skip("the person is outside the picture")
    left, top, right, bottom = _cut(box, limbs, width, height)
    factor = min(1.0, _LARGEST / max(right - left, bottom - top))
    # Whole numbers of pixels, so the two factors may differ slightly.
    size = np.maximum(np.rint(factor * np.array([right - left, bottom - top])), 1).astype(int)
    factors = size / [right - left, bottom - top]

    def moved(points: np.ndarray) -> np.ndarray:
        return (points - [left, top]) * factors

    kept = _resized(pixels[top:bottom, left:right], size)
    fields = {
        "labels/source": person.source,
        "image/encoded": pictures.encode(kept, ".jpg"),
        "image/height": size[1],
        "image/width": size[0],
        "person/box": np.concatenate([moved(box[:2]), moved(box[2:])]),
        "person/box/valid": 1,
    }
    for key, skeleton in (("joints/2d", SMPL_24), ("lsp/2d", LSP_14)):
        valid = known_points(person, skeleton)
        points = moved(person.in_skeleton(skeleton).points_2d * scale)
        fields[key] = np.where(valid[:, None], points, 0)
        fields[f"{key}/valid"] = valid.astype(np.int64)
    # A mask of the file's size fits only if the picture was not shrunk.
    if person.mask is not None and person.mask.shape == pixels.shape[:2]:
        mask = np.uint8(_resized(person.mask[top:bottom, left:right], size) > 127)
        if mask.any():
            fields["mask/encoded"] = pictures.encode(mask, ".png")
            fields["mask/valid"] = 1
    if person.points_3d is not None and person.source != "annotated":
        fields |= _found_3d(person)
    return example_lib.blank() | fields


def known_points(person: FoundPerson, skeleton: Skeleton) -> np.ndarray:
    """Returns which points of a skeleton are labels, `[P]` bool.

    Of annotations all points are labels, hidden ones included; of a detector only the visible
    ones.
    """
    visibility = person.in_skeleton(skeleton).visibility
    return visibility > 0 if person.source == "annotated" else visibility >= LEAST_VISIBILITY


def _cut(box: np.ndarray, limbs: np.ndarray, width: int, height: int) -> tuple[int, ...]:
    """Returns left, top, right, bottom of the kept region, which contains all known limbs."""
    middle, half = (box[:2] + box[2:]) / 2, _AROUND / 2 * (box[2:] - box[:2]).max()
    low = np.minimum(middle - half, limbs.min(0)).clip(0, [width - 1, height - 1])
    high = np.maximum(middle + half, limbs.max(0)).clip(0, [width, height])
    left, top = np.floor(low).astype(int).tolist()
    right, bottom = np.ceil(high).astype(int).tolist()
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _resized(pixels: np.ndarray, size: np.ndarray) -> np.ndarray:
    if (pixels.shape[1], pixels.shape[0]) == tuple(size):
        return pixels
    return cv2.resize(pixels, size.tolist(), interpolation=cv2.INTER_AREA)


def _found_3d(person: FoundPerson) -> dict[str, Any]:
    """Returns a detector's estimates of SMPL's joints, relative to the pelvis between the hips."""
    points = person.in_skeleton(SMPL_24).points_3d
    assert points is not None
    valid = np.isfinite(points).all(-1) & known_points(person, SMPL_24)
    if valid[_HIPS].all():
        points[0], valid[0] = 0, True
    return {
        "found/3d": np.where(valid[:, None], points, 0),
        "found/3d/valid": valid.astype(np.int64),
    }
