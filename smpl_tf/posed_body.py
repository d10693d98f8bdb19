"""A body's arrays as constants, and its pose as a function of them; equal layers share both."""

import weakref
from functools import partial

import numpy as np
import tensorflow as tf

from smpl_tf import kinematics, lbs, rotations
from smpl_tf.graph import Graph
from smpl_tf.model_data import SMPLModelData

# What layers use now; it goes with the last of them.
_IN_USE: weakref.WeakValueDictionary[tuple, "PosedBody"] = weakref.WeakValueDictionary()


def posed_body(
    data: SMPLModelData, vertex_ids: tuple[int, ...] | None, num_betas: int, dtype: tf.DType
) -> "PosedBody":
    """Returns the body that another layer already uses, or a new one.

    Laying out a body and making its graphs takes half a second, and its arrays some 20 MB.

    Args:
      data: the body.
      vertex_ids: the vertices to pose, in this order; None for all.
      num_betas: how many shape components to use.
      dtype: tf.float32 or tf.float64.

    Returns:
      The body; the same one as long as it is in use.
    """
    key = (id(data), vertex_ids, num_betas, dtype)  # it keeps the data, so the id is not another's
    found = _IN_USE.get(key)
    if found is None:
        found = _IN_USE[key] = PosedBody(data, vertex_ids, num_betas, dtype)
    return found


class PosedBody:
    """Poses batches of one body.

    Attributes:
      data: the body.
      pose_axis_angles: `pose` as a graph for axis-angles, any number of them.
      pose_matrices: `pose` as a graph for matrices.

    Args:
      data: the body.
      vertex_ids: the vertices to pose, in this order; None for all.
      num_betas: how many shape components to use.
      dtype: tf.float32 or tf.float64.
    """

    def __init__(
        self,
        data: SMPLModelData,
        vertex_ids: tuple[int, ...] | None,
        num_betas: int,
        dtype: tf.DType,
    ):
        self.data = data
        self._parents = tuple(data.parents.tolist())
        regress = partial(np.einsum, "jv,vcs->cjs", data.J_regressor)
        with tf.init_scope():
            self._joint_template = tf.constant(regress(data.v_template[..., None]), dtype)
            self._joint_shapedirs = tf.constant(regress(data.shapedirs[..., :num_betas]), dtype)
            self._blocks = lbs.vertex_blocks(data, vertex_ids, num_betas, dtype)
        betas, joints = tf.TensorSpec([None, num_betas], dtype), len(self._parents)
        self.pose_axis_angles, self.pose_matrices = (
            Graph(self.pose, betas, tf.TensorSpec([None, joints, *shape], dtype))
            for shape in ([3], [3, 3])
        )

    def pose(
        self, betas: tf.Tensor, relative: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Poses bodies, without translation.

        Args:
          betas: [N, num_betas].
          relative: parent-relative rotations, axis-angles [N, J, 3] or matrices [N, J, 3, 3].

        Returns:
          Vertices [N, V, 3] and joints [N, J, 3], metres; global rotations [N, J, 3, 3].
        """
        if relative.shape.rank == 3:
            relative = rotations.axis_angle_to_matrix(relative)
        # From here on the batch is the last dimension.
        betas = tf.transpose(betas)
        relative, broken = kinematics.without_broken(kinematics.batch_last(relative, 3))
        rest = self._joint_template + tf.tensordot(self._joint_shapedirs, betas, 1)
        global_rotations, placed = kinematics.forward_kinematics_batch_last(
            relative, rest, self._parents
        )
        vertices = lbs.pose_vertices(betas, relative, global_rotations, rest, placed, self._blocks)

        def reached():
            turned = kinematics.reached(broken, self._parents)
            moved = kinematics.reached(broken, self._parents, itself=False)
            return lbs.reached_vertices(turned, self._blocks)[..., None], moved, turned

        posed = vertices, placed, global_rotations
        vertices, placed, global_rotations = kinematics.with_nan(broken, posed, reached)
        batch = tf.shape(betas)[1:]
        joints = kinematics.batch_first(placed, batch)
        return vertices, joints, kinematics.batch_first(global_rotations, batch)
