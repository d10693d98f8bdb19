"""Ω on the sequence that SMPLR's authors released: joints and landmarks of a real SMPL body."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from datasets import matlab
from experiments.pages.report import Table
from experiments.runs.common import UserError
from smpl_tf import load_model_data
from smpl_tf.errors import one_line
from smpl_tf.kinematics import global_to_relative, relative_to_global
from smpl_tf.rotations import axis_angle_to_matrix, project_to_rotation
from smpl_tf.skeleton import SMPL_24
from smplr import metrics
from smplr.bones import bone_directions
from smplr.landmarks import NUM_JOINTS, carrying_joints, template_points

_FILE = "info_body.mat"
# Variable -> its shape without the frames.
_SHAPES = {"joints": (24, 3), "lmarks": (18, 3), "rotations": (24, 3, 3)}
# The file's axes are depth, left, up; the camera's are right, down, away.
_TO_CAMERA = np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]], np.float32)
# Weight of a joint's pull towards its parent's orientation, square metres.
_TWIST_WEIGHT = 1e-6


def read_clip(folder: str | Path) -> dict[str, np.ndarray]:
    """Reads a sequence of CLOTH3D++ in the layout of SMPLR's authors.

    Args:
      folder: with `info_body.mat`.

    Returns:
      `points` `[T, 41, 3]` root-relative, metres, camera axes; `rotations` `[T, 24, 3, 3]`
      parent-relative, the root's in camera axes.

    Raises:
      UserError: the file is missing, or contains something else.
    """
    path = Path(folder) / _FILE
    if not path.is_file():
        raise UserError(f"{path}: not found; give the folder of one sequence, such as .../00449")
    try:
        arrays = matlab.load(path)
    except Exception as error:  # SciPy raises many kinds of errors on damaged files
        raise UserError(f"{path}: cannot be read as a .mat file ({one_line(error)})") from error
    for name, shape in _SHAPES.items():
        found = np.shape(arrays.get(name, 0))
        if found[1:] != shape:
            raise UserError(
                f"{path}: expected '{name}' of shape [T, {str(shape)[1:-1]}], got {found}"
            )
    joints, landmarks = arrays["joints"], arrays["lmarks"]
    points = np.concatenate([joints[:, 1:], landmarks], axis=1) - joints[:, :1]
    rotations = arrays["rotations"].astype(np.float32)
    rotations[:, 0] = _TO_CAMERA @ rotations[:, 0]
    return {"points": (points @ _TO_CAMERA.T).astype(np.float32), "rotations": rotations}


def measure(
    model: keras.Model, folder: str | Path, poses: np.ndarray
) -> dict[str, dict[str, float]]:
    """Measures Ω's rotations on a sequence, compared with constant rotations.

    Bodies differ in their rest pose: between SMPL and the open body the joints differ by constant
    rotations of up to 20 degrees, which the points do not show. So Ω is also measured up to one
    constant rotation per joint, fitted to the sequence, as is the sequence's mean rotation. A
    closed form without learning shows what the points alone determine, with the rest bones of the
    open body or of the sequence.

    Args:
      model: an SMPLR with a trained Ω, for any body.
      folder: see `read_clip`.
      poses: axis-angles of Ω's training motion, `[M, 24, 3]`.

    Returns:
      Method -> the errors of `metrics.rotation_errors`, means over the frames, degrees.

    Raises:
      UserError: the model has no Ω for these points, or the sequence cannot be read.
    """
    omega = getattr(model, "pose_regressor", None)
    if omega is None:
        raise UserError("the sequence is for Ω; give a run of --stage=pose or pose_shape")
    clip = read_clip(folder)
    true = clip["rotations"]
    points = clip["points"][:, : omega.input.shape[1]]
    found = project_to_rotation(omega(bone_directions(points), training=False)).numpy()
    turn = project_to_rotation((found.swapaxes(-1, -2) @ true).mean(axis=0)).numpy()
    known = axis_angle_to_matrix(poses).numpy()
    template = template_points(load_model_data())[: points.shape[1] + 1]
    rest = np.broadcast_to(np.eye(3), (1, NUM_JOINTS, 3, 3))
    open_body = arms_at_rest((template[1:] - template[:1])[None], rest)
    methods = {
        "Ω": found,
        "Ω, up to the rest pose": found @ turn,
        "closed form, bones of the open body": turned_to(points, open_body),
        "closed form, bones of the sequence": turned_to(points, arms_at_rest(points, true)),
        "mean rotation of the sequence": project_to_rotation(true.mean(axis=0)),
        "mean rotation of the known motion": project_to_rotation(known.mean(axis=0)),
    }
    return {
        name: metrics.summary(metrics.rotation_errors(true, np.broadcast_to(one, true.shape)))
        for name, one in methods.items()
    }


def arms_at_rest(points: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Measures the rest positions of a body's points relative to the joints that move them.

    Args:
      points: root-relative, metres, `[T, P, 3]`.
      rotations: parent-relative, `[T, 24, 3, 3]`.

    Returns:
      Metres, the mean over the frames, `[P, 3]`.
    """
    carriers = carrying_joints(points.shape[1])
    global_rotations = relative_to_global(rotations, SMPL_24.parents).numpy()[:, carriers]
    return np.einsum("tpba,tpb->pa", global_rotations, _arms(points, carriers)) / len(points)


def turned_to(points: np.ndarray, arms: np.ndarray) -> np.ndarray:
    """Rotates each joint by Procrustes, parents first, to fit the points that it moves.

    Args:
      points: root-relative, metres, `[T, P, 3]`.
      arms: from `arms_at_rest`.

    Returns:
      Parent-relative rotations, `[T, 24, 3, 3]`; undetermined rotations follow the parent.
    """
    carriers = carrying_joints(points.shape[1])
    seen = _arms(points, carriers)
    global_rotations = np.tile(np.eye(3, dtype=points.dtype), (len(points), NUM_JOINTS, 1, 1))
    for joint, parent in enumerate(SMPL_24.parents):
        prior = global_rotations[:, max(parent, 0)]
        own = carriers == joint
        covariance = np.einsum("tpa,pb->tab", seen[:, own], arms[own])
        global_rotations[:, joint] = project_to_rotation(covariance + _TWIST_WEIGHT * prior)
    return global_to_relative(global_rotations, SMPL_24.parents).numpy()


def _arms(points, carriers):
    """Returns points relative to the joints that move them, in camera axes."""
    joints = np.concatenate([np.zeros_like(points[:, :1]), points[:, : NUM_JOINTS - 1]], axis=1)
    return points - joints[:, carriers]


def table(found: dict[str, dict[str, float]]) -> Table:
    """Makes a table with one method per row.

    Args:
      found: from `measure`.

    Returns:
      The table.
    """
    names = list(found["Ω"])
    rows = [[method, *(f"{errors[n]:.1f}" for n in names)] for method, errors in found.items()]
    return Table(["method", *names], rows)
