"""A body that moves, and its change from one world frame to another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from smpl_tf.model_data import SMPLModelData, shaped_vertices

# Frame -> its axes in the model frame (x left of the body, y up, z forward).
FRAMES = {
    "model": np.eye(3),
    "camera": np.diag([1.0, -1.0, -1.0]),  # x right, y down, z away
    "z_up": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),  # AMASS: x right, y away, z up
}
_LARGEST = 1e6  # number, or frames per second, of a motion that makes sense
_CHUNK = 64  # bodies posed at once


class BodyMotion(NamedTuple):
    """SMPL parameters of one person over T moments; T = 1 for a still body.

    Attributes:
      betas: `[B]` shape.
      pose: `[T, 24, 3]` parent-relative axis-angles, radians; the root's in the world frame.
      translation: `[T, 3]` metres, as in `SMPL`: the root joint's position is that of the rest
        pose plus the translation.
      gender: "neutral", "female" or "male".
      frame_rate: frames per second.
      frame: the world frame, a key of `FRAMES`: "model" (y up), "camera" (y down) or "z_up".
    """

    betas: np.ndarray
    pose: np.ndarray
    translation: np.ndarray
    gender: str = "neutral"
    frame_rate: float = 30.0
    frame: str = "model"


def checked(motion: BodyMotion) -> BodyMotion:
    """Returns a motion as float64 arrays.

    Args:
      motion: of array-likes.

    Returns:
      The motion.

    Raises:
      ValueError: if the arrays do not fit together or are not finite.
    """
    betas, pose, translation = (
        np.asarray(array, np.float64) for array in (motion.betas, motion.pose, motion.translation)
    )
    count = len(pose) if pose.ndim else 0
    if (
        betas.ndim != 1
        or pose.shape != (count, 24, 3)
        or translation.shape != (count, 3)
        or not count
    ):
        raise ValueError(
            "Expected betas [B], pose [T, 24, 3] and translation [T, 3], got shapes "
            f"{list(betas.shape)}, {list(pose.shape)} and {list(translation.shape)}."
        )
    if not all(np.isfinite(array).all() for array in (betas, pose, translation)):
        raise ValueError("Expected finite parameters, got NaN or infinity.")
    largest = max(np.abs(array).max(initial=0) for array in (betas, pose, translation))
    if largest > _LARGEST:
        raise ValueError(f"Expected betas, radians and metres, got numbers up to {largest:g}.")
    if motion.frame not in FRAMES:
        raise ValueError(f"Expected frame {', '.join(FRAMES)}, got {motion.frame!r}.")
    if not 1 / _LARGEST <= motion.frame_rate <= _LARGEST:
        raise ValueError(f"Expected a positive frame rate, got {motion.frame_rate}.")
    return motion._replace(betas=betas, pose=pose, translation=translation)


def in_frame(motion: BodyMotion, frame: str, body: SMPLModelData) -> BodyMotion:
    """Expresses a motion in another world frame.

    SMPL rotates a body about its root joint, not about the origin. So the new translation depends
    on the rest position of that joint, which comes from the body.

    Args:
      motion: the motion.
      frame: a key of `FRAMES`.
      body: the body of the parameters.

    Returns:
      The motion, with the same bodies in the new axes.

    Raises:
      ValueError: if the motion is not sound, or the frame unknown.
    """
    motion = checked(motion)
    if frame not in FRAMES:
        raise ValueError(f"Expected frame {', '.join(FRAMES)}, got {frame!r}.")
    turn = FRAMES[frame].T @ FRAMES[motion.frame]
    pose = motion.pose.copy()
    pose[:, 0] = (Rotation.from_matrix(turn) * Rotation.from_rotvec(pose[:, 0])).as_rotvec()
    root = _rest_root(motion.betas, body)
    translation = (root + motion.translation) @ turn.T - root
    return motion._replace(pose=pose, translation=translation, frame=frame)


def grounded(motion: BodyMotion, body: SMPLModelData) -> BodyMotion:
    """Moves a motion so that it starts above the origin and its lowest vertex is at height 0.

    Args:
      motion: the motion; its frame says which way is up.
      body: whose parameters these are.

    Returns:
      The motion, moved as a whole.
    """
    from smpl_tf.body_model import SMPL

    motion = checked(motion)
    up = FRAMES[motion.frame][1]  # the model's y axis in the axes of the frame
    layer = SMPL(body, num_betas=len(motion.betas))
    lowest = np.inf
    for start in range(0, len(motion.pose), _CHUNK):
        rows = slice(start, start + _CHUNK)
        posed = layer(
            betas=motion.betas, pose=motion.pose[rows], translation=motion.translation[rows]
        )
        lowest = min(lowest, float((posed.vertices.numpy() @ up).min()))
    place = _rest_root(motion.betas, body) + motion.translation[0]
    across = place - up * (place @ up)
    return motion._replace(translation=motion.translation - across - up * lowest)


def _rest_root(betas: np.ndarray, body: SMPLModelData) -> np.ndarray:
    return body.J_regressor[0] @ shaped_vertices(body, betas[: body.num_betas])
