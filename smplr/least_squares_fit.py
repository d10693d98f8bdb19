"""Fits a body by damped Gauss-Newton: exact on clean points, a MAP estimate on noisy ones.

Source: not in the paper; Levenberg-Marquardt with the derivatives of linear blend skinning.
"""

from typing import NamedTuple

import tensorflow as tf

from smpl_tf.kinematics import relative_to_global
from smpl_tf.rotations import axis_angle_to_matrix, project_to_rotation
from smplr.inverse_fit import InverseFit, flat_problem, unflatten
from smplr.landmarks import NUM_JOINTS
from smplr.point_model import PointModel, PosedPoints

_NUM_TURNS = 3 * NUM_JOINTS
# The damping of the first step, as a fraction of the diagonal; then its factors after a good and a
# bad step.
_FIRST_DAMPING = 1e-3
_GOOD_STEP, _BAD_STEP = 0.1, 10.0
_LEAST_DAMPING, _LARGEST_DAMPING = 1e-7, 1e3
# A body that improves by less (relative, and in square metres) has converged.
_LEAST_GAIN, _LEAST_COST = 1e-3, 1e-10
# Keeps Cholesky's square roots positive in float32.
_LEAST_DIAGONAL, _ROUNDING = 1e-6, 1e-6
# The prior of the noise: metres, and its weight as a number of coordinates.
_PRIOR_NOISE, _PRIOR_COUNT = 5e-3, 1.0


def least_squares_fit(
    points: tf.Tensor,
    model: PointModel,
    start: InverseFit,
    weights: tf.Tensor | None = None,
    steps: tf.Tensor | int = 12,
    pose_weight: tf.Tensor | float = 1e-6,
    beta_weight: tf.Tensor | float = 1e-7,
    toward: tuple[tf.Tensor, tf.Tensor] | None = None,
    outlier_distance: tf.Tensor | float | None = None,
) -> InverseFit:
    """Minimises the weighted squared distance of the points, with priors on pose and shape.

    With prior weights of (noise / spread)^2 of the parameters, the result is their most probable
    value.

    Args:
      points: metres, any frame, `[..., P, 3]`; missing points may be NaN or infinite.
      model: the body.
      start: initial body, such as `closed_form_fit` of the same points.
      weights: `[..., P]`, 0 for a missing point; None: equal weights.
      steps: maximum number of Gauss-Newton steps, fewer once all bodies have converged; a step
        that does not help is undone and damped.
      pose_weight: prior weight of the joints except the root, square metres per square radian, one
        number or `[..., 23]`.
      beta_weight: prior weight of the betas, square metres, one number or `[...]`.
      toward: mean of the priors, rotations `[..., 24, 3, 3]` and betas `[..., B]`; None is the
        mean body at rest.
      outlier_distance: larger distances count linearly, not squared; metres. None and 0 square
        all.

    Returns:
      The fit.

    Raises:
      ValueError: if the number of points does not match the skeleton.
    """
    points, weights, leading = flat_problem(points, weights, model)
    problem = _Problem(points, weights, model, pose_weight, beta_weight, toward, outlier_distance)
    dtype = points.dtype
    rotations = tf.reshape(tf.cast(start.rotations, dtype), [-1, NUM_JOINTS, 3, 3])
    betas = tf.reshape(tf.cast(start.betas, dtype), [-1, model.num_betas])
    pelvis = tf.reshape(tf.cast(start.pelvis, dtype), [-1, 3])
    state = (rotations, betas, pelvis)
    damping = tf.fill([tf.shape(points)[0]], tf.constant(_FIRST_DAMPING, dtype))

    def step(index, state, cost, damping, _):
        proposed = problem.step(state, damping)
        new_cost = problem.cost(proposed, problem.pose(proposed))
        # False also if the new cost is NaN.
        better = new_cost < cost
        state = tuple(
            tf.where(tf.reshape(better, [-1] + [1] * (new.shape.rank - 1)), new, old)
            for new, old in zip(proposed, state, strict=True)
        )
        damping *= tf.where(better, tf.cast(_GOOD_STEP, dtype), tf.cast(_BAD_STEP, dtype))
        damping = tf.maximum(damping, _LEAST_DAMPING)
        gained = cost - new_cost > _LEAST_GAIN * cost + _LEAST_COST
        moving = tf.where(better, gained, damping < _LARGEST_DAMPING)
        return index + 1, state, tf.where(better, new_cost, cost), damping, moving

    def goes_on(index, state, cost, damping, moving):
        return tf.logical_and(index < steps, tf.reduce_any(moving))

    cost = problem.cost(state, problem.pose(state))
    first = (tf.constant(0), state, cost, damping, tf.ones_like(cost, tf.bool))
    state = tf.while_loop(goes_on, step, first)[1]
    # Products of rotations accumulate rounding errors.
    rotations = project_to_rotation(state[0])
    state = (rotations, *state[1:])
    fitted = problem.pose(state).posed.points + state[2][:, None]
    return unflatten(InverseFit(*state, fitted), leading)


