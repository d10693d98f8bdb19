"""Rotations between directions, in NumPy and float64."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

_TINY = 1e-9


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Returns vectors `[..., 3]` scaled to length 1; a zero vector stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _TINY)


def shortest_rotation(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Returns the smallest rotations that map one set of directions to another.

    Args:
      start: `[..., 3]`, of any length.
      end: `[..., 3]`, of any length; leading dimensions broadcast.

    Returns:
      `[..., 3, 3]`; half a turn about any perpendicular axis where they are opposite.
    """
    a, b = np.broadcast_arrays(unit_vectors(start), unit_vectors(end))
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (a * b).sum(-1, keepdims=True))
    # The axis of half a turn is not unique: take any perpendicular one.
    other = unit_vectors(np.cross(a, np.eye(3)[np.abs(a).argmin(-1)]))
    axis = np.where(sine > 1e-8, axis / np.maximum(sine, _TINY), other)
    flat = Rotation.from_rotvec((axis * angle).reshape(-1, 3)).as_matrix()
    return flat.reshape(*a.shape, 3)
