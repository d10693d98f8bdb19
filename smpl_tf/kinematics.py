"""Kinematic trees: parent-relative and global rotations, and the positions of posed joints.

Internally the batch is the last dimension: the motions of a tree are [3, 3 or 4, J, N], so that
one multiplication of two entries serves all bodies, and all joints of one depth move at once.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from smpl_tf.tensor_like import TensorLike


def relative_to_global(rotations: TensorLike, parents: Sequence[int]) -> tf.Tensor:
    """Chains parent-relative rotations from the root outwards.

    Args:
      rotations: [..., J, 3, 3] rotations of each joint in its parent's frame; the root's in the
        camera or world frame.
      parents: the parent of each joint, -1 for a root; a parent comes before its children.

    Returns:
      [..., J, 3, 3] rotations in the root's outer frame; NaN for a joint whose rotation is not
      finite and for those below it, and for no other.

    Source: NBF section 3.2 predicts these.
    """
    rotations = tf.convert_to_tensor(rotations)
    leading = tf.shape(rotations)[:-3]
    finite, broken = without_broken(batch_last(rotations, 3))
    chained = _chain(finite, parents)
    (chained,) = with_nan(broken, [chained], lambda: [reached(broken, parents)])
    return batch_first(chained, leading)


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
      parents: the parent of each joint, -1 for a root; a parent comes before its children.

    Returns:
      global_rotations [..., J, 3, 3] and posed joints [..., J, 3], metres. A rotation that is not
      finite makes its joint's global rotation and all below it NaN, and nothing else.

    Source: SMPL (Loper 2015), equations 3 and 4.
    """
    relative_rotations = tf.convert_to_tensor(relative_rotations)
    rest_joints = tf.convert_to_tensor(rest_joints, relative_rotations.dtype)
    leading = tf.shape(relative_rotations)[:-3]
    finite, broken = without_broken(batch_last(relative_rotations, 3))
    posed = forward_kinematics_batch_last(finite, batch_last(rest_joints, 2), parents)
    global_rotations, joints = with_nan(
        broken, posed, lambda: [reached(broken, parents), reached(broken, parents, itself=False)]
    )
    return batch_first(global_rotations, leading), batch_first(joints, leading)


def forward_kinematics_batch_last(
    relative_rotations: tf.Tensor, rest_joints: tf.Tensor, parents: Sequence[int]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Poses a skeleton as `forward_kinematics` does, with the batch last.

    Args:
      relative_rotations: [3, 3, J, N], finite: its matrix products would carry a NaN from a joint
        to all others of the same depth (see `without_broken`).
      rest_joints: [3, J, N] metres.
      parents: the parent of each joint, -1 for a root; a parent comes before its children.

    Returns:
      global_rotations [3, 3, J, N] and posed joints [3, J, N], metres.
    """
    bones = tf.matmul(_bones_from_joints(parents, rest_joints.dtype), rest_joints)
    motions = _chain(tf.concat([relative_rotations, bones[:, None]], axis=1), parents)
    return motions[:, :3], motions[:, 3]


def without_broken(rotations: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Replaces rotations that are not finite by the identity.

    Products with matrices of zeros and ones, or of skinning weights, add 0 * NaN for joints that
    have no part in a sum; so NaN is taken out before them, and `with_nan` puts it back in place.

    Args:
      rotations: [3, 3, J, N].

    Returns:
      The rotations [3, 3, J, N], and [J, N] bool: those that held a NaN or an infinity.
    """
    # Not is_finite, which TFLite lacks.
    finite = tf.reduce_all(tf.abs(rotations) < np.inf, axis=[0, 1])
    identity = tf.reshape(tf.eye(3, dtype=rotations.dtype), [3, 3, 1, 1])
    return tf.where(finite, rotations, identity), tf.logical_not(finite)


def reached(broken: tf.Tensor, parents: Sequence[int], itself: bool = True) -> tf.Tensor:
    """Finds the joints that broken rotations turn.

    Args:
      broken: [J, N] bool.
      parents: the parent of each joint, -1 for a root.
      itself: whether a joint counts, too; its own place does not depend on its rotation.

    Returns:
      [J, N] bool.
    """
    above = np.eye(len(parents))
    for joint, parent in enumerate(parents):
        if parent >= 0:
            above[joint] += above[parent]
    above -= 0.0 if itself else np.eye(len(parents))
    return tf.matmul(tf.constant(above, tf.float32), tf.cast(broken, tf.float32)) > 0


def with_nan(
    broken: tf.Tensor, posed: Sequence[tf.Tensor], masks: Callable[[], Sequence[tf.Tensor]]
) -> list[tf.Tensor]:
    """Makes NaN of what broken rotations reach.

    Args:
      broken: [J, N] bool, from `without_broken`.
      posed: results that are finite.
      masks: gives a bool for each result, broadcast against it: what is reached. Called where
        some rotation is broken; else the results are passed on as they are.

    Returns:
      The results. Gradients pass through them as if nothing were broken.
    """

    @tf.custom_gradient
    def marked(*posed):
        def spread():
            return [
                tf.where(mask, tf.constant(np.nan, one.dtype), one)
                for mask, one in zip(masks(), posed, strict=True)
            ]

        found = tf.cond(tf.reduce_any(broken), spread, lambda: list(posed))
        return found, lambda *upstream: upstream

    return list(marked(*posed))


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
