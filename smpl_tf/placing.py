"""Combines 3D points with 2D points of a picture: the translation, and the lines of sight."""

from __future__ import annotations

import dataclasses

import numpy as np

from smpl_tf.camera import Camera
from smpl_tf.found_person import FoundPerson

_ROUNDS = 5
_NEAREST = 0.1  # metres; the nearest allowed distance to the camera
_HIPS = ("left_hip", "right_hip")


def place(
    points_3d: np.ndarray, points_2d: np.ndarray, weights: np.ndarray, camera: Camera
) -> np.ndarray:
    """Finds the translation of a body by weighted least squares of its projected points.

    Args:
      points_3d: `[P, 3]` of the body without translation, metres, camera axes.
      points_2d: `[P, 2]` the same points in the picture, pixels; ignored where the weight is 0.
      weights: `[P]` confidence in each.
      camera: of the picture, without batch dimensions.

    Returns:
      `[3]` metres, camera frame.

    Raises:
      ValueError: fewer than two points have a weight.

    Example:
      >>> from smpl_tf.camera import pinhole
      >>> camera = pinhole(640, 480)
      >>> points = np.array([[0.0, 0.0, 0.1], [0.3, -0.2, 0.0], [0.1, 0.5, 0.0]])
      >>> seen = camera.project(points + [0.5, 0.1, 4.0]).numpy()
      >>> place(points, seen, np.ones(3), camera).round(4)
      array([0.5, 0.1, 4. ])
    """
    used = weights > 0
    if used.sum() < 2:
        raise ValueError(
            f"place: expected 2 or more points with a weight, got {used.sum()}; "
            "fewer do not determine a scale."
        )
    points = np.asarray(points_3d, np.float64)[used]
    x, y = _rays(np.asarray(points_2d)[used], camera)[:, :2].T
    roots = np.sqrt(np.asarray(weights, np.float64)[used])
    depth = np.ones(len(points))
    zero = np.zeros(len(points))
    for _ in range(_ROUNDS):
        # Linear in the translation; divided by the depth, a row is a distance in the picture.
        scale = roots / depth
        across = np.stack([scale, zero, -x * scale], -1)
        down = np.stack([zero, scale, -y * scale], -1)
        wanted = [
            scale * (ray * points[:, 2] - points[:, axis]) for axis, ray in enumerate((x, y))
        ]
        matrix = np.concatenate([across, down])
        translation = np.linalg.lstsq(matrix, np.concatenate(wanted), rcond=None)[0]
        depth = np.maximum(points[:, 2] + translation[2], _NEAREST)
    # Points with large errors can put the person behind the camera.
    translation[2] = max(translation[2], _NEAREST - points[:, 2].min())
    return translation.astype(np.float32)


def on_lines_of_sight(person: FoundPerson, camera: Camera) -> FoundPerson:
    """Moves a person's 3D points, at the same depth, to the lines of sight of the 2D points.

    Detectors place points more accurately in the picture than in space: in the picture, their 3D
    points are centimetres away from their own 2D points.

    Args:
      person: with 2D and 3D points.
      camera: of the picture, without batch dimensions.

    Returns:
      The person with moved 3D points, the origin midway between the hips; points that lack 2D or
      3D coordinates are not moved. The same person if fewer than two points have both.
    """
    if person.points_3d is None:
        return person
    known = (person.visibility > 0) & np.isfinite(person.points_2d).all(-1)
    known &= np.isfinite(person.points_3d).all(-1)
    if known.sum() < 2:
        return person
    points = person.points_3d.astype(np.float64)
    weights = np.where(known, person.visibility, 0)
    translation = place(points, person.points_2d, weights, camera)
    depth = np.maximum(points[known, 2] + translation[2], _NEAREST)
    points[known] = _rays(person.points_2d[known], camera) * depth[:, None] - translation
    if set(_HIPS) <= set(person.skeleton.names):
        hips = points[person.skeleton.indices(_HIPS)].mean(0)
        points -= np.where(np.isfinite(hips), hips, 0)
    return dataclasses.replace(person, points_3d=points)


def _rays(points_2d: np.ndarray, camera: Camera) -> np.ndarray:
    """Returns the directions of pixels `[N, 2]` with z = 1, `[N, 3]` float64."""
    intrinsics = np.asarray(camera.intrinsics, np.float64)
    pixels = np.concatenate([np.asarray(points_2d, np.float64), np.ones((len(points_2d), 1))], -1)
    rays = np.linalg.solve(intrinsics, pixels.T).T
    return rays / rays[:, 2:]
