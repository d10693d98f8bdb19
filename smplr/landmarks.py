"""SMPLR's points on a body: landmark vertices, template bone lengths, limbs.

A body is represented by 24 joints and 18 surface points; their names and tree are in
`smpl_tf.skeleton.SMPLR_42`. The pelvis is the origin, so networks take the 41 other points, or the
23 other joints without landmarks (the `nL` rows of the paper's Table 1).
"""

import numpy as np

from smpl_tf.model_data import SMPLModelData
from smpl_tf.skeleton import (
    SMPL_24,
    SMPLR_42,
    SMPLR_LANDMARK_VERTICES,
    SMPLR_LANDMARKS,
    Skeleton,
)

NUM_JOINTS = len(SMPL_24)
NUM_LANDMARKS = len(SMPLR_LANDMARKS)

# B* of SMPL in metres, one length per bone, in the order of points 1..41 (as released). They come
# from a female-like template.
SMPL_TEMPLATE_LENGTHS = np.array(
    [
        *(0.1148, 0.1127, 0.1056, 0.3656, 0.3725, 0.1277, 0.3860, 0.3862, 0.0565, 0.1289, 0.1286),
        *(0.2141, 0.1446, 0.1451, 0.0801, 0.0913, 0.0955, 0.2530, 0.2472, 0.2382, 0.2454, 0.0813),
        0.0814,
        *(0.1461, 0.1390, 0.1461, 0.1800, 0.1817, 0.1639, 0.1663, 0.1886, 0.1877, 0.0672, 0.0666),
        *(0.0772, 0.1203, 0.0927, 0.1423, 0.0912, 0.0814, 0.1187),
    ]
)

# The bones of each limb, named by their far joint (paper 3.3: shoulders, arms and hands; legs and
# feet), in the order of the released limb channels.
LIMBS = {
    "right_arm": ("right_shoulder", "right_elbow", "right_wrist", "right_hand"),
    "left_arm": ("left_shoulder", "left_elbow", "left_wrist", "left_hand"),
    "right_leg": ("right_knee", "right_ankle", "right_foot"),
    "left_leg": ("left_knee", "left_ankle", "left_foot"),
}


def point_skeleton(num_points: int) -> Skeleton:
    """Returns the tree for a number of root-relative points.

    Args:
      num_points: 41 (joints and landmarks) or 23 (joints alone), the root not counted.

    Returns:
      The skeleton, root included: `SMPLR_42` or `SMPL_24`.

    Raises:
      ValueError: for any other number.
    """
    for skeleton in (SMPLR_42, SMPL_24):
        if num_points == len(skeleton) - 1:
            return skeleton
    raise ValueError(
        f"Expected 41 root-relative points (23 joints and 18 landmarks) or 23 (joints alone), got "
        f"{num_points}; leave the pelvis out."
    )


def carrying_joints(num_points: int) -> np.ndarray:
    """Returns the joint that rotates each point's bone.

    Args:
      num_points: see `point_skeleton`.

    Returns:
      Index of a joint of `SMPL_24`, int `[num_points]`: the parent of a joint; for a landmark,
      whose parent may be another landmark, the nearest ancestor that is a joint.
    """
    parents = np.array(point_skeleton(num_points).parents[1:])
    carriers = parents.copy()
    while (beyond := carriers >= NUM_JOINTS).any():
        carriers[beyond] = parents[carriers[beyond] - 1]
    return carriers


def landmark_vertex_ids(model_data: SMPLModelData) -> np.ndarray:
    """Returns the vertex ids of SMPLR's landmarks on a body.

    Args:
      model_data: a body with named landmarks, such as the open body and official files.

    Returns:
      int32 `[18]`, in the order of `SMPLR_LANDMARKS`.

    Raises:
      ValueError: if the body lacks them.

    Source: paper 3.2 and Fig. 3; ids as released.
    """
    return np.array(model_data.landmark_ids(SMPLR_LANDMARKS), np.int32)


def template_points(model_data: SMPLModelData) -> np.ndarray:
    """Returns the 42 points of a body's template in metres, float64 `[42, 3]`, model frame."""
    joints = model_data.J_regressor @ model_data.v_template
    landmarks = model_data.v_template[landmark_vertex_ids(model_data)]
    return np.concatenate([joints, landmarks])


def template_lengths(model_data: SMPLModelData) -> np.ndarray:
    """Returns the template bone lengths B* of a body.

    Args:
      model_data: the body.

    Returns:
      float64 `[41]`, metres: the released constants for a body whose landmarks are the official
      vertices, the lengths of its own template for any other.

    Source: paper 3.2; constants as released. The authors do not say which template they used.
    """
    if list(landmark_vertex_ids(model_data)) == list(SMPLR_LANDMARK_VERTICES.values()):
        return SMPL_TEMPLATE_LENGTHS.copy()
    points = template_points(model_data)
    bones = points[1:] - points[list(SMPLR_42.parents[1:])]
    return np.linalg.norm(bones, axis=-1)
