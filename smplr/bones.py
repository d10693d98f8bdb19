"""Points to bones and back: unit directions N and length residuals B (paper 3.2, eq. 1 and 2).

Points are root-relative, metres, `[..., P, 3]` with P = 41 or 23; the root is the origin and is
not included. Bone i ends at point i and starts at its parent in the tree.

A missing point (`valid` false, or not finite) leaves the bones that touch it unobserved: their
direction is the zero vector and their length the template's, so N = 0 and B = 0 there.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from smplr.landmarks import NUM_JOINTS, point_skeleton

# Added to squared lengths: a bone of length zero gets direction zero and a finite gradient, and a
# bone of a centimetre changes by a part in 2e8.
_EPSILON = 1e-12


def root_relative(joints: tf.Tensor, landmarks: tf.Tensor | None = None) -> tf.Tensor:
    """Joins joints and landmarks and moves the root to the origin.

    Args:
      joints: SMPL's joints, metres, any frame, `[..., 24, 3]`.
      landmarks: SMPLR's landmarks in the same frame, `[..., 18, 3]`, or None for joints alone.

    Returns:
      Points, metres, axes of the input, `[..., 41, 3]` or `[..., 23, 3]`.
    """
    points = joints[..., 1:, :]
    if landmarks is not None:
        points = tf.concat([points, landmarks], axis=-2)
    return points - joints[..., :1, :]


def split_points(points: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Splits root-relative points into joints `[..., 23, 3]` and landmarks `[..., 18 or 0, 3]`."""
    return points[..., : NUM_JOINTS - 1, :], points[..., NUM_JOINTS - 1 :, :]


def observed_points(
    points: tf.Tensor, valid: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Separates valid points from missing ones.

    Args:
      points: `[..., P, 3]`, metres; a missing point may be NaN or infinite.
      valid: bool `[..., P]`, or None if only non-finite points are missing.

    Returns:
      Points with missing ones moved to the origin, `[..., P, 3]`, and bool `[..., P]`.
    """
    finite = tf.reduce_all(tf.math.is_finite(points), axis=-1)
    valid = finite if valid is None else tf.logical_and(tf.cast(valid, tf.bool), finite)
    return tf.where(valid[..., None], points, tf.zeros_like(points)), valid


def _parents(points: tf.Tensor) -> np.ndarray:
    """Returns the parent of each point, as an index into the points with the root prepended."""
    return np.array(point_skeleton(points.shape[-2]).parents[1:], np.int32)


def bone_vectors(points: tf.Tensor) -> tf.Tensor:
    """Returns each point minus its parent, metres, `[..., P, 3]`."""
    rooted = tf.concat([tf.zeros_like(points[..., :1, :]), points], axis=-2)
    return points - tf.gather(rooted, _parents(points), axis=-2)


def bone_lengths(points: tf.Tensor) -> tf.Tensor:
    """Returns the length of each bone of root-relative points, metres, `[..., P]`.

    For networks and losses: unlike that of `smpl_tf.metrics.bone_lengths`, the gradient of a bone
    of length zero is finite.
    """
    return tf.sqrt(tf.reduce_sum(tf.square(bone_vectors(points)), axis=-1) + _EPSILON)


def observed_bones(valid: tf.Tensor) -> tf.Tensor:
    """Returns which bones have two valid ends, bool `[..., P]`, from valid points `[..., P]`."""
    rooted = tf.concat([tf.ones_like(valid[..., :1]), valid], axis=-1)
    return tf.logical_and(valid, tf.gather(rooted, _parents(valid[..., None]), axis=-1))


def bone_directions(points: tf.Tensor, valid: tf.Tensor | None = None) -> tf.Tensor:
    """Computes N, the unit vector along each bone.

    Args:
      points: root-relative, metres, `[..., P, 3]`.
      valid: bool `[..., P]`, or None if only non-finite points are missing.

    Returns:
      `[..., P, 3]`, from parent to child; zero for an unobserved bone or one of length zero.

    Source: paper eq. 1; the sign (child - parent) is the released code's.
    """
    points, valid = observed_points(points, valid)
    directions = bone_vectors(points) / bone_lengths(points)[..., None]
    return tf.where(observed_bones(valid)[..., None], directions, tf.zeros_like(directions))


def length_residuals(
    points: tf.Tensor, template_lengths: tf.Tensor, valid: tf.Tensor | None = None
) -> tf.Tensor:
    """Computes B, the difference of each bone's length to the template's.

    Args:
      points: root-relative, metres, `[..., P, 3]`.
      template_lengths: B*, metres, `[P]`.
      valid: bool `[..., P]`, or None if only non-finite points are missing.

    Returns:
      Metres, `[..., P]`; zero for an unobserved bone.

    Source: paper eq. 2.
    """
    points, valid = observed_points(points, valid)
    residuals = bone_lengths(points) - tf.cast(template_lengths, points.dtype)
    return tf.where(observed_bones(valid), residuals, tf.zeros_like(residuals))


def points_from_bones(
    directions: tf.Tensor, residuals: tf.Tensor, template_lengths: tf.Tensor
) -> tf.Tensor:
    """Rebuilds root-relative points from N and B: the inverse of the two functions above.

    Args:
      directions: N, `[..., P, 3]`.
      residuals: B, metres, `[..., P]`.
      template_lengths: B*, metres, `[P]`.

    Returns:
      Points, metres, `[..., P, 3]`.
    """
    lengths = residuals + tf.cast(template_lengths, residuals.dtype)
    bones = directions * lengths[..., None]
    on_path = tf.constant(bone_paths(_parents(directions)), directions.dtype)
    return tf.einsum("ij,...jk->...ik", on_path, bones)


def bone_paths(parents: Sequence[int] | np.ndarray) -> np.ndarray:
    """Returns which bones are on the path from the root to each point.

    Args:
      parents: of the points without the root, as indices into the points with the root, `[P]`.

    Returns:
      0 or 1, float64 `[P, P]`: points by bones.
    """
    paths = np.eye(len(parents))
    for point, parent in enumerate(parents):
        if parent > 0:
            paths[point] += paths[parent - 1]
    return paths