class FitStatistics(NamedTuple):
    """The estimated noise of the points, and the joint errors that follow from it.

    Attributes:
      noise: standard deviation of a coordinate of a point of weight 1, metres, `[...]`.
      joint_errors: expected errors of SMPL's joints, metres, `[..., 24]`.
    """

    noise: tf.Tensor
    joint_errors: tf.Tensor


def fit_statistics(
    points: tf.Tensor,
    model: PointModel,
    joint_model: PointModel,
    fit: InverseFit,
    weights: tf.Tensor | None = None,
    pose_weight: tf.Tensor | float = 1e-6,
    beta_weight: tf.Tensor | float = 1e-7,
) -> FitStatistics:
    """Estimates the noise from the residuals of a fit, and from it the joints' errors.

    There are few residuals compared with the parameters: since bone lengths are fixed, only
    changes of bone length are visible. The noise is their sum of squares divided by the degrees of
    freedom.

    Args:
      points: as in `least_squares_fit`.
      model: the body.
      joint_model: the same body for SMPL_24.
      fit: of the points.
      weights: `[..., P]`.
      pose_weight: as in the fit.
      beta_weight: as in the fit.

    Returns:
      The statistics. Errors that are equal in neighbouring points do not change bone lengths and
      are not included.
    """
    points, weights, leading = flat_problem(points, weights, model)
    problem = _Problem(points, weights, model, pose_weight, beta_weight, None, None)
    state = (
        tf.reshape(fit.rotations, [-1, NUM_JOINTS, 3, 3]),
        tf.reshape(fit.betas, [-1, model.num_betas]),
        tf.reshape(fit.pelvis, [-1, 3]),
    )
    pose = problem.pose(state)
    data, stiffness, _ = problem.linearised(state, pose)
    normal = tf.linalg.set_diag(data, tf.linalg.diag_part(data) + stiffness)
    scale, factor = _factorised(normal, 0.0)
    identity = tf.eye(normal.shape[-1], batch_shape=[tf.shape(points)[0]], dtype=points.dtype)
    covariance = tf.linalg.cholesky_solve(factor, identity)
    covariance *= scale[:, :, None] * scale[:, None, :]

    squares = tf.reduce_sum(tf.square(pose.missed), axis=-1)
    explained = tf.reduce_sum(covariance * data, axis=(1, 2))
    seen = 3 * tf.reduce_sum(tf.cast(weights > 0, points.dtype), axis=-1)
    free = tf.maximum(seen - explained, 0.0) + _PRIOR_COUNT
    noise = tf.reduce_sum(weights * squares, axis=-1) + _PRIOR_COUNT * _PRIOR_NOISE**2
    noise = tf.sqrt(noise / free)

    rest = joint_model.rest_sources(*state[:2])
    jacobian = _jacobian(
        joint_model, pose.global_rotations, joint_model.pose(rest, pose.global_rotations)
    )
    spread = tf.reduce_sum(tf.matmul(jacobian, covariance) * jacobian, axis=-1)
    spread = tf.reduce_sum(tf.reshape(spread, [-1, NUM_JOINTS, 3]), axis=-1)
    # The mean length of a Gaussian vector is 0.92 of its root mean square.
    errors = 0.92 * noise[:, None] * tf.sqrt(tf.maximum(spread, 0.0))
    return FitStatistics(
        tf.reshape(noise, leading),
        tf.reshape(errors, tf.concat([leading, [NUM_JOINTS]], axis=0)),
    )


class _Pose(NamedTuple):
    """Returns what follows from a state: global rotations, posed points, and residuals."""

    global_rotations: tf.Tensor
    posed: PosedPoints
    missed: tf.Tensor


