"""Fits the most probable body to points, with the noise estimated from the points."""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import tensorflow as tf

from smpl_tf.model_data import SMPLModelData
from smpl_tf.skeleton import SMPL_24, Skeleton
from smplr.inverse_fit import InverseFit, closed_form_fit
from smplr.least_squares_fit import FitStatistics, fit_statistics, least_squares_fit
from smplr.point_model import PointModel

# The noise that the first fit assumes, metres per coordinate.
_FIRST_NOISE = 2e-3
# A point with this looseness has half the weight of an exact one, metres.
_HALF_TRUSTED = 5e-3
_FIRST_STEPS, _LAST_STEPS = 10, 6
# The pull of a point does not grow beyond this distance, metres.
OUTLIER_DISTANCE = 0.05
# The joints' standard deviations from rest, radians about each axis: of the synthetic people's
# poses, at least 0.12.
_POSE_SPREAD = {
    **dict.fromkeys(("hip", "knee", "elbow"), 0.4),
    **dict.fromkeys(("spine1", "spine2", "spine3", "neck", "head", "collar", "foot"), 0.12),
    **{"shoulder": 0.65, "ankle": 0.2, "wrist": 0.2, "hand": 0.16},
}


@functools.lru_cache(maxsize=16)
def point_model(body: SMPLModelData, skeleton: Skeleton) -> PointModel:
    """Returns a body's points; made once per body and skeleton."""
    return PointModel.of(body, skeleton)


def fit_body(
    points: tf.Tensor,
    weights: tf.Tensor,
    model: PointModel,
    joint_model: PointModel,
    refine: bool = True,
) -> dict[str, tf.Tensor]:
    """Fits one body by the methods "optimise" or "closed_form"; works in a graph too.

    The first fit assumes nearly exact points. The noise is estimated from its residuals, and the
    second fit is the most probable body under that noise.

    Args:
      points: metres, `[N, P, 3]`.
      weights: `[N, P]`, 0 is missing.
      model: the body for the skeleton of the points.
      joint_model: the same body for SMPL_24.
      refine: whether to continue from the closed form.

    Returns:
      `rotations` `[N, 24, 3, 3]`, `betas` `[N, B]`, `pelvis` `[N, 3]`, `noise` `[N]` and
      `joint_errors` `[N, 24]` in metres, and `cost` `[N]`, square metres, for comparing bodies.
    """
    return fit_by_stages(points, weights, model, FitStages.of(model, joint_model), refine)


class FitStages(NamedTuple):
    """What a fit of one body consists of, as functions of tensors alone.

    Attributes:
      closed_form: points, trust, iterations -> fit.
      least_squares: points, trust, fit, noise `[N]`, most steps, outlier distance -> fit.
      statistics: points, trust, fit, noise `[N]` -> statistics of the fit.
    """

    closed_form: Callable[..., InverseFit]
    least_squares: Callable[..., InverseFit]
    statistics: Callable[..., FitStatistics]

    @classmethod
    def of(cls, model: PointModel, joint_model: PointModel) -> "FitStages":
        """The stages for a body.

        Args:
          model: the body for the skeleton of the points.
          joint_model: the same body for SMPL_24.

        Returns:
          The stages.
        """

        def closed_form(points, trust, iterations):
            return closed_form_fit(points, model, trust, iterations)

        def least_squares(points, trust, fit, noise, steps, outlier_distance):
            return least_squares_fit(
                *(points, model, fit, trust, steps),
                *pulls(noise),
                outlier_distance=outlier_distance,
            )

        def statistics(points, trust, fit, noise):
            return fit_statistics(points, model, joint_model, fit, trust, *pulls(noise))

        return cls(closed_form, least_squares, statistics)


def fit_by_stages(
    points: tf.Tensor, weights: tf.Tensor, model: PointModel, stages: FitStages, refine: bool
) -> dict[str, tf.Tensor]:
    """Does as `fit_body` does, with its stages given.

    Args:
      points: metres, `[N, P, 3]`.
      weights: `[N, P]`, 0 is missing.
      model: the body for the skeleton of the points.
      stages: of that body.
      refine: whether to continue from the closed form.

    Returns:
      What `fit_body` returns.
    """
    trust = trusted(weights, model)
    first_noise = tf.fill(tf.shape(points)[:1], tf.cast(_FIRST_NOISE, points.dtype))
    squares_all, outlier_distance = (
        tf.constant(value, points.dtype) for value in (0.0, OUTLIER_DISTANCE)
    )
    fit = stages.closed_form(points, trust, tf.constant(2 if refine else 4))
    if refine:
        steps = tf.constant(_FIRST_STEPS)
        fit = stages.least_squares(points, trust, fit, first_noise, steps, squares_all)
    statistics = stages.statistics(points, trust, fit, first_noise)
    noise, errors = statistics.noise, statistics.joint_errors
    if refine:
        steps = tf.constant(_LAST_STEPS)
        fit = stages.least_squares(points, trust, fit, noise, steps, outlier_distance)
        errors = stages.statistics(points, trust, fit, noise).joint_errors
    squares = tf.reduce_sum(tf.square(fit.points - points), axis=-1)
    misses = tf.reduce_sum(tf.where(trust > 0, trust * squares, 0.0), axis=-1)
    pull = tf.square(noise) * tf.reduce_sum(tf.square(fit.betas), axis=-1)
    return {
        "rotations": fit.rotations,
        "betas": fit.betas,
        "pelvis": fit.pelvis,
        "noise": noise,
        "joint_errors": errors,
        "cost": misses + pull,
    }


def trusted(weights: tf.Tensor, model: PointModel) -> tf.Tensor:
    """Returns the weights `[N, P]`, reduced for points whose convention is loose."""
    return weights * tf.constant(1 / (1 + (model.looseness / _HALF_TRUSTED) ** 2), weights.dtype)


def pulls(noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the prior weights of pose `[N, 23]` and shape `[N]` for a noise level `[N]`."""
    names = [name.removeprefix("left_").removeprefix("right_") for name in SMPL_24.names[1:]]
    spread = tf.constant([_POSE_SPREAD[name] for name in names], noise.dtype)
    return tf.square(noise[:, None] / spread), tf.square(noise)


def nearest_body(found: list[dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
    """Chooses for each person the body that fits better.

    Args:
      found: results of `fit_body` for one body, or for the female and the male one.

    Returns:
      The result of `fit_body`, with `gender` `[N]`: 0 if there is one body.
    """
    if len(found) == 1:
        return {**found[0], "gender": tf.zeros_like(found[0]["cost"])}
    female, male = found
    is_male = male["cost"] < female["cost"]
    chosen = choose(is_male, male, female)
    return {**chosen, "gender": tf.where(is_male, 1.0, -1.0)}


def choose(
    mask: tf.Tensor, ours: Mapping[str, tf.Tensor], theirs: Mapping[str, tf.Tensor]
) -> dict[str, tf.Tensor]:
    """Chooses one of two results for each person.

    Args:
      mask: bool `[N]`.
      ours: taken where the mask is true.
      theirs: taken elsewhere; has the names of the result.

    Returns:
      Name -> `[N, ...]`.
    """
    return {
        name: tf.where(tf.reshape(mask, [-1] + [1] * (value.shape.rank - 1)), ours[name], value)
        for name, value in theirs.items()
    }
