"""Runs `fit_body` as a graph where that is faster.

Eagerly, most of the time of a small fit is TensorFlow's overhead for thousands of small
operations. A graph avoids it, but tracing takes as long as several eager fits. So the graph is
traced only after repeated fits.
"""

import functools
import threading
from collections.abc import Callable

import tensorflow as tf

from smplr.point_model import PointModel
from smplr.probable_fit import fit_body

# Number of eager fits of one kind before the graph is traced. Eight optimised fits of one body
# take about as long as the graph (2.9 and 3.4 s of CPU), eight closed forms half of it.
EAGER_FITS = 8


class _Fit:
    """Fits of one body, skeleton and precision."""

    def __init__(self, model: PointModel, joint_model: PointModel, dtype: tf.DType, refine: bool):
        self._fit = functools.partial(
            fit_body, model=model, joint_model=joint_model, refine=refine
        )
        size = len(model.skeleton)
        self._signature = (
            tf.TensorSpec([None, size, 3], dtype),
            tf.TensorSpec([None, size], dtype),
        )
        self._graph: Callable | None = None
        self._fits = 0
        self._lock = threading.Lock()

    def __call__(self, points: tf.Tensor, weights: tf.Tensor) -> dict[str, tf.Tensor]:
        with self._lock:
            self._fits += 1
            if self._graph is None and self._fits > EAGER_FITS:
                traced = tf.function(self._fit, input_signature=self._signature, autograph=False)
                self._graph = traced.get_concrete_function()
        return (self._graph or self._fit)(points, weights)


# The models are compared by identity; `probable_fit.point_model` makes one per body and skeleton.
_fit_of = functools.lru_cache(maxsize=16)(_Fit)


def fit_body_fast(
    points: tf.Tensor,
    weights: tf.Tensor,
    model: PointModel,
    joint_model: PointModel,
    refine: bool = True,
) -> dict[str, tf.Tensor]:
    """Same as `fit_body` up to rounding errors; a graph from the ninth fit of a kind on.

    Args:
      points: metres, `[N, P, 3]`.
      weights: `[N, P]`, 0 is missing.
      model: the body for the skeleton of the points.
      joint_model: the same body for SMPL_24.
      refine: whether to continue from the closed form.

    Returns:
      The result of `fit_body`.
    """
    return _fit_of(model, joint_model, points.dtype, refine)(points, weights)
