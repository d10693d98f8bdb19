"""Runs `fit_body` in graphs.

Eagerly, most of the time of a small fit is TensorFlow's overhead for thousands of small
operations. Graphs avoid it, but tracing a graph of the whole fit takes as long as ten eager fits.
So each stage of a fit is a graph of its own, traced once and called as often as the fit has that
stage.
"""

import functools

import tensorflow as tf

from smpl_tf.graph import Graph
from smplr.inverse_fit import InverseFit
from smplr.point_model import PointModel
from smplr.probable_fit import FitStages, fit_by_stages


# The models are compared by identity; `probable_fit.point_model` makes one per body and skeleton.
@functools.lru_cache(maxsize=16)
def _traced_stages(model: PointModel, joint_model: PointModel, dtype: tf.DType) -> FitStages:
    stages = FitStages.of(model, joint_model)
    size, joints = len(model.skeleton), len(model.parents)
    points, trust, noise, number = (
        tf.TensorSpec(shape, dtype) for shape in ([None, size, 3], [None, size], [None], [])
    )
    fit = InverseFit(
        *(
            tf.TensorSpec([None, *shape], dtype)
            for shape in ((joints, 3, 3), (model.num_betas,), (3,), (size, 3))
        )
    )
    count = tf.TensorSpec([], tf.int32)
    return FitStages(
        Graph(stages.closed_form, points, trust, count),
        Graph(stages.least_squares, points, trust, fit, noise, count, number),
        Graph(stages.statistics, points, trust, fit, noise),
    )


def fit_body_fast(
    points: tf.Tensor,
    weights: tf.Tensor,
    model: PointModel,
    joint_model: PointModel,
    refine: bool = True,
) -> dict[str, tf.Tensor]:
    """Same as `fit_body` up to rounding errors, in graphs.

    Args:
      points: metres, `[N, P, 3]`.
      weights: `[N, P]`, 0 is missing.
      model: the body for the skeleton of the points.
      joint_model: the same body for SMPL_24.
      refine: whether to continue from the closed form.

    Returns:
      The result of `fit_body`.
    """
    stages = _traced_stages(model, joint_model, points.dtype)
    return fit_by_stages(points, weights, model, stages, refine)
