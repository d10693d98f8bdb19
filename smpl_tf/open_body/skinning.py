"""Skinning weights of the open body, and the float64 skinning its builder works with."""

import numpy as np

from smpl_tf.open_body import triangles
from smpl_tf.skeleton import SMPL_24

_PARENTS = SMPL_24.parents
_SMOOTHING = 7  # passes of averaging over neighbours
_SMALLEST = 2e-3  # smaller weights become 0
_MAX_INFLUENCES = 4


def step(value: np.ndarray, half_width: float) -> np.ndarray:
    """Rises smoothly from 0 at -half_width to 1 at half_width."""
    t = np.clip(0.5 + 0.5 * value / half_width, 0, 1)
    return t * t * (3 - 2 * t)


def _reach_left(points, joints, size):
    """Returns how far each point moves with the subtree of a joint: name to `[V]` in 0..1."""
    x, y, z = points.T
    at = {name: joints[SMPL_24.index(name)] for name in SMPL_24.names}

    def beyond(joint, normal):
        normal = np.asarray(normal, float)
        return (points - at[joint]) @ (normal / np.linalg.norm(normal))

    reach = {
        "spine1": step(y - at["spine1"][1], 0.030 * size),
        "spine2": step(y - at["spine2"][1], 0.026 * size),
        "spine3": step(y - at["spine3"][1], 0.026 * size),
    }
    # The hip's plane rises outwards; the buttock follows the thigh a little less.
    buttock = np.where(z < 0, 0.016, 0) * size
    hip = step(beyond("left_hip", (0.45, -1, 0)) - buttock, 0.067 * size)
    reach["left_hip"] = hip
    reach["left_knee"] = step(at["left_knee"][1] - y, 0.034 * size)
    reach["left_ankle"] = step(at["left_ankle"][1] + 0.004 * size - y, 0.024 * size)
    toes = step(beyond("left_foot", (0, -0.3, 1)), 0.016 * size)
    reach["left_foot"] = toes * (y < at["left_ankle"][1])

    axis = at["head"] - at["neck"]
    neck = step(beyond("neck", axis) + 0.004 * size, 0.022 * size) * (x < 0.062 * size)
    # Everything in front of the throat and above the jaw's edge belongs to the head.
    head = step(beyond("head", (0, 0.9, -0.35)), 0.016 * size)
    face = step(z - at["head"][2] - 0.026 * size, 0.013 * size)
    face *= y > at["head"][1] - 0.034 * size
    reach["head"] = np.maximum(head, face) * (x < 0.062 * size)
    reach["neck"] = np.maximum(neck, reach["head"])

    collar = step(x - at["left_collar"][0] - 0.008 * size, 0.032 * size)
    collar *= step(y - at["spine3"][1] - 0.048 * size, 0.040 * size) * (1 - reach["neck"])
    # The shoulder's plane is tilted: further out at the armpit, where the chest must not move.
    lean = 0.28 * np.maximum(at["left_shoulder"][1] - y, 0)
    shoulder = step(x - at["left_shoulder"][0] - lean - 0.006 * size, 0.062 * size)
    shoulder *= step(y - at["left_shoulder"][1] + 0.080 * size, 0.045 * size)
    shoulder = np.where(x > at["left_shoulder"][0] + 0.075 * size, 1, shoulder)
    shoulder *= (1 - reach["neck"]) * (y > at["left_shoulder"][1] - 0.14 * size)
    reach["left_shoulder"] = shoulder
    reach["left_collar"] = np.maximum(collar, reach["left_shoulder"])
    arm = reach["left_shoulder"] > 0.5
    reach["left_elbow"] = arm * step(x - at["left_elbow"][0], 0.026 * size)
    reach["left_wrist"] = arm * step(x - at["left_wrist"][0], 0.014 * size)
    reach["left_hand"] = arm * step(x - at["left_hand"][0] + 0.002 * size, 0.010 * size)
    return reach


def skinning_weights(
    vertices: np.ndarray, faces: np.ndarray, mirror: np.ndarray, joints: np.ndarray, stature: float
) -> np.ndarray:
    """Computes the skinning weights of every vertex.

    Args:
      vertices: `[V, 3]` metres, the T-pose. faces: `[F, 3]`. mirror: `[V]`.
      joints: `[24, 3]` metres. stature: metres.

    Returns:
      `[V, 24]`, at most four influences per vertex, rows sum to one, mirror-symmetric.
    """
    points = np.concatenate([np.abs(vertices[:, :1]), vertices[:, 1:]], 1)
    reach = _reach_left(points, joints, stature)
    own_side = {"left": vertices[:, 0] >= 0, "right": vertices[:, 0] <= 0}
    total = np.zeros((len(vertices), 24))
    total[:, 0] = 1
    for joint, name in enumerate(SMPL_24.names[1:], start=1):
        side, _, rest = name.partition("_")
        if side in own_side:
            total[:, joint] = reach[f"left_{rest}"] * own_side[side]
        else:
            total[:, joint] = reach[name]
    weights = total.copy()
    for joint in range(1, 24):
        weights[:, _PARENTS[joint]] -= total[:, joint]
    weights = np.clip(weights, 0, None)
    mean = triangles.neighbour_mean(faces, len(vertices))
    for _ in range(_SMOOTHING):
        weights = 0.5 * weights + 0.5 * (mean @ weights)
    return few_and_symmetric(weights, mirror)


def few_and_symmetric(weights: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Returns weights `[V, 24]` averaged with their mirror image, at most four per vertex."""
    weights = 0.5 * (weights + weights[mirror][:, SMPL_24.mirror])
    fifth = np.sort(weights, axis=1)[:, -_MAX_INFLUENCES - 1][:, None]
    weights = np.where(weights > np.maximum(fifth + 1e-9, _SMALLEST), weights, 0)
    return weights / weights.sum(1, keepdims=True)


def skinning_transforms(rotations: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Chains rotations down the tree.

    Args:
      rotations: `[24, 3, 3]` parent-relative.
      joints: `[24, 3]` metres, at rest.

    Returns:
      `[24, 3, 4]`: each joint's map from the rest pose to the posed body.
    """
    rotation, origin = rotations.copy(), joints.copy()
    for joint in range(1, len(joints)):
        parent = _PARENTS[joint]
        rotation[joint] = rotation[parent] @ rotations[joint]
        origin[joint] = origin[parent] + rotation[parent] @ (joints[joint] - joints[parent])
    shift = origin - np.einsum("jab,jb->ja", rotation, joints)
    return np.concatenate([rotation, shift[:, :, None]], 2)


def blended_transforms(transforms: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the weighted mean `[V, 3, 4]` of the joints' transforms `[24, 3, 4]`."""
    return np.einsum("vj,jab->vab", weights, transforms)


def apply(transforms: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Moves vertices `[V, 3]` by their transforms `[V, 3, 4]`."""
    return np.einsum("vab,vb->va", transforms[:, :, :3], vertices) + transforms[:, :, 3]
