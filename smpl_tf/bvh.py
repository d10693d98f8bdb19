"""Motions as Biovision hierarchy files (BVH), which animation programs read.

A BVH file holds a skeleton's bones and one row of angles per frame, and no surface. It knows no
unit: ours are in centimetres, as those of motion capture studios are, with y up.
"""

from __future__ import annotations

import os
import warnings

import numpy as np
from scipy.spatial.transform import Rotation

from smpl_tf.files import write_bytes
from smpl_tf.mesh_io import UPRIGHT
from smpl_tf.skeleton import SMPL_24, Skeleton

_CENTIMETRES = 100
_ORDER = "ZXY"  # a joint turns about its own z, then x, then y axis: R = Rz Rx Ry
_END_LENGTH = 0.5  # of the bone before it: a tail for bones that no joint ends


def write_bvh(
    path: str | os.PathLike,
    poses: np.ndarray,
    translations: np.ndarray,
    rest_joints: np.ndarray,
    frame_rate: float = 30.0,
    skeleton: Skeleton = SMPL_24,
    frame: str = "model",
) -> None:
    """Writes a motion of a skeleton.

    Every frame gives the place of the first joint and the angles of all; the bones are those of
    one shape, so a motion should have one vector of betas.

    Args:
      path: the file; its directory exists.
      poses: [T, J, 3] parent-relative axis-angles, radians.
      translations: [T, 3] metres, as `SMPL` takes them.
      rest_joints: [J, 3] metres, joints of the shaped body at rest.
      frame_rate: frames per second.
      skeleton: names and parents of the joints; the first is the root.
      frame: the frame of the motion: "model" (y up) or "camera" (y down), which is turned upright.

    Raises:
      ValueError: if the arrays do not fit together or are not finite.
    """
    poses, translations, rest = (
        np.asarray(array, np.float64) for array in (poses, translations, rest_joints)
    )
    count = len(skeleton)
    if (
        poses.shape != (len(translations), count, 3)
        or translations.shape != (len(poses), 3)
        or rest.shape != (count, 3)
        or not len(poses)
    ):
        raise ValueError(
            f"Expected poses [T, {count}, 3], translations [T, 3] and joints [{count}, 3], got "
            f"shapes {poses.shape}, {translations.shape} and {rest.shape}."
        )
    if not all(np.isfinite(array).all() for array in (poses, translations, rest)):
        raise ValueError("Expected a finite motion, got NaN or infinity.")
    if frame not in UPRIGHT:
        raise ValueError(f"Expected frame 'model' or 'camera', got {frame!r}.")
    if not frame_rate > 0:
        raise ValueError(f"Expected a positive frame rate, got {frame_rate}.")

    rotations = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(-1, count, 3, 3)
    rotations[:, 0] = np.diag(UPRIGHT[frame]) @ rotations[:, 0]
    angles = _smooth_angles(rotations)
    places = (rest[0] + translations) * UPRIGHT[frame] * _CENTIMETRES

    lines = ["HIERARCHY"]
    order: list[int] = []
    _describe(0, skeleton, rest * _CENTIMETRES, lines, order)
    rows = np.concatenate([places, angles[:, order].reshape(len(poses), -1)], axis=1)
    lines += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / frame_rate:.8f}"]
    lines += [" ".join(f"{value:.5f}" for value in row) for row in rows]
    write_bytes(path, ("\n".join(lines) + "\n").encode("ascii"))


def _describe(joint, skeleton, rest, lines, order, indent=""):
    """Adds the lines of a joint and all below it, and their order, which is that of the rows."""
    parent = skeleton.parents[joint]
    turns = " ".join(f"{axis}rotation" for axis in _ORDER)
    order.append(joint)
    if parent < 0:
        # Readers differ in whether the root's place adds to its offset: so this is zero.
        head, offset = "ROOT", np.zeros(3)
        channels = f"CHANNELS 6 Xposition Yposition Zposition {turns}"
    else:
        head, offset, channels = "JOINT", rest[joint] - rest[parent], f"CHANNELS 3 {turns}"
    lines += [f"{indent}{head} {skeleton.names[joint]}", f"{indent}{{"]
    lines += [f"{indent}  OFFSET {_point(offset)}", f"{indent}  {channels}"]
    children = [child for child, above in enumerate(skeleton.parents) if above == joint]
    for child in children:
        _describe(child, skeleton, rest, lines, order, indent + "  ")
    if not children:
        lines += [f"{indent}  End Site", f"{indent}  {{"]
        lines += [f"{indent}    OFFSET {_point(_END_LENGTH * offset)}", f"{indent}  }}"]
    lines.append(f"{indent}}}")


def _point(point):
    return " ".join(f"{value:.5f}" for value in point)


def _smooth_angles(rotations):
    """Euler angles [T, J, 3] in degrees that jump as little as they can from frame to frame.

    Every rotation has two triples of angles, and any of them may go round by whole turns; programs
    that blend frames, or fit curves to them, need neighbours to be near.
    """
    count = rotations.shape[1]
    with warnings.catch_warnings():
        # Where two of the axes fall together, the third angle is zero: as good as any other.
        warnings.filterwarnings("ignore", "Gimbal lock", UserWarning)
        angles = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_euler(_ORDER, degrees=True)
    angles = angles.reshape(-1, count, 3)
    for before, now in zip(angles[:-1], angles[1:], strict=True):
        other = now * (1, -1, 1) + 180
        choices = np.stack([now, other])
        choices -= 360 * np.round((choices - before) / 360)
        nearer = np.argmin(np.abs(choices - before).sum(axis=-1), axis=0)
        now[:] = choices[nearer, np.arange(count)]
    return angles
