"""SMPL in plain float64 NumPy, written from the paper alone: slow, and independent of ours."""

import numpy as np

from smpl_tf.model_data import SMPLModelData


def rodrigues(axis_angle: np.ndarray) -> np.ndarray:
    """The rotation matrix (3, 3) of one axis-angle (3,), as the exponential of a skew matrix."""
    x, y, z = axis_angle
    skew = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    angle = np.sqrt(x * x + y * y + z * z)
    # sin(t)/t and (1 - cos t)/t^2; np.sinc(u) is sin(pi u)/(pi u), exact at zero.
    first = np.sinc(angle / np.pi)
    second = 0.5 * np.sinc(0.5 * angle / np.pi) ** 2
    return np.eye(3) + first * skew + second * skew @ skew


def pose_body(
    data: SMPLModelData,
    betas: np.ndarray | None = None,
    pose: np.ndarray | None = None,
    translation: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Poses one body.

    Args:
      data: the body.
      betas: (B,) shape components; fewer than the body holds will do.
      pose: (J, 3) axis-angles or (J, 3, 3) matrices, parent-relative.
      translation: (3,) metres.

    Returns:
      vertices (V, 3), joints (J, 3) and global rotations (J, 3, 3).
    """
    num_joints = len(data.parents)
    betas = np.zeros(1) if betas is None else np.asarray(betas, np.float64)
    pose = np.zeros((num_joints, 3)) if pose is None else np.asarray(pose, np.float64)
    if pose.shape == (num_joints, 3):
        pose = np.stack([rodrigues(axis_angle) for axis_angle in pose])

    shaped = data.v_template + data.shapedirs[..., : len(betas)] @ betas
    rest_joints = data.J_regressor @ shaped
    corrected = shaped + data.posedirs @ (pose[1:] - np.eye(3)).ravel()

    transforms = []
    for joint, parent in enumerate(data.parents):
        local = np.eye(4)
        local[:3, :3] = pose[joint]
        local[:3, 3] = rest_joints[joint] - (rest_joints[parent] if parent >= 0 else 0.0)
        transforms.append(local if parent < 0 else transforms[parent] @ local)
    transforms = np.stack(transforms)
    joints = transforms[:, :3, 3].copy()
    rotations = transforms[:, :3, :3].copy()

    for joint in range(num_joints):
        undo = np.eye(4)
        undo[:3, 3] = -rest_joints[joint]
        transforms[joint] = transforms[joint] @ undo
    blended = np.tensordot(data.weights, transforms, axes=1)
    homogeneous = np.concatenate([corrected, np.ones((len(corrected), 1))], axis=1)
    vertices = np.einsum("vab,vb->va", blended, homogeneous)[:, :3]
    if translation is not None:
        vertices, joints = vertices + translation, joints + translation
    return vertices, joints, rotations