class _Problem:
    """The objective of a batch of bodies and its linearisation."""

    def __init__(self, points, weights, model, pose_weight, beta_weight, toward, outlier_distance):
        dtype, count = points.dtype, tf.shape(points)[0]
        self.points, self.weights, self.model = points, weights, model
        limit = tf.square(tf.cast(0.0 if outlier_distance is None else outlier_distance, dtype))
        self.squares_all = tf.equal(limit, 0.0)
        self.limit = tf.where(self.squares_all, tf.ones_like(limit), limit)

        def per_body(value, size):
            value = tf.cast(value, dtype)
            flat = tf.reshape(value, [-1, size if value.shape.rank else 1])
            return tf.broadcast_to(flat, [count, size])

        self.pose_weight = per_body(pose_weight, NUM_JOINTS - 1)
        self.beta_weight = per_body(beta_weight, 1)
        if toward is None:
            toward = (tf.eye(3, batch_shape=[NUM_JOINTS]), tf.zeros([model.num_betas]))
        rotations, betas = (tf.cast(value, dtype) for value in toward)
        self.toward = tf.reshape(rotations, [-1, NUM_JOINTS, 3, 3])
        self.toward_betas = tf.reshape(betas, [-1, model.num_betas])

    def pose(self, state):
        rotations, betas, pelvis = state
        global_rotations = relative_to_global(rotations, self.model.parents)
        posed = self.model.pose(self.model.rest_sources(rotations, betas), global_rotations)
        return _Pose(global_rotations, posed, self.points - posed.points - pelvis[:, None])

    def cost(self, state, pose):
        rotations, betas, _ = state
        squares = tf.reduce_sum(tf.square(pose.missed), axis=-1)
        robust = 2 * self.limit * (tf.sqrt(1 + squares / self.limit) - 1)
        squares = tf.where(self.squares_all, squares, robust)
        bending = tf.reduce_sum(tf.square(rotations - self.toward)[:, 1:], axis=(2, 3)) / 2
        pulls = tf.reduce_sum(self.pose_weight * bending, axis=-1)
        pulls += tf.reduce_sum(self.beta_weight * tf.square(betas - self.toward_betas), axis=-1)
        return tf.reduce_sum(self.weights * squares, axis=-1) + pulls

    def linearised(self, state, pose):
        """Returns the normal matrix of the points `[N, K, K]`, the priors' diagonal, the moments.

        K: turns of the joints about the outer axes, betas, pelvis.
        """
        rotations, betas, _ = state
        dtype, count = self.points.dtype, tf.shape(self.points)[0]
        missed, weights = pose.missed, self.weights
        squares = tf.reduce_sum(tf.square(missed), axis=-1)
        pulled = weights * tf.math.rsqrt(1 + squares / self.limit)
        weights = tf.where(self.squares_all, weights, pulled)
        roots = tf.repeat(tf.sqrt(weights), 3, axis=-1)[..., None]
        jacobian = _jacobian(self.model, pose.global_rotations, pose.posed) * roots
        missed = tf.reshape(missed, [count, -1, 1]) * roots
        data = tf.matmul(jacobian, jacobian, transpose_a=True)
        moments = tf.matmul(jacobian, missed, transpose_a=True)[..., 0]

        # A turn of a joint by e in its parent's axes changes |R - R0|^2 / 2 by
        # e . axial(R R0^T) + |e|^2 / 2 * 2.
        between = tf.matmul(rotations, self.toward, transpose_b=True)
        axial = tf.stack(
            [
                between[..., 2, 1] - between[..., 1, 2],
                between[..., 0, 2] - between[..., 2, 0],
                between[..., 1, 0] - between[..., 0, 1],
            ],
            axis=-1,
        )[:, 1:]
        outer = tf.linalg.matvec(self.parent_rotations(pose), axial)
        zeros = tf.zeros([count, 3], dtype)
        pull = tf.concat(
            [
                zeros,
                -0.5 * tf.reshape(self.pose_weight[..., None] * outer, [count, -1]),
                -self.beta_weight * (betas - self.toward_betas),
                zeros,
            ],
            axis=-1,
        )
        stiffness = tf.concat(
            [
                zeros,
                tf.repeat(self.pose_weight, 3, axis=-1),
                tf.repeat(self.beta_weight, self.model.num_betas, axis=-1),
                zeros,
            ],
            axis=-1,
        )
        return data, stiffness, moments + pull

    def step(self, state, damping):
        rotations, betas, pelvis = state
        pose = self.pose(state)
        data, stiffness, moments = self.linearised(state, pose)
        normal = tf.linalg.set_diag(data, tf.linalg.diag_part(data) + stiffness)
        scale, factor = _factorised(normal, damping[:, None])
        solution = tf.linalg.cholesky_solve(factor, (moments * scale)[..., None])[..., 0] * scale
        turns = tf.reshape(solution[:, :_NUM_TURNS], [-1, NUM_JOINTS, 3])
        inner = tf.linalg.matvec(self.parent_rotations(pose), turns[:, 1:], transpose_a=True)
        turns = tf.concat([turns[:, :1], inner], axis=1)
        rotations = tf.matmul(axis_angle_to_matrix(turns), rotations)
        return (
            rotations,
            betas + solution[:, _NUM_TURNS:-3],
            pelvis + solution[:, -3:],
        )

    def parent_rotations(self, pose):
        """Returns the global rotations of the joints' parents, `[N, 23, 3, 3]`."""
        return tf.gather(pose.global_rotations, self.model.parents[1:], axis=1)


def _jacobian(model, global_rotations, posed):
    """Differentiates points by joint rotations about the outer axes, betas and pelvis."""
    leading, dtype = tf.shape(posed.points), global_rotations.dtype
    turns = tf.reshape(model.turn_jacobian(posed), tf.concat([leading, [_NUM_TURNS]], axis=0))
    moves = tf.broadcast_to(tf.eye(3, dtype=dtype), tf.concat([leading, [3]], axis=0))
    jacobian = tf.concat([turns, model.shape_jacobian(global_rotations), moves], axis=-1)
    return tf.reshape(jacobian, [leading[0], 3 * leading[1], jacobian.shape[-1]])


def _factorised(normal, damping):
    """Scales a normal matrix to a diagonal of one, damps it, and takes its Cholesky factor.

    Parameters that no point determines have a diagonal near zero and do not change.
    """
    scale = tf.math.rsqrt(tf.linalg.diag_part(normal) + _LEAST_DIAGONAL)
    scaled = normal * scale[:, :, None] * scale[:, None, :]
    scaled = tf.linalg.set_diag(scaled, tf.ones_like(scale) * (1 + _ROUNDING + damping))
    return scale, tf.linalg.cholesky(scaled)
