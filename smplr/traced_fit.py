"""`fit_body` as a graph, where it pays.

Eagerly, most of the time of a small fit goes into handing its thousands of small operations to
TensorFlow. A graph does not have that cost, but making it takes as long as several eager fits: so
it is made only for who keeps on fitting.
"""

import functools
import threading
from collections.abc import Callable

import tensorflow as tf

from smplr.point_model import PointModel
from smplr.probable_fit import fit_body

# Fits of one kind that are done eagerly before the graph is made. Eight optimised fits of one body
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
    """Does as `fit_body` does, to rounding; from the ninth fit of a kind on in a graph.

    Args:
      points: metres, `[N, P, 3]`.
      weights: `[N, P]`, 0 is missing.
      model: the body for the skeleton of the points.
      joint_model: the same body for SMPL_24.
      refine: whether to go on from the closed form.

    Returns:
      What `fit_body` returns.
    """
    return _fit_of(model, joint_model, points.dtype, refine)(points, weights)
