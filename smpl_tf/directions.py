"""Rotations between directions, in NumPy and float64."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

_TINY = 1e-9


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Returns vectors `[..., 3]` at length 1; one without length stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _TINY)


def shortest_rotation(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Returns the smallest rotations that bring directions to directions.

    Args:
      start: `[..., 3]`, of any length.
      end: `[..., 3]`, likewise; leading dimensions broadcast.

    Returns:
      `[..., 3, 3]`; half a turn about any perpendicular axis where they are opposite.
    """
    a, b = np.broadcast_arrays(unit_vectors(start), unit_vectors(end))
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (a * b).sum(-1, keepdims=True))
    # Half a turn has no axis of its own: any that is perpendicular.
    other = unit_vectors(np.cross(a, np.eye(3)[np.abs(a).argmin(-1)]))
    axis = np.where(sine > 1e-8, axis / np.maximum(sine, _TINY), other)
    flat = Rotation.from_rotvec((axis * angle).reshape(-1, 3)).as_matrix()
    return flat.reshape(*a.shape, 3)
