"""Procrustes alignment: the rigid motion or similarity that brings points onto points."""

from typing import NamedTuple

import tensorflow as tf

from smpl_tf.rotations import project_to_rotation


class Similarity(NamedTuple):
    """The map p -> scale * rotation p + translation.

    Attributes:
      scale: [...]; 1 for a rigid motion.
      rotation: [..., 3, 3], determinant +1.
      translation: [..., 3], unit of the points.
    """

    scale: tf.Tensor
    rotation: tf.Tensor
    translation: tf.Tensor

    def __call__(self, points):
        """Maps points [..., N, 3] to [..., N, 3], same unit."""
        turned = tf.matmul(points, self.rotation, transpose_b=True)
        return self.scale[..., None, None] * turned + self.translation[..., None, :]


def procrustes(source, target, weights=None, with_scale: bool = True) -> Similarity:
    """Finds the least-squares map from source points onto target points, never a reflection.

    Differentiable wherever the answer is unique. Where it is not (all points in one place or on
    one line), one finite answer of the many is given; without any weight, the identity.

    Args:
      source: [..., N, 3] points, any unit.
      target: [..., N, 3] points, same unit and float type.
      weights: [..., N] >= 0, for example a mask; None counts all points alike. A point of weight
        0 may be NaN.
      with_scale: True for a similarity, False for a rigid motion.

    Returns:
      Similarity whose call maps `source` near `target`.

    Source: Umeyama 1991. NBF (Table 6) and SMPLR (protocol 2) say "rigid" where the methods that
    they compare with align by a similarity; report both.
    """
    source = tf.convert_to_tensor(source)
    target = tf.convert_to_tensor(target, source.dtype)
    if weights is None:
        weights = tf.ones_like(source[..., 0])
    weights = tf.cast(weights, source.dtype)[..., None]
    # A missing point may be NaN, and 0 * NaN is not 0.
    source = tf.where(weights > 0, source, 0.0)
    target = tf.where(weights > 0, target, 0.0)
    weights = tf.math.divide_no_nan(weights, tf.reduce_sum(weights, axis=-2, keepdims=True))
    source_mean = tf.reduce_sum(weights * source, axis=-2, keepdims=True)
    target_mean = tf.reduce_sum(weights * target, axis=-2, keepdims=True)
    source_offsets, target_offsets = source - source_mean, target - target_mean

    covariance = tf.matmul(target_offsets, weights * source_offsets, transpose_a=True)
    rotation = project_to_rotation(covariance)
    scale = tf.ones_like(covariance[..., 0, 0])
    if with_scale:
        variance = tf.reduce_sum(weights * tf.square(source_offsets), axis=[-2, -1])
        spread = variance > 0
        fit = tf.reduce_sum(rotation * covariance, axis=[-2, -1])
        scale = tf.where(spread, fit / tf.where(spread, variance, 1.0), scale)
    turned_mean = tf.linalg.matvec(rotation, source_mean[..., 0, :])
    translation = target_mean[..., 0, :] - scale[..., None] * turned_mean
    return Similarity(scale, rotation, translation)


def align(source, target, weights=None, with_scale: bool = True):
    """Moves source points onto target points; arguments as `procrustes`.

    Args:
      source: [..., N, 3] points, any unit.
      target: [..., N, 3] points, same unit.
      weights: [..., N] >= 0 or None.
      with_scale: True for a similarity, False for a rigid motion.

    Returns:
      [..., N, 3] aligned source points.
    """
    return procrustes(source, target, weights, with_scale)(source)
