"""Maps the points of a named skeleton to a body: joints, vertices, or sums of them.

SMPL's own joints and the named vertices of a body are exact. Points of other conventions are sums
of those; the possible error of such a sum is its looseness, and a fit gives the point less weight.
Sizes were compared with the published bone lengths of Human3.6M.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from smpl_tf.skeleton import (
    BLAZEPOSE_33,
    COCO_17,
    H36M_17,
    HALPE_26,
    LSP_14,
    MHR_70,
    MPI_INF_28,
    OFFICIAL_LANDMARK_VERTICES,
    OPENPOSE_25,
    SMPL_22,
    SMPL_24,
    SMPLR_42,
    UP_91,
    Skeleton,
)

if TYPE_CHECKING:
    import tensorflow as tf

    from smpl_tf.body_model import SMPL, BodyModelOutput
    from smpl_tf.model_data import SMPLModelData

SKELETONS = {
    "smpl_24": SMPL_24,
    "smplr_42": SMPLR_42,
    "lsp_14": LSP_14,
    "h36m_17": H36M_17,
    "coco_17": COCO_17,
    "openpose_25": OPENPOSE_25,
    "up_91": UP_91,
    "blazepose_33": BLAZEPOSE_33,
    "mhr_70": MHR_70,
    "halpe_26": HALPE_26,
    "mpi_inf_28": MPI_INF_28,
    "smpl_22": SMPL_22,
}

# Points that are not named on bodies, as sums of named points.
_MIDDLE_OF_HIPS = {"left_hip": 0.5, "right_hip": 0.5}
_MIDDLE_OF_SHOULDERS = {"left_shoulder": 0.5, "right_shoulder": 0.5}
_SUMS = {
    "neck_openpose": _MIDDLE_OF_SHOULDERS,
    "mid_hip_openpose": _MIDDLE_OF_HIPS,
    # Human3.6M's hips: 133 mm from the middle and level with SMPL's pelvis.
    "left_hip_h36m": {"left_hip_side": 0.75, "pelvis": 0.25},
    "right_hip_h36m": {"right_hip_side": 0.75, "pelvis": 0.25},
    "pelvis_h36m": {"left_hip_side": 0.375, "right_hip_side": 0.375, "pelvis": 0.25},
    "spine_h36m": {"spine2": 1.0},
    "neck_h36m": {"neck": 0.5, "left_shoulder": 0.25, "right_shoulder": 0.25},
    "nose_h36m": {"head": 0.5, "nose": 0.5},
    # BlazePose's knuckles are on both sides of SMPL's hand joint, some centimetres away.
    **{
        f"{side}_{finger}": {f"{side}_hand": 1.0}
        for side in ("left", "right")
        for finger in ("index", "pinky")
    },
    # SAM 3D Body's knuckles, the points of the elbow before and behind the joint, and the tip of
    # the shoulder.
    **{
        f"{side}_{finger}_third_joint": {f"{side}_hand": 1.0}
        for side in ("left", "right")
        for finger in ("forefinger", "middle_finger", "ring_finger", "pinky_finger")
    },
    **{
        f"{side}_{point}": {f"{side}_elbow": 1.0}
        for side in ("left", "right")
        for point in ("olecranon", "cubital_fossa")
    },
    **{f"{side}_acromion": {f"{side}_shoulder_top": 1.0} for side in ("left", "right")},
    "neck_mhr": {"neck": 1.0},
    "neck_halpe": {"neck": 0.5, "left_shoulder": 0.25, "right_shoulder": 0.25},
    "mid_hip_halpe": _MIDDLE_OF_HIPS,
    # MPI-INF-3DHP's spine is counted from the pelvis as spine, spine2, spine3, spine4.
    "pelvis_3dhp": _MIDDLE_OF_HIPS,
    "spine_3dhp": {"spine1": 1.0},
    "spine2_3dhp": {"spine2": 1.0},
    "spine3_3dhp": {"spine3": 1.0},
    "spine4_3dhp": {"spine3": 0.5, "neck": 0.5},
    "neck_3dhp": {"neck": 1.0},
    "head_3dhp": {"head": 1.0},
    **{
        f"{side}_{theirs}": {f"{side}_{ours}": 1.0}
        for side in ("left", "right")
        for theirs, ours in (
            *(("clavicle_3dhp", "collar"), ("hand_3dhp", "hand")),
            *(("foot_3dhp", "foot"), ("toe_3dhp", "big_toe")),
        )
    },
}
# Points whose name has another meaning in one skeleton: Human3.6M's head top is inside the head.
_SUMS_OF_SKELETON = {"H36M-17": {"head_top": {"head_top": 0.65, "head": 0.35}}}


def _both_sides(*names: str) -> tuple[str, ...]:
    return tuple(f"{side}_{name}" for name in names for side in ("left", "right"))


_FACE = ("nose", *_both_sides("eye", "ear"))

# Metres, per coordinate. Hips differ most: a joint in SMPL, marked through clothes elsewhere.
_LOOSENESS = {
    "LSP-14": {"left_hip": 0.03, "right_hip": 0.03, "lsp_neck": 0.02, "head_top": 0.02},
    "H36M-17": {
        **dict.fromkeys(("left_hip_h36m", "right_hip_h36m", "pelvis_h36m"), 0.02),
        **dict.fromkeys(("spine_h36m", "neck_h36m", "nose_h36m", "head_top"), 0.02),
        **dict.fromkeys(("left_shoulder", "right_shoulder"), 0.015),
    },
    "COCO-17": {
        **dict.fromkeys(("left_hip", "right_hip"), 0.03),
        **dict.fromkeys(("left_shoulder", "right_shoulder"), 0.02),
        **dict.fromkeys(("nose", "left_eye", "right_eye", "left_ear", "right_ear"), 0.01),
    },
    "OpenPose-25": {
        **dict.fromkeys(("left_hip", "right_hip", "mid_hip_openpose"), 0.03),
        **dict.fromkeys(("left_shoulder", "right_shoulder", "neck_openpose"), 0.02),
        **dict.fromkeys(("nose", "left_eye", "right_eye", "left_ear", "right_ear"), 0.01),
        **dict.fromkeys(("left_big_toe", "right_big_toe"), 0.01),
        **dict.fromkeys(("left_heel", "right_heel"), 0.01),
    },
    "BlazePose-33": {
        **dict.fromkeys(("left_hip", "right_hip"), 0.03),
        **dict.fromkeys(("left_shoulder", "right_shoulder"), 0.02),
        **dict.fromkeys(("nose", "left_eye", "right_eye", "left_ear", "right_ear"), 0.01),
        **dict.fromkeys(("left_mouth_corner", "right_mouth_corner"), 0.01),
        **dict.fromkeys(("left_index", "right_index", "left_pinky", "right_pinky"), 0.03),
        **dict.fromkeys(("left_heel", "right_heel", "left_big_toe", "right_big_toe"), 0.01),
    },
    "MHR-70": {
        **dict.fromkeys(_both_sides("hip"), 0.02),
        **dict.fromkeys(_both_sides("shoulder", "acromion"), 0.015),
        **dict.fromkeys((*_FACE, *_both_sides("heel", "big_toe")), 0.01),
        **dict.fromkeys(_both_sides("olecranon", "cubital_fossa"), 0.03),
        **dict.fromkeys(
            _both_sides(
                *("forefinger_third_joint", "middle_finger_third_joint"),
                *("ring_finger_third_joint", "pinky_finger_third_joint"),
            ),
            0.03,
        ),
        "neck_mhr": 0.02,
    },
    "Halpe-26": {
        **dict.fromkeys((*_both_sides("hip"), "mid_hip_halpe"), 0.03),
        **dict.fromkeys((*_both_sides("shoulder"), "neck_halpe", "head_top"), 0.02),
        **dict.fromkeys((*_FACE, *_both_sides("heel", "big_toe")), 0.01),
    },
    "MPI-INF-28": {
        **dict.fromkeys((*_both_sides("hip", "clavicle_3dhp"), "pelvis_3dhp"), 0.03),
        **dict.fromkeys((f"spine{one}_3dhp" for one in ("", 2, 3, 4)), 0.04),
        **dict.fromkeys(("neck_3dhp", "head_3dhp", "head_top"), 0.03),
        **dict.fromkeys(_both_sides("shoulder"), 0.015),
        **dict.fromkeys(_both_sides("hand_3dhp", "foot_3dhp", "toe_3dhp"), 0.03),
    },
}


def find_skeleton(name: str | Skeleton) -> Skeleton:
    """Finds a skeleton by its name.

    Args:
      name: such as "h36m_17", "H36M-17" or "h36m"; a skeleton is returned unchanged.

    Returns:
      The skeleton.

    Raises:
      ValueError: if there is no skeleton of this name.
    """
    if isinstance(name, Skeleton):
        return name
    wanted = name.lower().replace("-", "_")
    matches = [key for key in SKELETONS if wanted in (key, key.rsplit("_", 1)[0])]
    if not matches:
        raise ValueError(f"Unknown skeleton {name!r}; expected one of {', '.join(SKELETONS)}.")
    return SKELETONS[matches[0]]


def point_sums(
    skeleton: Skeleton, vertices: Mapping[str, int]
) -> dict[str, Mapping[str, float] | None]:
    """Writes the points of a skeleton as sums of SMPL's joints and named vertices.

    Args:
      skeleton: whose points.
      vertices: the named vertices of the body.

    Returns:
      Name of each point -> names and factors; None where the body has no such point (OpenPose's
      small toes, BlazePose's corners of the eyes), which a fit leaves out.
    """
    known = set(SMPL_24.names) | set(vertices)
    sums: dict[str, Mapping[str, float] | None] = {}
    for name in skeleton.names:
        parts = _SUMS_OF_SKELETON.get(skeleton.name, {}).get(name) or _SUMS.get(name, {name: 1.0})
        sums[name] = parts if set(parts) <= known else None
    return sums


def known_points(skeleton: Skeleton) -> np.ndarray:
    """Returns which points of a skeleton exist on bodies, bool `[P]`."""
    sums = point_sums(skeleton, OFFICIAL_LANDMARK_VERTICES)
    return np.array([one is not None for one in sums.values()])


def looseness(skeleton: Skeleton) -> np.ndarray:
    """Returns the possible error of each point, metres per coordinate, `[P]`."""
    loose = _LOOSENESS.get(skeleton.name, {})
    return np.array([loose.get(name, 0.0) for name in skeleton.names])


def named_points(
    body: BodyModelOutput, skeleton: str | Skeleton, model: SMPL | SMPLModelData
) -> tf.Tensor:
    """Returns the points of a skeleton on posed bodies, such as COCO's or Human3.6M's.

    Differentiable in vertices and joints. `looseness` is the possible distance to the convention's
    own points.

    Args:
      body: what `SMPL` returns, with all vertices: `vertices [..., V, 3]`, `joints [..., 24, 3]`.
      skeleton: name (a key of `SKELETONS`, such as "h36m_17") or skeleton.
      model: the layer, or the arrays, that made the body; it names the vertices. The open body and
        official ones have the same number of vertices in different orders, so there is no default.

    Returns:
      `[..., P, 3]`, in the unit and frame of the body; NaN for points that the body does not have.

    Raises:
      ValueError: if the skeleton is unknown, or the vertices are not those of the model.

    Example:
      >>> from smpl_tf import SMPL, named_points
      >>> smpl = SMPL()
      >>> named_points(smpl(), "h36m_17", smpl).shape
      TensorShape([17, 3])
    """
    import tensorflow as tf

    skeleton = find_skeleton(skeleton)
    data = getattr(model, "model_data", model)
    if body.vertices.shape[-2] != data.num_vertices:
        raise ValueError(
            f"named_points: expected a body of the {data.num_vertices} vertices of {data.name}, "
            f"got {body.vertices.shape[-2]}; give the model that made the body, with all its "
            "vertices."
        )
    sums = point_sums(skeleton, data.landmarks)
    used = {name for parts in sums.values() for name in parts or ()}
    # A skeleton's joint takes precedence over a vertex of the same name.
    landmarks = sorted(used - set(SMPL_24.names))
    names = [*SMPL_24.names, *landmarks]
    factors = np.zeros((len(skeleton), len(names)))
    for row, parts in enumerate(sums.values()):
        for name, factor in (parts or {}).items():
            factors[row, names.index(name)] = factor
    ids = np.array([data.landmarks[name] for name in landmarks], np.int32)
    joints = tf.convert_to_tensor(body.joints)[..., : len(SMPL_24), :]
    vertices = tf.gather(tf.convert_to_tensor(body.vertices), ids, axis=-2)
    sources = tf.concat([joints, vertices], axis=-2)
    points = tf.matmul(tf.constant(factors, sources.dtype), sources)
    # tf.where instead of a product: NaN factors would make the gradients of all points NaN.
    known = np.array([parts is not None for parts in sums.values()])
    return tf.where(known[:, np.newaxis], points, tf.constant(np.nan, points.dtype))
