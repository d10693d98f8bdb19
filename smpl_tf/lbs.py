"""The blend shapes and the skinning of SMPL, as functions of arrays."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from smpl_tf import kinematics
from smpl_tf.model_data import SMPLModelData

# Vertices are posed in blocks: neighbouring vertices follow few joints and are corrected by few,
# so a block skips most of the zeros. Smaller blocks would skip little more.
_VERTICES_PER_BLOCK = 1024


class VertexBlock(NamedTuple):
    """The arrays that pose some vertices, with the vertex as the last dimension for fast loops.

    Attributes:
      basis: [F, 3 n] metres; the rows are the template, the betas and the pose features of the
        correcting joints, the columns x of all vertices, then y, then z.
      correcting_joints: the joints whose rotation corrects the shape, counted without the root.
      weights: [k, n] skinning weights of the moving joints.
      moving_joints: the k joints that some of the vertices follow.
    """

    basis: tf.Tensor
    correcting_joints: np.ndarray
    weights: tf.Tensor
    moving_joints: np.ndarray


def vertex_blocks(
    data: SMPLModelData, vertex_ids: Sequence[int] | None, num_betas: int, dtype: tf.DType
) -> list[VertexBlock]:
    """Lays out a body's arrays for `pose_vertices`.

    Args:
      data: the body.
      vertex_ids: the vertices to pose, in this order; None for all.
      num_betas: how many shape components to use.
      dtype: tf.float32 or tf.float64.

    Returns:
      Blocks of vertices; none where there are no vertices.
    """
    ids = np.arange(data.num_vertices) if vertex_ids is None else np.asarray(vertex_ids, np.int64)
    blocks = []
    for start in range(0, len(ids), _VERTICES_PER_BLOCK):
        chosen = ids[start : start + _VERTICES_PER_BLOCK]
        posedirs = data.posedirs[chosen].reshape(len(chosen), 3, data.num_joints - 1, 9)
        correcting = np.flatnonzero(posedirs.any(axis=(0, 1, 3)))
        # The pose features are ordered by entry of R - I, then by joint.
        posedirs = posedirs[:, :, correcting].transpose(0, 1, 3, 2)
        rows = [
            data.v_template[chosen, :, None],
            data.shapedirs[chosen, :, :num_betas],
            posedirs.reshape(len(chosen), 3, -1),
        ]
        basis = np.concatenate(rows, axis=-1).transpose(2, 1, 0)
        moving = np.flatnonzero(data.weights[chosen].any(axis=0))
        blocks.append(
            VertexBlock(
                basis=tf.constant(basis.reshape(len(basis), -1), dtype),
                correcting_joints=correcting,
                weights=tf.constant(data.weights[chosen][:, moving].T, dtype),
                moving_joints=moving,
            )
        )
    return blocks


def pose_features(relative_rotations: tf.Tensor) -> tf.Tensor:
    """Returns the pose features, in which pose blend shapes are linear: R - I without the root.

    Args:
      relative_rotations: [..., J, 3, 3] rotations of each joint in its parent's frame.

    Returns:
      [..., 9 (J - 1)], joint by joint and row by row; zero in the rest pose.

    Source: SMPL (Loper 2015), equation 9.
    """
    features = relative_rotations[..., 1:, :, :] - tf.eye(3, dtype=relative_rotations.dtype)
    size = 9 * features.shape[-3]
    return tf.reshape(features, tf.concat([tf.shape(features)[:-3], [size]], axis=0))


def pose_vertices(
    betas: tf.Tensor,
    relative_rotations: tf.Tensor,
    global_rotations: tf.Tensor,
    rest_joints: tf.Tensor,
    joints: tf.Tensor,
    blocks: Sequence[VertexBlock],
) -> tf.Tensor:
    """Shapes, pose-corrects and skins vertices; all arguments have the batch last.

    Args:
      betas: [B, N].
      relative_rotations: [3, 3, J, N], finite.
      global_rotations: [3, 3, J, N], finite.
      rest_joints: [3, J, N] metres, before posing.
      joints: [3, J, N] metres, after posing and with the translation.
      blocks: from `vertex_blocks`.

    Returns:
      [N, V, 3] metres.

    Source: SMPL (Loper 2015), equations 2 and 5 to 9.
    """
    dtype = betas.dtype
    if not blocks:
        return tf.zeros([tf.shape(betas)[1], 0, 3], dtype)
    count = tf.shape(betas)[1]
    shape_features = tf.concat([tf.ones_like(betas[:1]), betas], axis=0)
    corrections = relative_rotations[:, :, 1:] - tf.reshape(tf.eye(3, dtype=dtype), [3, 3, 1, 1])
    # Each joint moves a point x of the rest pose to R x + (joint - R rest_joint).
    turned = tf.reduce_sum(global_rotations * rest_joints[None], axis=1)
    motions = tf.concat([global_rotations, (joints - turned)[:, None]], axis=1)
    posed = []
    for block in blocks:
        pose_part = kinematics.pick_joints(corrections, block.correcting_joints)
        pose_part = tf.reshape(pose_part, [9 * len(block.correcting_joints), count])
        features = tf.concat([shape_features, pose_part], axis=0)
        points = tf.matmul(features, block.basis, transpose_a=True)
        points = tf.reshape(points, [count, 3, block.weights.shape[1]])
        followed = kinematics.pick_joints(motions, block.moving_joints)
        followed = tf.transpose(followed, [3, 0, 1, 2])
        posed.append(linear_blend_skinning(points, followed, block.weights))
    return posed[0] if len(posed) == 1 else tf.concat(posed, axis=1)


def reached_vertices(reached: tf.Tensor, blocks: Sequence[VertexBlock]) -> tf.Tensor:
    """Finds the vertices that follow some joints.

    Args:
      reached: [J, N] bool, the joints.
      blocks: from `vertex_blocks`.

    Returns:
      [N, V] bool: which have a skinning weight for one of them.
    """
    found = [tf.zeros([tf.shape(reached)[1], 0], tf.bool)]
    for block in blocks:
        joints = tf.gather(tf.cast(reached, block.weights.dtype), block.moving_joints)
        found.append(tf.matmul(joints, block.weights, transpose_a=True) > 0)
    return tf.concat(found, axis=1)


def linear_blend_skinning(points: tf.Tensor, motions: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Moves each point by the weighted mean of the joints' rigid motions.

    Args:
      points: [N, 3, V] points of the unposed body, metres.
      motions: [N, 3, 4, J] each joint's motion (R | t), x -> R x + t.
      weights: [J, V] skinning weights; each column sums to 1.

    Returns:
      [N, V, 3] posed points, metres.

    Source: SMPL (Loper 2015), equation 2.
    """

    # The custom gradient blends the motions again: they are four times the size of the points, and
    # cheaper to recompute than to keep.
    @tf.custom_gradient
    def skin(points, motions):
        blended = _blend(motions, weights)
        x, y, z = points[:, 0, None], points[:, 1, None], points[:, 2, None]
        posed = blended[:, :, 0] * x + blended[:, :, 1] * y + blended[:, :, 2] * z
        posed = tf.transpose(posed + blended[:, :, 3], [0, 2, 1])

        def gradient(upstream):
            upstream = tf.transpose(upstream, [0, 2, 1])
            blended = _blend(motions, weights)
            by_points = tf.reduce_sum(blended[:, :, :3] * upstream[:, :, None], axis=1)
            homogeneous = tf.concat([points, tf.ones_like(points[:, :1])], axis=1)
            by_blended = upstream[:, :, None] * homogeneous[:, None]
            by_motions = tf.matmul(
                tf.reshape(by_blended, [-1, weights.shape[1]]), weights, transpose_b=True
            )
            return by_points, tf.reshape(by_motions, [-1, 3, 4, weights.shape[0]])

        return posed, gradient

    return skin(points, motions)


def _blend(motions, weights):
    blended = tf.matmul(tf.reshape(motions, [-1, weights.shape[0]]), weights)
    return tf.reshape(blended, [-1, 3, 4, weights.shape[1]])
