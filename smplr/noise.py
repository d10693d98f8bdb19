"""Noise that a denoising autoencoder learns to remove (paper 3.4 and 4.4.2).

Every function takes root-relative points in metres and camera axes, `[..., P, 3]`, and a stateless
seed, int `[2]`: the same seed gives the same noise. The root has no noise: it is the origin.
"""

import functools

import numpy as np
import tensorflow as tf

from smpl_tf.kinematics import relative_to_global
from smpl_tf.rotations import axis_angle_to_matrix
from smpl_tf.skeleton import SMPL_24
from smplr.bones import bone_paths, bone_vectors
from smplr.landmarks import LIMBS, carrying_joints, point_skeleton

# Half-widths of the released uniform noise in mm, of points 1..41: x, y, z (away). The released
# table has depth first.
_LIMITS_MM = np.array(
    [
        *((7, 5, 8), (7, 5, 8), (7, 5, 8), (22, 20, 34), (23, 19, 34), (9, 10, 15)),
        *((24, 24, 54), (22, 26, 52), (9, 11, 17), (24, 25, 57), (23, 25, 56), (11, 14, 26)),
        *((10, 12, 22), (10, 12, 22), (12, 16, 30), (16, 17, 26), (16, 17, 27), (26, 28, 44)),
        *((26, 27, 46), (31, 36, 65), (30, 33, 70), (34, 41, 76), (32, 38, 82)),
        *((15, 15, 21), (15, 15, 22), (11, 10, 11), (13, 9, 13), (13, 8, 13), (16, 14, 18)),
        *((15, 14, 19), (12, 10, 16), (12, 10, 15), (28, 30, 60), (26, 29, 60), (41, 49, 85)),
        *((17, 19, 30), (20, 22, 31), (18, 20, 34), (20, 22, 34), (42, 46, 91), (22, 29, 39)),
    ],
    np.float64,
)

# Structured noise: the fraction of its parent's error that a point inherits, ...
_LIMB_CORRELATION = 0.7
# ... how often a limb is occluded from some joint outwards, and the factor of the error there, ...
_OCCLUSION_RATE = 0.3
_OCCLUSION_GAIN = 2.5
_STARTS_PER_LIMB = 3
# ... and how often the depth of an occluded limb is reversed.
_DEPTH_REVERSAL_RATE = 0.25
# Scales the mean error to about 60 mm on varied poses, as of the paper's hourglass.
_STRUCTURED_SCALE = 1.75


def noise_limits(num_points: int) -> np.ndarray:
    """Returns the released half-widths of uniform noise, metres, float64 `[num_points, 3]`."""
    return _LIMITS_MM[:num_points] / 1000


def uniform_noise(points: tf.Tensor, seed: tf.Tensor, scale: float = 1.0) -> tf.Tensor:
    """Adds independent noise, uniform within limits for each point and axis.

    Args:
      points: metres, camera axes, `[..., P, 3]`.
      seed: int `[2]`.
      scale: factor of the limits; 1 displaces points by 27 mm on average.

    Returns:
      Noisy points, metres, `[..., P, 3]`.

    Source: paper 4.4.2 ("uniform noise with constraints for each joint"); limits as released.
    """
    limits = _limits(points) * scale
    draws = tf.random.stateless_uniform(tf.shape(points), seed, -1.0, 1.0, points.dtype)
    return points + limits * draws


def gaussian_noise(points: tf.Tensor, seed: tf.Tensor, scale: float = 1.0) -> tf.Tensor:
    """Adds independent Gaussian noise with the variances of `uniform_noise`.

    Args:
      points: metres, camera axes, `[..., P, 3]`.
      seed: int `[2]`.
      scale: factor of the standard deviations.

    Returns:
      Noisy points, metres, `[..., P, 3]`.

    Source: paper 3.4 (the error of visible joints), without a size.
    """
    deviations = _limits(points) * (scale / np.sqrt(3))
    return points + deviations * tf.random.stateless_normal(
        tf.shape(points), seed, dtype=points.dtype
    )


