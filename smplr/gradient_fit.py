"""Fits a body to points by gradient descent through SMPL: a baseline for SMPLR's networks.

Source: not in the paper. It follows SMPLify (Bogo et al. 2016) without its learned priors.
"""

import numpy as np
import tensorflow as tf

from smpl_tf.kinematics import relative_to_global
from smplr.inverse_fit import InverseFit, flat_problem, torso_placed, unflatten
from smplr.landmarks import NUM_JOINTS
from smplr.point_model import PointModel

# Smooths the distance at zero, metres.
_DISTANCE_ROUNDING = 1e-3


def gradient_fit(
    points: tf.Tensor,
    model: PointModel,
    weights: tf.Tensor | None = None,
    start: InverseFit | None = None,
    steps: int = 200,
    learning_rate: float = 0.05,
    beta_weight: float = 1e-3,
    pose_weight: float = 1e-3,
) -> InverseFit:
    """Fits a body by Adam on the distance of its points.

    Args:
      points: metres, any frame, `[..., P, 3]`; missing points may be NaN or infinite.
      model: the body.
      weights: `[..., P]`, 0 for a missing point; None: equal weights.
      start: initial body, such as the networks' result; None is the rest pose, rigidly aligned to
        the torso.
      steps: number of gradient steps.
      learning_rate: Adam's; decays to 0 along half a cosine.
      beta_weight: weight of the pull of the betas towards 0, metres.
      pose_weight: weight of the pull of the joints towards the rest pose, metres.

    Returns:
      The fit.

    Raises:
      ValueError: if the number of points does not match the skeleton.
    """
    points, weights, leading = flat_problem(points, weights, model)
    count, dtype = tf.shape(points)[0], points.dtype
    shares = tf.math.divide_no_nan(weights, tf.reduce_sum(weights, axis=-1, keepdims=True))
    if start is None:
        root, pelvis = torso_placed(points, weights, model)
        upright = tf.eye(3, batch_shape=[count, NUM_JOINTS - 1], dtype=dtype)
        rotations = tf.concat([root[:, None], upright], axis=1)
        betas = tf.zeros([count, model.num_betas], dtype)
    else:
        rotations = tf.reshape(tf.cast(start.rotations, dtype), [-1, NUM_JOINTS, 3, 3])
        betas = tf.reshape(tf.cast(start.betas, dtype), [-1, model.num_betas])
        pelvis = tf.reshape(tf.cast(start.pelvis, dtype), [-1, 3])

    def body(six_numbers, betas, pelvis):
        rotations = _orthonormal(six_numbers)
        global_rotations = relative_to_global(rotations, model.parents)
        posed = model.pose(model.rest_sources(rotations, betas), global_rotations)
        return rotations, posed.points + pelvis[:, None]

    def objective(six_numbers, betas, pelvis):
        rotations, fitted = body(six_numbers, betas, pelvis)
        squared = tf.reduce_sum(tf.square(fitted - points), axis=-1)
        distances = tf.sqrt(squared + _DISTANCE_ROUNDING**2)
        bending = tf.square(rotations[:, 1:] - tf.eye(3, dtype=dtype))
        return (
            tf.reduce_sum(shares * distances, axis=-1)
            + beta_weight * tf.reduce_mean(tf.square(betas), axis=-1)
            + pose_weight * tf.reduce_mean(bending, axis=(1, 2, 3))
        )

    variables = (rotations[:, :, :2], betas, pelvis)
    variables = _adam(objective, variables, steps, learning_rate)
    rotations, fitted = body(*variables)
    return unflatten(InverseFit(rotations, variables[1], variables[2], fitted), leading)


def _orthonormal(six_numbers):
    """Turns two rows, `[..., 2, 3]`, into a rotation by Gram-Schmidt, `[..., 3, 3]`."""
    first = tf.math.l2_normalize(six_numbers[..., 0, :], axis=-1)
    second = six_numbers[..., 1, :]
    second -= tf.reduce_sum(first * second, axis=-1, keepdims=True) * first
    second = tf.math.l2_normalize(second, axis=-1)
    return tf.stack([first, second, tf.linalg.cross(first, second)], axis=-2)


def _adam(objective, variables, steps, learning_rate):
    """Minimises an objective with one value per sample; the samples are independent."""
    beta_1, beta_2 = 0.9, 0.999

    def step(index, variables, means, squares):
        with tf.GradientTape() as tape:
            tape.watch(variables)
            value = objective(*variables)
        gradients = tape.gradient(value, variables)
        time = tf.cast(index + 1, value.dtype)
        rate = 0.5 * learning_rate * (1 + tf.cos(np.pi * (time - 1) / steps))
        rate *= tf.sqrt(1 - beta_2**time) / (1 - beta_1**time)
        means = tuple(beta_1 * m + (1 - beta_1) * g for m, g in zip(means, gradients, strict=True))
        squares = tuple(
            beta_2 * s + (1 - beta_2) * g**2 for s, g in zip(squares, gradients, strict=True)
        )
        variables = tuple(
            v - rate * m / (tf.sqrt(s) + 1e-8)
            for v, m, s in zip(variables, means, squares, strict=True)
        )
        return index + 1, variables, means, squares

    zeros = tuple(tf.zeros_like(variable) for variable in variables)
    state = (tf.constant(0), variables, zeros, zeros)
    return tf.while_loop(lambda index, *_: index < steps, step, state)[1]
