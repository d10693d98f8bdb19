"""Finds the translation of a body from its points in a picture."""

from __future__ import annotations

import numpy as np

from smpl_tf.camera import Camera

_ROUNDS = 5
_NEAREST = 0.1  # metres; the nearest allowed distance to the camera


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
    intrinsics = np.asarray(camera.intrinsics, np.float64)
    pixels = np.asarray(points_2d, np.float64)[used]
    rays = np.linalg.solve(intrinsics, np.concatenate([pixels, np.ones((len(pixels), 1))], -1).T)
    x, y = rays[:2] / rays[2]
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
