"""The 226 numbers that the fitting network predicts: 10 betas and 24 rotation matrices."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from smpl_tf import kinematics, rotations
from smpl_tf.skeleton import SMPL_24

NUM_BETAS = 10
NUM_PARAMETERS = NUM_BETAS + 24 * 9  # 226; paper 4.2

# Features that `parameter_statistics` reads.
STATISTICS_FEATURES = (
    "smpl/pose",
    "smpl/neutral_betas",
    "smpl/neutral_betas/valid",
    "smpl/valid",
)


def join_parameters(betas: tf.Tensor, global_rotations: tf.Tensor) -> tf.Tensor:
    """Concatenates betas and rotations to the network's 226 numbers.

    Args:
      betas: `[..., 10]`.
      global_rotations: `[..., 24, 3, 3]`, in the camera frame.

    Returns:
      `[..., 226]`: betas, then the rotation matrices row by row.

    Source: the released code, options.py:14-16.
    """
    shape = tf.concat([tf.shape(betas)[:-1], [24 * 9]], 0)
    return tf.concat([betas, tf.reshape(global_rotations, shape)], -1)


def split_parameters(parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Splits the network's 226 numbers; the inverse of `join_parameters`."""
    betas, matrices = tf.split(parameters, [NUM_BETAS, 24 * 9], -1)
    shape = tf.concat([tf.shape(parameters)[:-1], [24, 3, 3]], 0)
    return betas, tf.reshape(matrices, shape)


def parameter_targets(example: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Returns the 226 parameters of an Example, `[..., 226]`: neutral betas, global rotations."""
    relative = rotations.axis_angle_to_matrix(example["smpl/pose"])
    global_rotations = kinematics.relative_to_global(relative, SMPL_24.parents)
    return join_parameters(example["smpl/neutral_betas"], global_rotations)


def parameters_valid(example: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Returns which of the 226 parameters are known for an Example, bool `[..., 226]`."""
    shape = tf.cast(example["smpl/valid"], tf.bool)[..., tf.newaxis]
    betas = tf.cast(example["smpl/neutral_betas/valid"], tf.bool)[..., tf.newaxis]
    return tf.concat([tf.repeat(shape & betas, NUM_BETAS, -1), tf.repeat(shape, 24 * 9, -1)], -1)


def parameter_statistics(examples: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Computes mean and standard deviation of the parameters of a training set.

    Args:
      examples: one epoch of Examples, batched or not; only `STATISTICS_FEATURES` are read, so
        nothing needs decoding.

    Returns:
      mean `[226]` and standard deviation `[226]`, float32, each over the Examples with that
      parameter.

    Raises:
      ValueError: if the dataset never ends, or no Example has SMPL parameters with neutral betas.

    Source: the released code's `train_mean` file; recomputed over global rotations, since the file
      has relative ones.
    """
    if examples.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            "examples: expected one epoch of the training set, got a dataset that never ends; "
            "load it with epochs=1, or take() as many Examples as the training set has."
        )
    total, squares, count = (np.zeros(NUM_PARAMETERS) for _ in range(3))
    needed = examples.map(lambda example: {key: example[key] for key in STATISTICS_FEATURES})
    for example in needed:
        known = np.reshape(parameters_valid(example), [-1, NUM_PARAMETERS]).astype(np.float64)
        parameters = known * np.reshape(parameter_targets(example), [-1, NUM_PARAMETERS])
        total += parameters.sum(0)
        squares += (parameters**2).sum(0)
        count += known.sum(0)
    if not count.min():
        raise ValueError(
            "No Example of the training set has SMPL parameters with neutral betas "
            "(smpl/valid = 1 and smpl/neutral_betas/valid = 1)."
        )
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    return mean.astype(np.float32), deviation.astype(np.float32)


def upright_parameters() -> np.ndarray:
    """Returns the 226 parameters of the mean shape in the rest pose, upright before the camera."""
    upright = np.diag([1.0, -1.0, -1.0])  # SMPL's y up and z front -> the camera's
    return np.concatenate([np.zeros(NUM_BETAS), np.tile(upright.ravel(), 24)]).astype(np.float32)
