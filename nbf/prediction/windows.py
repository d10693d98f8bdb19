"""The square crop of a picture for the networks, and the camera back to the whole picture.

NBF shows its networks people at one scale: 246.3 pixels per metre in 512, the pelvis a little
above the middle (440 pixels for a person of 1.786 m). The square is found from 2D joints, from a
box, or from a part map.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from smpl_tf import pictures
from smpl_tf.camera import Camera
from smpl_tf.found_person import FoundPerson
from smpl_tf.nbf_scale import (
    NBF_FOCAL,
    NBF_IMAGE_SIZE,
    NBF_TRANSLATION,
    PELVIS_IN_CROP,
    nbf_camera,
    stature,
)
from smpl_tf.parts import PARTS_12, PARTS_24, PartScheme, merge_labels
from smpl_tf.skeleton import SMPL_24

# Fraction of the square that a metre of the person fills.
SHARE_PER_METRE = NBF_FOCAL / NBF_TRANSLATION[2] / NBF_IMAGE_SIZE
# A person standing upright fills the square from 41 to 460 of 512 pixels.
_MIDDLE_OF_STANDING = (0.5, 250.5 / 512)
# Measured on 160 synthetic people: the median of the larger side of the box around a person, in
# statures. Raised arms make the box larger, sitting makes it smaller.
_BOX_IN_STATURES = 0.955
# From the middle of the hips to the pelvis, as a share of the way to the middle of the shoulders.
_PELVIS_ABOVE_HIPS = 0.14

# Pairs of parts whose centres' distance gives the stature, and that distance in statures; open
# body.
_STATURE_IN_PARTS = {
    ("head", "lower_torso"): 0.344,
    ("left_upper_leg", "left_lower_leg"): 0.251,
    ("right_upper_leg", "right_lower_leg"): 0.251,
}
_ROOT_OF_AREA = 0.438  # of all parts, in statures; open body in the rest pose
# The geometric mean of both, over the stature: median of the same 160 people.
_BIAS_OF_PARTS = 0.952
_LEAST_SHARE = 0.004  # fraction of a picture's pixels that must belong to a person


class Window(NamedTuple):
    """A square of a picture; it may extend beyond the picture.

    Attributes:
      left: x of its left edge, pixels of the picture.
      top: y of its upper edge, pixels.
      side: its width and height, pixels.
    """

    left: float
    top: float
    side: float

    def camera(self, width: int, height: int) -> Camera:
        """The camera of the whole picture for which this square has NBF's camera.

        Args:
          width: of the picture, pixels.
          height: of the picture, pixels.

        Returns:
          The camera, float64. Cropped to the square and resized it is `nbf_camera`.
        """
        camera = nbf_camera(NBF_IMAGE_SIZE)
        camera = camera._replace(intrinsics=camera.intrinsics.astype(np.float64))
        square = camera.resize(self.side, self.side)
        return square.crop(-self.left, -self.top, width, height)

    def cut(self, pixels: np.ndarray, size: int) -> np.ndarray:
        """Cuts the square out of a picture, repeating the border pixels outside.

        Args:
          pixels: `[H, W, 3]` uint8.
          size: side of the result, pixels.

        Returns:
          `[size, size, 3]` uint8.
        """
        height, width = pixels.shape[:2]
        zoom = size / self.side
        if zoom < 1:  # antialiased: the next step interpolates four pixels
            pixels = pictures.resize(
                pixels, max(1, round(width * zoom)), max(1, round(height * zoom))
            )
        scale = np.array(pixels.shape[1::-1]) / (width, height)
        step = scale / zoom
        # OpenCV puts pixel centres at whole numbers.
        first = (np.array(self[:2]) + 0.5 / zoom) * scale - 0.5
        matrix = np.array([[step[0], 0, first[0]], [0, step[1], first[1]]])
        return cv2.warpAffine(
            pixels,
            matrix,
            (size, size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )

    def map_points(self, points_2d: np.ndarray, size: int) -> np.ndarray:
        """Maps pixels of the picture `[..., 2]` to those of `cut(..., size)`."""
        return (np.asarray(points_2d) - self[:2]) * (size / self.side)

    def scaled(self, factor: float) -> Window:
        """The same square in a picture of another size."""
        return Window(*(factor * value for value in self))


def around(width: int, height: int) -> Window:
    """The square around a whole picture.

    Args:
      width: of the picture, pixels.
      height: of the picture, pixels.

    Returns:
      The window, the picture in its middle.
    """
    side = max(width, height)
    return Window((width - side) / 2, (height - side) / 2, side)


def from_box(box: Sequence[float] | np.ndarray, metres: float) -> Window:
    """The square for a person in a box, assumed to stand upright.

    Args:
      box: `[4]` left, top, right, bottom; pixels.
      metres: stature of the mean body.

    Returns:
      The window.
    """
    left, top, right, bottom = box
    pixels = max(right - left, bottom - top) / _BOX_IN_STATURES
    middle = (left + right) / 2, (top + bottom) / 2
    return _placed(middle, _MIDDLE_OF_STANDING, pixels, metres)


def from_joints(joints_2d: np.ndarray, metres: float) -> Window | None:
    """The square for a person with known joints, whatever the pose.

    Args:
      joints_2d: `[24, 2]` SMPL's joints in pixels, NaN where unknown.
      metres: stature of the mean body.

    Returns:
      The window; None without both hips and a limb.
    """
    known = np.isfinite(joints_2d).all(-1)
    joints_2d = np.where(known[:, None], joints_2d, 0).astype(np.float32)
    hips = SMPL_24.indices(("left_hip", "right_hip"))
    shoulders = SMPL_24.indices(("left_shoulder", "right_shoulder"))
    pixels = float(stature(joints_2d, known))
    if not (known[hips].all() and pixels):
        return None
    pelvis = joints_2d[hips].mean(0)
    if known[SMPL_24.index("pelvis")]:
        pelvis = joints_2d[SMPL_24.index("pelvis")]
    elif known[shoulders].all():
        pelvis += _PELVIS_ABOVE_HIPS * (joints_2d[shoulders].mean(0) - pelvis)
    return _placed(pelvis, PELVIS_IN_CROP, pixels, metres)


def of_person(person: FoundPerson, metres: float) -> Window:
    """The square of a found person: by the joints, else by the box.

    Args:
      person: the person.
      metres: stature of the mean body.

    Returns:
      The window.

    Raises:
      ValueError: the person has neither joints nor a box.
    """
    window = from_joints(person.joints_2d, metres)
    if window is None and person.box is not None:
        window = from_box(person.box, metres)
    if window is None:
        raise ValueError("a person has neither a box nor both hips and a limb; add a box")
    return window


def from_parts(labels: np.ndarray, scheme: PartScheme, metres: float) -> Window | None:
    """The square for the largest person of a part map.

    Twelve parts give the pelvis to 1.5 % of the stature and the scale to 8 %, in any pose; with
    fewer parts the box around the person gives 6 % and 14 % (160 synthetic people).

    Args:
      labels: `[S, S]` classes of `scheme`.
      scheme: the parts.
      metres: stature of the mean body.

    Returns:
      The window in pixels of the map; None if there is nobody.
    """
    count, blobs, statistics, _ = cv2.connectedComponentsWithStats((labels > 0).astype(np.uint8))
    areas = statistics[1:, cv2.CC_STAT_AREA]
    if count == 1 or areas.max() < _LEAST_SHARE * labels.size:
        return None
    person = np.where(blobs == 1 + areas.argmax(), labels, 0)
    if scheme is PARTS_24:
        person, scheme = merge_labels(person, PARTS_12), PARTS_12
    middles = _middles(person, scheme) if scheme is PARTS_12 else {}
    lengths = [
        np.linalg.norm(middles[start] - middles[end]) / share
        for (start, end), share in _STATURE_IN_PARTS.items()
        if start in middles and end in middles
    ]
    if "lower_torso" not in middles or not lengths:
        left, top, width, height = statistics[1 + areas.argmax(), :4]
        return from_box((left, top, left + width, top + height), metres)
    pixels = np.sqrt(max(lengths) * np.sqrt(areas.max()) / _ROOT_OF_AREA) / _BIAS_OF_PARTS
    return _placed(middles["lower_torso"], (0.5, 213 / 512), pixels, metres)


def check(window: Window, width: int, height: int, person: str) -> None:
    """Rejects a square that contains nothing of the picture.

    Args:
      window: the square.
      width: of the picture, pixels.
      height: of the picture, pixels.
      person: name of the person for the message.

    Raises:
      ValueError: it lies outside, or is smaller than a few pixels.
    """
    inside = np.isfinite(window).all() and (
        -window.side < window.left < width and -window.side < window.top < height
    )
    if not inside or not 4 <= window.side <= 20 * max(width, height):
        raise ValueError(
            f"{person}: lies outside of the picture of {width} x {height} pixels, or is too small "
            "to see; check the box or the joints"
        )


def _middles(labels, scheme):
    """Returns name of a part -> the centre of its pixels; parts of a few pixels are left out."""
    middles = {}
    for label, name in enumerate(scheme.names[1:], start=1):
        rows, columns = np.nonzero(labels == label)
        if len(rows) >= 4:
            middles[name] = np.array([columns.mean(), rows.mean()]) + 0.5
    return middles


def _placed(point, share, pixels, metres):
    """The square with a point at some fraction of its sides, and a stature at NBF's scale."""
    side = pixels / (metres * SHARE_PER_METRE)
    left, top = (float(point[i] - share[i] * side) for i in range(2))
    return Window(left, top, float(side))
