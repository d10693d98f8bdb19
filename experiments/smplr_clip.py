"""Ω on the sequence that SMPLR's authors released: joints and landmarks of a real SMPL body."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from datasets import matlab
from experiments.common import UserError
from experiments.report import Table
from smpl_tf.rotations import axis_angle_to_matrix, project_to_rotation
from smplr import metrics
from smplr.bones import bone_directions

_FILE = "info_body.mat"
# Each variable -> its shape after the frames.
_SHAPES = {"joints": (24, 3), "lmarks": (18, 3), "rotations": (24, 3, 3)}
# The file's axes are depth, left, up; the camera's are right, down, away.
_TO_CAMERA = np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]], np.float32)


def read_clip(folder: str | Path) -> dict[str, np.ndarray]:
    """Reads a sequence of CLOTH3D++ as SMPLR's authors laid it out.

    Args:
      folder: with `info_body.mat`.

    Returns:
      `points` `[T, 41, 3]` root-relative, metres, camera axes; `rotations` `[T, 24, 3, 3]`
      parent-relative, the root's in camera axes.

    Raises:
      UserError: the file is not there, or holds something else.
    """
    path = Path(folder) / _FILE
    if not path.is_file():
        raise UserError(f"{path}: not found; give the folder of one sequence, such as .../00449")
    arrays = matlab.load(path)
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
    """Measures Ω's rotations on a sequence, beside answers that are the same for every frame.

    Two bodies do not agree on which pose is "at rest": between SMPL and the open body the joints
    differ by constant turns of up to 20 degrees, which no point shows. So Ω is also measured up to
    one constant turn per joint, fitted to the sequence, as the sequence's own mean rotation is.

    Args:
      model: an SMPLR whose Ω is trained, on any body.
      folder: see `read_clip`.
      poses: axis-angles of the motion that Ω knows, `[M, 24, 3]`.

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
    methods = {
        "Ω": found,
        "Ω, up to the rest pose": found @ turn,
        "mean rotation of the sequence": project_to_rotation(true.mean(axis=0)),
        "mean rotation of the known motion": project_to_rotation(known.mean(axis=0)),
    }
    return {
        name: metrics.summary(metrics.rotation_errors(true, np.broadcast_to(one, true.shape)))
        for name, one in methods.items()
    }


def table(found: dict[str, dict[str, float]]) -> Table:
    """Lays the methods out, one per row.

    Args:
      found: from `measure`.

    Returns:
      The table.
    """
    names = list(found["Ω"])
    rows = [[method, *(f"{errors[n]:.1f}" for n in names)] for method, errors in found.items()]
    return Table(["method", *names], rows)