def structured_noise(points: tf.Tensor, seed: tf.Tensor, scale: float = 1.0) -> tf.Tensor:
    """Simulates the errors of a network that estimates points from a picture.

    Errors are Gaussian, largest in depth and at hands and feet, and accumulate along the limbs.
    Limbs are occluded at random, from a random joint outwards: their errors are larger, and
    sometimes their depth is reversed about the parent joint.

    Args:
      points: metres, camera axes, `[..., P, 3]`.
      seed: int `[2]`.
      scale: factor of the Gaussian errors; 1 displaces points by about 60 mm on average.

    Returns:
      Noisy points, metres, `[..., P, 3]`.

    Source: paper 3.4 describes such errors, but not how to generate them.
    """
    seeds = tf.unstack(tf.random.split(seed, 3))
    beyond, pivots, correlation = (
        tf.constant(table, points.dtype) for table in _structure(points.shape[-2])
    )

    # For each limb, the joint from which it is occluded, one-hot; all zero if it is visible.
    limbs = tf.concat([tf.shape(points)[:-2], tf.shape(beyond)[:1]], axis=0)
    draws = tf.random.stateless_uniform(limbs, seeds[0], dtype=points.dtype)
    first = tf.cast(draws / _OCCLUSION_RATE * _STARTS_PER_LIMB, tf.int32)
    first = tf.one_hot(first, _STARTS_PER_LIMB, dtype=points.dtype)
    reversals = tf.random.stateless_uniform(limbs, seeds[1], dtype=points.dtype)
    is_reversed = tf.cast(reversals < _DEPTH_REVERSAL_RATE, points.dtype)

    occluded = tf.einsum("...ls,lsp->...p", first, beyond)
    flipped = tf.einsum("...l,...ls,lsp->...p", is_reversed, first, beyond)
    depth = points[..., 2]
    rooted_depth = tf.concat([tf.zeros_like(depth[..., :1]), depth], axis=-1)
    pivot_depth = tf.einsum("...ls,lsp,lsq,...q->...p", first, beyond, pivots, rooted_depth)
    depth += 2 * flipped * (pivot_depth - depth)
    points = tf.concat([points[..., :2], depth[..., None]], axis=-1)

    errors = tf.random.stateless_normal(tf.shape(points), seeds[2], dtype=points.dtype)
    errors = tf.einsum("pq,...qc->...pc", correlation, errors)
    deviations = _limits(points) * (scale * _STRUCTURED_SCALE / np.sqrt(3))
    gain = 1 + (_OCCLUSION_GAIN - 1) * occluded
    return points + errors * deviations * gain[..., None]


def foreign_bones(
    points: tf.Tensor, rotations: tf.Tensor, seed: tf.Tensor, deviation: float
) -> tf.Tensor:
    """Rotates every bone in its body's rest pose, as for people with another skeleton.

    Bones keep their lengths and follow their joints. A network trained with this noise estimates
    rotations from the points of unknown bodies.

    Args:
      points: of bodies in the pose of `rotations`, metres, camera axes, `[N, P, 3]`.
      rotations: parent-relative, the root's in camera axes, `[N, 24, 3, 3]`.
      seed: int `[2]`.
      deviation: standard deviation of the rotation about each axis, radians.

    Returns:
      Points, metres, `[N, P, 3]`.

    Source: not in the paper, which trains and tests on one body.
    """
    parents = point_skeleton(points.shape[-2]).parents[1:]
    carriers = carrying_joints(points.shape[-2])
    frames = tf.gather(relative_to_global(rotations, SMPL_24.parents), carriers, axis=-3)
    turns = tf.random.stateless_normal(tf.shape(points), seed, dtype=points.dtype)
    turns = tf.matmul(axis_angle_to_matrix(turns * deviation), frames, transpose_b=True)
    bones = tf.linalg.matvec(tf.matmul(frames, turns), bone_vectors(points))
    return tf.einsum("ij,...jk->...ik", tf.constant(bone_paths(parents), points.dtype), bones)


def without_depth(points: tf.Tensor) -> tf.Tensor:
    """Sets the depth of all points to that of the root, as for a 2D estimator.

    Args:
      points: metres, camera axes, `[..., P, 3]`.

    Returns:
      Points with z = 0, `[..., P, 3]`.

    Source: paper 4.4.2 (DAE2d).
    """
    return points * tf.constant([1.0, 1.0, 0.0], points.dtype)


def missing_points(points: tf.Tensor, seed: tf.Tensor, rate: float) -> tf.Tensor:
    """Drops points at random.

    Args:
      points: metres, `[..., P, 3]`.
      seed: int `[2]`.
      rate: fraction of points to drop, 0 to 1.

    Returns:
      Points, NaN where dropped, `[..., P, 3]`.

    Source: not in the paper.
    """
    lost = tf.random.stateless_uniform(tf.shape(points)[:-1], seed) < rate
    return tf.where(lost[..., None], tf.constant(np.nan, points.dtype), points)


def _limits(points: tf.Tensor) -> tf.Tensor:
    return tf.constant(noise_limits(points.shape[-2]), points.dtype)


@functools.cache
def _structure(num_points: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the arrays that structured noise derives from the tree.

    Args:
      num_points: 41 or 23.

    Returns:
      beyond: 0/1 `[limbs, starts, P]`, the points that are occluded together with a limb's joint.
      pivots: one-hot `[limbs, starts, P + 1]`, the parent of that joint, root included.
      correlation: `[P, P]`, maps independent unit errors to correlated unit errors.
    """
    skeleton = point_skeleton(num_points)
    parents = skeleton.parents
    beyond = np.zeros((len(LIMBS), _STARTS_PER_LIMB, len(skeleton)))
    pivots = np.zeros_like(beyond)
    for limb, joints in enumerate(LIMBS.values()):
        for start, name in enumerate(joints[:_STARTS_PER_LIMB]):
            first = skeleton.index(name)
            beyond[limb, start, first] = 1
            pivots[limb, start, parents[first]] = 1
            for point in range(first + 1, len(skeleton)):
                beyond[limb, start, point] = beyond[limb, start, parents[point]]

    correlation = np.zeros((len(skeleton), len(skeleton)))
    for point in range(1, len(skeleton)):
        own = 1.0 if parents[point] == 0 else np.sqrt(1 - _LIMB_CORRELATION**2)
        correlation[point] = _LIMB_CORRELATION * correlation[parents[point]]
        correlation[point, point] = own
    return beyond[..., 1:], pivots, correlation[1:, 1:]
