"""The one-euro filter, on points and on rotations: little lag in motion, little jitter at rest.

Source: Casiez, Roussel, Vogel, "1 € Filter", CHI 2012. For rotations, differences are taken on the
  group SO(3): the filtered rotation moves by a fraction of the shortest rotation to the new one.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

# Cutoff for the speed, Hz; as in the paper.
_SPEED_CUTOFF = 1.0
# Cutoff at rest, Hz, and its growth, Hz per (radian or metre per second).
ROTATION_CUTOFF, ROTATION_GROWTH = 1.2, 0.6
POSITION_CUTOFF, POSITION_GROWTH = 1.2, 2.0


def smooth_points(
    points: np.ndarray,
    times: np.ndarray,
    cutoff: float = POSITION_CUTOFF,
    growth: float = POSITION_GROWTH,
) -> np.ndarray:
    """Smooths moving points causally.

    Args:
      points: `[T, ..., D]`.
      times: `[T]` seconds, increasing.
      cutoff: Hz, of a point at rest.
      growth: Hz per unit of speed.

    Returns:
      `[T, ..., D]`.
    """
    points = np.asarray(points, np.float64)
    smooth = points.copy()
    speed = np.zeros(points.shape[1:])
    for t in range(1, len(points)):
        step = times[t] - times[t - 1]
        new_speed = (points[t] - points[t - 1]) / step
        speed = speed + _share(_SPEED_CUTOFF, step) * (new_speed - speed)
        size = np.linalg.norm(speed, axis=-1, keepdims=True)
        share = _share(cutoff + growth * size, step)
        smooth[t] = smooth[t - 1] + share * (points[t] - smooth[t - 1])
    return smooth


def smooth_rotations(
    rotations: np.ndarray,
    times: np.ndarray,
    cutoff: float = ROTATION_CUTOFF,
    growth: float = ROTATION_GROWTH,
) -> np.ndarray:
    """Smooths rotations causally.

    Args:
      rotations: `[T, ..., 3, 3]`.
      times: `[T]` seconds, increasing.
      cutoff: Hz, of a joint at rest.
      growth: Hz per radian per second.

    Returns:
      `[T, ..., 3, 3]` rotations.
    """
    shape = np.shape(rotations)
    turning = np.reshape(np.asarray(rotations, np.float64), (shape[0], -1, 3, 3))
    smooth = turning.copy()
    speed = np.zeros((turning.shape[1], 3))
    for t in range(1, len(turning)):
        step = times[t] - times[t - 1]
        new_speed = _between(turning[t - 1], turning[t]).as_rotvec() / step
        speed = speed + _share(_SPEED_CUTOFF, step) * (new_speed - speed)
        size = np.linalg.norm(speed, axis=-1, keepdims=True)
        share = _share(cutoff + growth * size, step)
        part = Rotation.from_rotvec(share * _between(smooth[t - 1], turning[t]).as_rotvec())
        smooth[t] = smooth[t - 1] @ part.as_matrix()
    return smooth.reshape(shape)


def _between(start, end) -> Rotation:
    """Returns the rotation from one rotation to another, in the first one's frame."""
    return Rotation.from_matrix(np.swapaxes(start, -1, -2) @ end)


def _share(cutoff, step):
    """Returns the weight of a new value in a first-order low-pass filter after `step` seconds."""
    turn = 2 * np.pi * cutoff * step
    return turn / (turn + 1)
