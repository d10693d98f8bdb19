"""Draws points and the bodies fitted to them, from the front and from the side."""

from __future__ import annotations

import cv2
import numpy as np

from smpl_tf.camera import Camera
from smpl_tf.rasterizer import render
from smplr.landmarks import LIMBS, NUM_JOINTS, point_skeleton

_SIZE = 256  # pixels, of every picture
_EXTENT = 2.1  # metres that a picture shows
_DISTANCE = 8.0  # metres from the camera to the root
_FINE = 2  # samples per pixel and axis of lines and dots
_FINE_BITS = 3  # fractional bits of OpenCV's drawing coordinates
# RGB: bones of the left, the right and the middle, landmarks, and the truth behind them.
_LEFT, _RIGHT, _MIDDLE, _LANDMARK = (214, 96, 60), (38, 112, 184), (110, 112, 118), (226, 168, 40)
_TRUTH = (150, 158, 150)
# Rotation of a person for each view.
_VIEWS = {
    "front": np.eye(3),
    # Seen from the right of the picture: away from the camera becomes right.
    "side": np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]),
}
VIEWS = tuple(_VIEWS)


def draw_points(points: np.ndarray, truth: np.ndarray, view: str) -> np.ndarray:
    """Draws points as a stick figure over the true one.

    Args:
      points: root-relative, metres, camera axes, `[P, 3]`; NaN is left out.
      truth: true points in the same form; thin and grey in the background.
      view: one of VIEWS.

    Returns:
      uint8 `[256, 256, 4]` RGBA, transparent around the lines.
    """
    canvas = np.zeros((_SIZE * _FINE, _SIZE * _FINE, 4), np.uint8)
    _draw_sticks(canvas, truth, view, 1.5, dict.fromkeys((_LEFT, _RIGHT, _MIDDLE), _TRUTH), False)
    _draw_sticks(canvas, points, view, 3.0, {}, True)
    return cv2.resize(canvas, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA)


def _draw_sticks(canvas, points, view, width, replaced, with_landmarks):
    skeleton = point_skeleton(len(points))
    turned = np.concatenate([np.zeros((1, 3)), points]) @ _VIEWS[view].T
    scale = _SIZE * _FINE / _EXTENT
    pixels = turned[:, :2] * scale + len(canvas) / 2
    known = np.isfinite(pixels).all(axis=-1)
    places = np.rint(np.where(known[:, None], pixels, 0) * 2**_FINE_BITS).astype(int)
    options = {"lineType": cv2.LINE_AA, "shift": _FINE_BITS}
    # Far bones first.
    order = np.argsort(-np.nan_to_num(turned[1:NUM_JOINTS, 2])) + 1
    for point in order:
        parent = skeleton.parents[point]
        if known[point] and known[parent]:
            name = skeleton.names[point]
            side = _colour_of(name)
            colour = (*replaced.get(side, side), 255)
            ends = tuple(places[point].tolist()), tuple(places[parent].tolist())
            cv2.line(canvas, *ends, colour, round(width * _FINE), **options)
    for point in range(NUM_JOINTS, len(skeleton)) if with_landmarks else ():
        if known[point]:
            radius = round(2.6 * _FINE * 2**_FINE_BITS)
            place = tuple(places[point].tolist())
            cv2.circle(canvas, place, radius, (*_LANDMARK, 255), -1, **options)


def draw_volumes(peaks: np.ndarray, num_points: int) -> dict[str, np.ndarray]:
    """Draws one view of an hourglass's volumes in the colours of the stick figures.

    Args:
      peaks: 0 to 1, `[rows, columns or bins, K]`, see `smplr.volumes.projected_peaks`.
      num_points: how many of the channels are points; limbs follow them.

    Returns:
      "points" and, where there are some, "limbs": uint8 `[256, 256, 4]` RGBA, transparent where
      no voxel weighs anything.
    """
    names = point_skeleton(num_points).names[1:]
    of_points = [
        _LANDMARK if point >= NUM_JOINTS - 1 else _colour_of(name)
        for point, name in enumerate(names)
    ]
    of_limbs = [_colour_of(name) for name in LIMBS]
    drawn = {"points": _coloured(peaks[..., :num_points], of_points)}
    if peaks.shape[-1] > num_points:
        drawn["limbs"] = _coloured(peaks[..., num_points:], of_limbs)
    return drawn


def _colour_of(name):
    return _LEFT if "left" in name else _RIGHT if "right" in name else _MIDDLE


def _coloured(peaks, colours):
    """Gives each line of sight the colour of its channel of highest weight, as voxels."""
    rgb = np.array(colours, np.uint8)[peaks.argmax(axis=-1)]
    alpha = np.rint(255 * peaks.max(axis=-1)).astype(np.uint8)
    picture = np.concatenate([rgb, alpha[..., None]], axis=-1)
    return cv2.resize(picture, (_SIZE, _SIZE), interpolation=cv2.INTER_NEAREST)


def draw_body(vertices: np.ndarray, faces: np.ndarray, colour, view: str) -> np.ndarray:
    """Draws a body.

    Args:
      vertices: root-relative, metres, camera axes, `[V, 3]`.
      faces: `[F, 3]`.
      colour: RGB 0..255.
      view: one of VIEWS.

    Returns:
      uint8 `[256, 256, 4]` RGBA, transparent around the body.
    """
    focal = _SIZE * _DISTANCE / _EXTENT
    intrinsics = np.array([[focal, 0, _SIZE / 2], [0, focal, _SIZE / 2], [0, 0, 1]])
    turned = np.asarray(vertices, np.float64) @ _VIEWS[view].T + (0, 0, _DISTANCE)
    return render(turned, faces, Camera(intrinsics, _SIZE, _SIZE), vertex_colours=colour)
