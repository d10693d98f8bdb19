"""Kinematic trees: parent-relative and global rotations, and the positions of posed joints.

Internally the batch is the last dimension: the motions of a tree are [3, 3 or 4, J, N], so that
one multiplication of two entries serves all bodies, and all joints of one depth move at once.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from smpl_tf.tensor_like import TensorLike


def relative_to_global(rotations: TensorLike, parents: Sequence[int]) -> tf.Tensor:
    """Chains parent-relative rotations from the root outwards.

    Args:
      rotations: [..., J, 3, 3] rotations of each joint in its parent's frame; the root's in the
        camera or world frame.
      parents: the parent of each joint, -1 for a root; a parent stands before its children.

    Returns:
      [..., J, 3, 3] rotations in the root's outer frame.

    Source: NBF section 3.2 predicts these.
    """
    rotations = tf.convert_to_tensor(rotations)
    leading = tf.shape(rotations)[:-3]
    return batch_first(_chain(batch_last(rotations, 3), parents), leading)


def global_to_relative(rotations: TensorLike, parents: Sequence[int]) -> tf.Tensor:
    """Expresses global rotations in each parent's frame; the reverse of `relative_to_global`.

    Args:
      rotations: [..., J, 3, 3] rotations in the root's outer frame.
      parents: the parent of each joint, -1 for a root.

    Returns:
      [..., J, 3, 3] parent-relative rotations; the root's is kept.
    """
    rotations = tf.convert_to_tensor(rotations)
    tree = np.asarray(parents)
    outer = tf.gather(rotations, np.maximum(tree, 0), axis=-3)
    relative = tf.matmul(outer, rotations, transpose_a=True)
    return tf.where((tree < 0)[:, None, None], rotations, relative)


def forward_kinematics(
    relative_rotations: tf.Tensor, rest_joints: tf.Tensor, parents: Sequence[int]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Poses a skeleton: turns each bone of the rest pose with its parent.

    Args:
      relative_rotations: [..., J, 3, 3] rotations of each joint in its parent's frame.
      rest_joints: [..., J, 3] joints of the unposed body, metres. The root turns about its own
        place, not about the origin.
      parents: the parent of each joint, -1 for a root; a parent stands before its children.

    Returns:
      global_rotations [..., J, 3, 3] and posed joints [..., J, 3], metres.

    Source: SMPL (Loper 2015), equations 3 and 4.
    """
    relative_rotations = tf.convert_to_tensor(relative_rotations)
    rest_joints = tf.convert_to_tensor(rest_joints, relative_rotations.dtype)
    leading = tf.shape(relative_rotations)[:-3]
    global_rotations, joints = forward_kinematics_batch_last(
        batch_last(relative_rotations, 3), batch_last(rest_joints, 2), parents
    )
    return batch_first(global_rotations, leading), batch_first(joints, leading)


def forward_kinematics_batch_last(
    relative_rotations: tf.Tensor, rest_joints: tf.Tensor, parents: Sequence[int]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Poses a skeleton as `forward_kinematics` does, with the batch last.

    Args:
      relative_rotations: [3, 3, J, N].
      rest_joints: [3, J, N] metres.
      parents: the parent of each joint, -1 for a root; a parent stands before its children.

    Returns:
      global_rotations [3, 3, J, N] and posed joints [3, J, N], metres.
    """
    bones = tf.matmul(_bones_from_joints(parents, rest_joints.dtype), rest_joints)
    motions = _chain(tf.concat([relative_rotations, bones[:, None]], axis=1), parents)
    return motions[:, :3], motions[:, 3]


def batch_last(tensor: tf.Tensor, inner: int) -> tf.Tensor:
    """Moves [..., J, components] to [components, J, N].

    Args:
      tensor: its `inner` last dimensions are the joints and their components.
      inner: 2 for points, 3 for rotations.

    Returns:
      [3, J, N] or [3, 3, J, N].
    """
    tail = tensor.shape[-inner:]
    tensor = tf.reshape(tensor, [-1, *tail])
    return tf.transpose(tensor, [*range(2, inner + 1), 1, 0])


def batch_first(tensor: tf.Tensor, leading: tf.Tensor) -> tf.Tensor:
    """Moves [components, J, N] back to [..., J, components].

    Args:
      tensor: [3, J, N] or [3, 3, J, N].
      leading: the leading dimensions into which N is split.

    Returns:
      [..., J, 3] or [..., J, 3, 3].
    """
    *components, num_joints, _ = tensor.shape
    rank = tensor.shape.rank
    tensor = tf.transpose(tensor, [rank - 1, rank - 2, *range(rank - 2)])
    return tf.reshape(tensor, tf.concat([leading, [num_joints, *components]], axis=0))


def pick_joints(tensor: tf.Tensor, joints: np.ndarray) -> tf.Tensor:
    """Picks joints by a matrix product, whose gradient is one operation and not tens.

    Args:
      tensor: [..., J, N], the batch last.
      joints: which of the J, in the order wanted.

    Returns:
      [..., len(joints), N].
    """
    count = tensor.shape[-2]
    if np.array_equal(joints, np.arange(count)):
        return tensor
    return tf.matmul(tf.constant(np.eye(count)[joints], tensor.dtype), tensor)


def _chain(motions, parents):
    """Chains parent-relative motions [3, C, J, N] from the roots outwards.

    C is 3 for rotations; with C = 4 the last column is the joint's position, given in its parent's
    frame and returned in the root's outer frame.
    """
    levels = _levels(parents)
    order = np.concatenate(levels)
    inner = tf.split(_reorder(motions, order), [len(level) for level in levels], axis=2)
    chained = [inner[0]]
    for depth in range(1, len(levels)):
        parents_there = np.searchsorted(levels[depth - 1], np.asarray(parents)[levels[depth]])
        outer = pick_joints(chained[-1], parents_there)
        moved = tf.reduce_sum(outer[:, :3, None] * inner[depth][None], axis=1)
        if motions.shape[1] == 4:
            last_column = tf.reshape(tf.constant([0.0, 0.0, 0.0, 1.0], motions.dtype), [4, 1, 1])
            moved += outer[:, 3:] * last_column
        chained.append(moved)
    return _reorder(tf.concat(chained, axis=2), np.argsort(order))


def _levels(parents):
    """The joints of each depth, in order."""
    depths: list[int] = []
    for parent in parents:
        depths.append(0 if parent < 0 else depths[parent] + 1)
    return [np.flatnonzero(np.equal(depths, depth)) for depth in range(max(depths) + 1)]


def _reorder(motions, order):
    """The joints in another order; SMPL's own is already that of the levels."""
    if np.array_equal(order, np.arange(len(order))):
        return motions
    return tf.gather(motions, order, axis=2)


def _bones_from_joints(parents, dtype):
    """The matrix (J, J) from joint positions to bone vectors; a root's bone is its position."""
    matrix = np.eye(len(parents))
    for joint, parent in enumerate(parents):
        if parent >= 0:
            matrix[joint, parent] = -1.0
    return tf.constant(matrix, dtype)
