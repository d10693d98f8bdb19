"""Procrustes alignment: the rigid motion or similarity that brings points onto points."""

from typing import NamedTuple

import tensorflow as tf

from smpl_tf.rotations import project_to_rotation
from smpl_tf.tensor_like import TensorLike


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

    def __call__(self, points: TensorLike) -> tf.Tensor:
        """Maps points [..., N, 3] to [..., N, 3], same unit."""
        turned = tf.matmul(points, self.rotation, transpose_b=True)
        return self.scale[..., None, None] * turned + self.translation[..., None, :]


def procrustes(
    source: TensorLike,
    target: TensorLike,
    weights: TensorLike | None = None,
    with_scale: bool = True,
) -> Similarity:
    """Finds the least-squares map from source points onto target points, never a reflection.

    Differentiable wherever the answer is unique. Where it is not (all points in one place or on
    one line), one of the possible answers is returned, always finite; if all weights are 0, the
    identity.

    Args:
      source: [..., N, 3] points, any unit.
      target: [..., N, 3] points, same unit.
      weights: [..., N] >= 0, for example a mask; None counts all points alike. A point of weight
        0 may be NaN.
      with_scale: True for a similarity, False for a rigid motion.

    Returns:
      Similarity whose call maps `source` near `target`, in the float type of `source`.

    Raises:
      ValueError: if source, target and weights differ in their number of points.

    Source: Umeyama 1991. NBF (Table 6) and SMPLR (protocol 2) say "rigid" where the methods that
    they compare with align by a similarity; report both.
    """
    target, source = corresponding(target, source, ("target", "source"))
    if weights is None:
        weights = tf.ones_like(source[..., 0])
    weights = tf.cast(weights, source.dtype)
    check_shapes(weights.shape, source.shape[:-1], ("weights", "the points"), 1)
    weights = weights[..., None]
    # A missing point may be NaN, and 0 * NaN is not 0.
    source = tf.where(weights > 0, source, 0.0)
    target = tf.where(weights > 0, target, 0.0)
    # By the largest first: the sum of large weights leaves the range of a float.
    weights = tf.math.divide_no_nan(weights, tf.reduce_max(weights, axis=-2, keepdims=True))
    weights = tf.math.divide_no_nan(weights, tf.reduce_sum(weights, axis=-2, keepdims=True))
    source_mean = tf.reduce_sum(weights * source, axis=-2, keepdims=True)
    target_mean = tf.reduce_sum(weights * target, axis=-2, keepdims=True)
    source_offsets, target_offsets = source - source_mean, target - target_mean

    # Scaled to unit size: squares of very small or large coordinates leave the range of a float.
    source_size, target_size = _largest(source_offsets), _largest(target_offsets)
    source_offsets, target_offsets = source_offsets / source_size, target_offsets / target_size
    covariance = tf.matmul(target_offsets, weights * source_offsets, transpose_a=True)
    rotation = project_to_rotation(covariance)
    scale = tf.ones_like(covariance[..., 0, 0])
    if with_scale:
        variance = tf.reduce_sum(weights * tf.square(source_offsets), axis=[-2, -1])
        spread = variance > 0
        fit = tf.reduce_sum(rotation * covariance, axis=[-2, -1])
        fit *= tf.squeeze(target_size / source_size, [-2, -1])
        scale = tf.where(spread, fit / tf.where(spread, variance, 1.0), scale)
    turned_mean = tf.linalg.matvec(rotation, source_mean[..., 0, :])
    translation = target_mean[..., 0, :] - scale[..., None] * turned_mean
    return Similarity(scale, rotation, translation)


def _largest(offsets):
    """The largest coordinate of each cloud; no gradient goes through, since it cancels."""
    size = tf.stop_gradient(tf.reduce_max(tf.abs(offsets), axis=[-2, -1], keepdims=True))
    return tf.where(size > 0, size, tf.ones_like(size))


def align(
    source: TensorLike,
    target: TensorLike,
    weights: TensorLike | None = None,
    with_scale: bool = True,
) -> tf.Tensor:
    """Moves source points onto target points; arguments as `procrustes`.

    Args:
      source: [..., N, 3] points, any unit.
      target: [..., N, 3] points, same unit.
      weights: [..., N] >= 0 or None.
      with_scale: True for a similarity, False for a rigid motion.

    Returns:
      [..., N, 3] aligned source points.
    """
    target, source = corresponding(target, source, ("target", "source"))
    return procrustes(source, target, weights, with_scale)(source)


def corresponding(
    true: TensorLike,
    predicted: TensorLike,
    names: tuple[str, str] = ("true", "predicted"),
    sample_rank: int = 2,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Converts two arrays that are compared entry by entry to one float type.

    Args:
      true: [..., N, D] points, or for another sample_rank [..., *sample].
      predicted: the same shape; leading dimensions may broadcast.
      names: of the two arrays, for the error message.
      sample_rank: how many last axes have to agree.

    Returns:
      Both as tensors of the type of `predicted`, or float32 if that is not a float or is shorter.

    Raises:
      ValueError: if their shapes do not fit.
    """
    predicted = tf.convert_to_tensor(predicted)
    if predicted.dtype not in (tf.float32, tf.float64):
        predicted = tf.cast(predicted, tf.float32)
    true = tf.cast(true, predicted.dtype)
    check_shapes(true.shape, predicted.shape, names, sample_rank)
    return true, predicted


def check_shapes(
    one: tf.TensorShape, other: tf.TensorShape, names: tuple[str, str], sample_rank: int
) -> None:
    """Rejects two arrays whose shapes do not fit; the error names them.

    Args:
      one: shape of the first array.
      other: shape of the second one.
      names: of the two arrays.
      sample_rank: how many last axes have to agree; the leading ones may broadcast.

    Raises:
      ValueError: if they do not fit.
    """
    if one.rank is None or other.rank is None:
        return
    (batch, sample), (other_batch, other_sample) = (
        (shape[: max(shape.rank - sample_rank, 0)], shape[max(shape.rank - sample_rank, 0) :])
        for shape in (one, other)
    )
    pairs = zip(batch[::-1], other_batch[::-1], strict=False)
    broadcast = all(a == b or 1 in (a, b) or None in (a, b) for a, b in pairs)
    if not (broadcast and sample.rank == sample_rank and sample.is_compatible_with(other_sample)):
        raise ValueError(
            f"{' and '.join(names)}: expected shapes that agree in the last {sample_rank} axes "
            f"and broadcast in the others, got {one} and {other}."
        )
