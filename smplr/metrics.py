"""The columns of SMPLR's tables: errors of points, bones, surface, rotations and gender.

Functions of NumPy arrays or tensors that return named errors, one value per sample; `summary`
averages them. The names contain the unit.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from smpl_tf import metrics, rotations
from smpl_tf.skeleton import SMPL_24, SMPL_LEAF_JOINTS
from smplr.landmarks import NUM_JOINTS, point_skeleton

_MM = 1000.0


def point_errors(true: tf.Tensor, predicted: tf.Tensor) -> dict[str, np.ndarray]:
    """Computes the columns of Table 1.

    Args:
      true: root-relative, metres, `[N, P, 3]` with P = 41 or 23.
      predicted: in the same form.

    Returns:
      Name -> `[N]`, mm: `<group>_mm` for the eight groups of joints; `joints_16_mm`, the average
      in most rows of the paper's Table 1; `joints_23_mm`, over all joints except the root;
      `pa_joints_mm` and `pa_rigid_joints_mm`, over all 24 after alignment (protocol 2);
      `landmarks_mm` where there are landmarks; `bones_mm`, absolute errors of bone lengths.

    Source: paper 4.3 and Table 1. In ten of its rows "Avg. Jt" is the mean of the eight groups, as
      that of 16 joints is; in the rows SHN and SHN_nL it is 2 mm more. So both are given.
    """
    # The root is at the origin in both.
    true, predicted = (
        tf.pad(tf.cast(points, tf.float32), [[0, 0], [1, 0], [0, 0]])
        for points in (true, predicted)
    )
    true_joints, joints = true[:, :NUM_JOINTS], predicted[:, :NUM_JOINTS]
    distances = _MM * metrics.point_distances(true_joints, joints).numpy()

    def mean(protocol):
        return metrics.select_joints(distances, protocol).mean(axis=-1)

    errors = {f"{group}_mm": mean(group) for group in metrics.JOINT_GROUPS}
    errors["joints_16_mm"] = mean("smplr_16")
    errors["joints_23_mm"] = mean("smplr_23")
    errors["pa_joints_mm"] = _MM * metrics.pa_mpjpe(true_joints, joints).numpy()
    rigid = metrics.pa_mpjpe(true_joints, joints, with_scale=False)
    errors["pa_rigid_joints_mm"] = _MM * rigid.numpy()
    if true.shape[1] > NUM_JOINTS:
        landmarks = metrics.mpjpe(true[:, NUM_JOINTS:], predicted[:, NUM_JOINTS:])
        errors["landmarks_mm"] = _MM * landmarks.numpy()
    parents = point_skeleton(true.shape[1] - 1).parents
    errors["bones_mm"] = _MM * metrics.bone_error(true, predicted, parents).numpy()
    return errors


def surface_errors(true: tf.Tensor, predicted: tf.Tensor) -> dict[str, np.ndarray]:
    """Computes surface errors under both protocols.

    Args:
      true: vertices, the root at the origin, metres, `[N, V, 3]`.
      predicted: in the same form.

    Returns:
      `surface_mm` and `pa_surface_mm`, `[N]`.

    Source: paper 4.3.
    """
    return {
        "surface_mm": _MM * metrics.surface_error(true, predicted).numpy(),
        "pa_surface_mm": _MM * metrics.pa_mpjpe(true, predicted).numpy(),
    }


def rotation_errors(true: tf.Tensor, predicted: tf.Tensor) -> dict[str, np.ndarray]:
    """Computes errors of parent-relative rotations, separately for leaf joints.

    Args:
      true: rotations, `[N, 24, 3, 3]`.
      predicted: proper rotation matrices, `[N, 24, 3, 3]`.

    Returns:
      `rotation_deg` over the root and the inner joints, and `leaf_rotation_deg`, `[N]`.

    Source: not in the paper.
    """
    angles = np.rad2deg(rotations.geodesic_angle(true, predicted).numpy())
    leaves = SMPL_24.indices(SMPL_LEAF_JOINTS)
    return {
        "rotation_deg": np.delete(angles, leaves, axis=-1).mean(axis=-1),
        "leaf_rotation_deg": angles[:, leaves].mean(axis=-1),
    }


def gender_hits(true: tf.Tensor, predicted: tf.Tensor) -> dict[str, np.ndarray]:
    """Computes whether the gender is right.

    Args:
      true: `[N]`, +1 male, -1 female, NaN unknown.
      predicted: `[N]`, male where at least 0.

    Returns:
      `gender_accuracy`, `[N]`, 1 or 0, NaN where unknown.

    Source: paper 4.4.3 (89.5 % on SURREAL).
    """
    true = np.asarray(true)
    hits = (np.asarray(predicted) >= 0) == (true >= 0)
    return {"gender_accuracy": np.where(np.isnan(true), np.nan, hits)}


def summary(errors: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Averages errors over the samples that have them.

    Args:
      errors: name -> `[N]`.

    Returns:
      Name -> mean; names without any known value are left out.
    """
    return {
        name: float(np.nanmean(values))
        for name, values in errors.items()
        if not np.isnan(values).all()
    }
