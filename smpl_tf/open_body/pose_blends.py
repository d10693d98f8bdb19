"""Pose blend shapes: correct linear blend skinning at bent joints, learnt as in SMPL.

The correction is linear in SMPL's pose features, the 207 numbers `R - I` of all joints but the
root, row-major. One joint at a time is turned through its range of motion. The target shape is a
mix of dual quaternion skinning (Kavan et al. 2008), which keeps volume, and of plain linear
blending; the correction of linear blending towards it is fitted by ridge regression.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from smpl_tf.open_body import skinning
from smpl_tf.skeleton import SMPL_24

_SAMPLES = 48  # rotations per joint
_RIDGE = 1e-3
_LONGEST_OFFSET = 0.05  # metres; dual quaternions bulge without bound near half turns

# Joint: mean of the rotation vector, its spread about each axis (radians; ranges chosen by us),
# and the fraction of dual quaternion skinning in the target. It is small at the shoulder, where a
# hanging arm should not move its bulk to the top.
_MOTION = {
    "left_hip": ((-0.7, 0.0, 0.15), (0.8, 0.3, 0.35), 0.75),
    "left_knee": ((1.1, 0.0, 0.0), (0.7, 0.1, 0.05), 1.0),
    "left_ankle": ((0.1, 0.0, 0.0), (0.5, 0.2, 0.2), 0.8),
    "left_foot": ((-0.1, 0.0, 0.0), (0.4, 0.05, 0.05), 0.8),
    "left_collar": ((0.0, 0.0, 0.0), (0.1, 0.25, 0.3), 0.3),
    "left_shoulder": ((0.0, -0.2, -0.4), (0.5, 0.6, 0.8), 0.3),
    "left_elbow": ((0.0, -1.2, 0.0), (0.35, 0.7, 0.15), 1.0),
    "left_wrist": ((0.0, 0.0, 0.0), (0.4, 0.4, 0.5), 0.9),
    "left_hand": ((0.0, 0.0, -0.2), (0.1, 0.1, 0.5), 0.8),
    "spine1": ((0.2, 0.0, 0.0), (0.4, 0.3, 0.3), 0.8),
    "spine2": ((0.1, 0.0, 0.0), (0.3, 0.3, 0.25), 0.8),
    "spine3": ((0.1, 0.0, 0.0), (0.3, 0.25, 0.2), 0.8),
    "neck": ((0.1, 0.0, 0.0), (0.4, 0.45, 0.3), 0.9),
    "head": ((0.0, 0.0, 0.0), (0.4, 0.45, 0.3), 0.9),
}


def _multiply(a, b):
    """Returns the products of quaternions `[..., 4]`, scalar first."""
    (w1, v1), (w2, v2) = ((q[..., :1], q[..., 1:]) for q in (a, b))
    scalar = w1 * w2 - (v1 * v2).sum(-1, keepdims=True)
    return np.concatenate([scalar, w1 * v2 + w2 * v1 + np.cross(v1, v2)], -1)


def dual_quaternion_skinning(
    vertices: np.ndarray, transforms: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Skins by the normalised weighted mean of the joints' rigid motions.

    Args:
      vertices: `[V, 3]` metres, at rest.
      transforms: `[24, 3, 4]` from `skinning.skinning_transforms`.
      weights: `[V, 24]`.

    Returns:
      `[V, 3]` metres, posed.
    """
    real = Rotation.from_matrix(transforms[:, :, :3]).as_quat()[:, [3, 0, 1, 2]]
    for joint in range(1, 24):
        if real[joint] @ real[SMPL_24.parents[joint]] < 0:
            real[joint] *= -1  # the quaternion of the same rotation on the parent's hemisphere
    shift = np.concatenate([np.zeros((24, 1)), transforms[:, :, 3]], 1)
    dual = 0.5 * _multiply(shift, real)
    real, dual = weights @ real, weights @ dual
    norm = np.linalg.norm(real, axis=1, keepdims=True)
    real, dual = real / norm, dual / norm
    translation = 2 * _multiply(dual, real * [1, -1, -1, -1])[:, 1:]
    axis, cosine = real[:, 1:], real[:, :1]
    turned = vertices + 2 * np.cross(axis, np.cross(axis, vertices) + cosine * vertices)
    return turned + translation


def _fit_joint(joint, motion, vertices, joints, weights, rng):
    """Returns the ids of the vertices that the joint bends, and their `[n, 3, 9]` blends."""
    mean, spread, fraction = motion
    own, parent = weights[:, joint], weights[:, SMPL_24.parents[joint]]
    ids = np.flatnonzero((own > 1e-4) & (own < 1 - 1e-4) | (parent > 1e-4) & (own > 1e-4))
    vertices, weights = vertices[ids], weights[ids]
    features, offsets = [], []
    for turn in np.clip(rng.standard_normal((_SAMPLES, 3)), -2, 2) * spread + mean:
        rotations = np.tile(np.eye(3), (24, 1, 1))
        rotations[joint] = Rotation.from_rotvec(turn).as_matrix()
        transforms = skinning.skinning_transforms(rotations, joints)
        blended = skinning.blended_transforms(transforms, weights)
        missing = dual_quaternion_skinning(vertices, transforms, weights)
        missing = fraction * (missing - skinning.apply(blended, vertices))
        offset = np.linalg.solve(blended[:, :, :3], missing[..., None])[..., 0]
        length = np.linalg.norm(offset, axis=1, keepdims=True)
        offset *= np.minimum(1, _LONGEST_OFFSET / np.maximum(length, 1e-9))
        features.append((rotations[joint] - np.eye(3)).ravel())
        offsets.append(offset.ravel())
    system, wanted = np.array(features), np.array(offsets)
    normal = system.T @ system + _RIDGE * _SAMPLES * np.eye(9)
    blends = np.linalg.solve(normal, system.T @ wanted)
    return ids, blends.T.reshape(len(ids), 3, 9)


def pose_blend_shapes(
    vertices: np.ndarray,
    joints: np.ndarray,
    weights: np.ndarray,
    mirror: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Fits the pose blend shapes of a template.

    Args:
      vertices: `[V, 3]` metres. joints: `[24, 3]` metres. weights: `[V, 24]`. mirror: `[V]`.
      rng: `numpy.random.Generator`.

    Returns:
      `[V, 3, 207]` metres per unit of feature, mirror-symmetric.
    """
    blends = np.zeros((len(vertices), 3, 24, 9))
    for name, motion in _MOTION.items():
        joint = SMPL_24.index(name)
        ids, fitted = _fit_joint(joint, motion, vertices, joints, weights, rng)
        blends[ids, :, joint] = fitted
    # A mirrored body rotates by S R S with S = diag(-1, 1, 1): features and offsets change sign.
    sign = np.array([-1.0, 1.0, 1.0])
    signs = sign[:, None] * np.outer(sign, sign).ravel()
    image = blends[mirror][:, :, SMPL_24.mirror] * signs[:, None]
    one_sided = np.array([name.startswith(("left", "right")) for name in SMPL_24.names])
    blends = np.where(one_sided[:, None], blends + image, 0.5 * (blends + image))
    return blends[:, :, 1:].reshape(len(vertices), 3, 207)
