"""Numeric derivatives, to compare gradients with by value."""

from collections.abc import Callable

import numpy as np


def jacobian(
    function: Callable[[np.ndarray], np.ndarray], point: np.ndarray, step: float = 1e-5
) -> np.ndarray:
    """Gives the derivatives of a float64 function of one array by central differences.

    Args:
      function: maps an array of point's shape to an array.
      point: where to differentiate.
      step: of the order of the cube root of the rounding error; the error is about step squared.

    Returns:
      Array of the output's shape followed by the point's shape.
    """
    point = np.asarray(point, np.float64)
    columns = []
    for index in np.ndindex(point.shape):
        offset = np.zeros_like(point)
        offset[index] = step
        difference = np.asarray(function(point + offset)) - np.asarray(function(point - offset))
        columns.append(difference / (2.0 * step))
    return np.stack(columns, axis=-1).reshape(*columns[0].shape, *point.shape)
