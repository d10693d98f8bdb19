"""Motions as Biovision hierarchy files (BVH), which animation programs read.

A BVH file holds a skeleton's bones and one row of angles per frame, but no surface. The format has
no unit; ours are in centimetres with y up, as is usual in motion capture.
"""

from __future__ import annotations

import os
import warnings

import numpy as np
from scipy.spatial.transform import Rotation

from smpl_tf.directions import shortest_rotation
from smpl_tf.files import write_bytes
from smpl_tf.mesh_io import UPRIGHT
from smpl_tf.skeleton import SMPL_24, Skeleton

_CENTIMETRES = 100
_ORDER = "ZXY"  # a joint turns about its own z, then x, then y axis: R = Rz Rx Ry
_END_LENGTH = 0.5  # fraction of the bone before it: the length of bones that end in no joint

# Mixamo's names for SMPL's joints, which Blender, Unity and Unreal use to retarget. SMPL's hand is
# the knuckle of the middle finger.
MIXAMO_NAMES = {
    "pelvis": "Hips",
    **{f"spine{i + 1}": name for i, name in enumerate(("Spine", "Spine1", "Spine2"))},
    "neck": "Neck",
    "head": "Head",
    **{
        f"{side}_{ours}": f"{side.title()}{theirs}"
        for side in ("left", "right")
        for ours, theirs in (
            *(("hip", "UpLeg"), ("knee", "Leg"), ("ankle", "Foot"), ("foot", "ToeBase")),
            *(("collar", "Shoulder"), ("shoulder", "Arm"), ("elbow", "ForeArm")),
            *(("wrist", "Hand"), ("hand", "HandMiddle1")),
        )
    },
}
# The bones that a T-pose straightens: joint, the next joint, direction in the model frame.
_T_POSE = tuple(
    (f"{side}_{joint}", f"{side}_{following}", direction)
    for side, across in (("left", 1.0), ("right", -1.0))
    for joint, following, direction in (
        *(("shoulder", "elbow", (across, 0, 0)), ("elbow", "wrist", (across, 0, 0))),
        *(("wrist", "hand", (across, 0, 0)),),
        *(("hip", "knee", (0, -1.0, 0)), ("knee", "ankle", (0, -1.0, 0))),
    )
)


def write_bvh(
    path: str | os.PathLike,
    poses: np.ndarray,
    translations: np.ndarray,
    rest_joints: np.ndarray,
    frame_rate: float = 30.0,
    skeleton: Skeleton = SMPL_24,
    frame: str = "model",
    names: str = "smpl",
    rest: str = "model",
) -> None:
    """Writes a motion of a skeleton.

    Every frame holds the position of the first joint and the angles of all joints. The bones have
    the lengths of one shape, so a motion should have one vector of betas.

    Programs that retarget a motion expect a T-pose at rest. The rest pose of a body model is only
    close to one. With `rest="t_pose"` the file's arms and legs are straight along the axes at
    rest, and the angles are corrected so that the motion stays the same.

    Args:
      path: the file; its directory exists.
      poses: [T, J, 3] parent-relative axis-angles, radians.
      translations: [T, 3] metres, as `SMPL` takes them.
      rest_joints: [J, 3] metres, joints of the shaped body at rest.
      frame_rate: frames per second.
      skeleton: names and parents of the joints; the first is the root.
      frame: the frame of the motion: "model" (y up) or "camera" (y down; written upright).
      names: "smpl", or "mixamo" for `mixamorig:Hips` and so on, of SMPL's joints.
      rest: rest pose in the file: "model", or "t_pose" for SMPL's joints.

    Raises:
      ValueError: if the arrays do not fit together or are not finite.
    """
    poses, translations, joints = (
        np.asarray(array, np.float64) for array in (poses, translations, rest_joints)
    )
    count = len(skeleton)
    if (
        poses.shape != (len(translations), count, 3)
        or translations.shape != (len(poses), 3)
        or joints.shape != (count, 3)
        or not len(poses)
    ):
        raise ValueError(
            f"Expected poses [T, {count}, 3], translations [T, 3] and joints [{count}, 3], got "
            f"shapes {poses.shape}, {translations.shape} and {joints.shape}."
        )
    if not all(np.isfinite(array).all() for array in (poses, translations, joints)):
        raise ValueError("Expected a finite motion, got NaN or infinity.")
    if frame not in UPRIGHT:
        raise ValueError(f"Expected frame 'model' or 'camera', got {frame!r}.")
    if not frame_rate > 0:
        raise ValueError(f"Expected a positive frame rate, got {frame_rate}.")
    if names not in ("smpl", "mixamo"):
        raise ValueError(f"Expected names 'smpl' or 'mixamo', got {names!r}.")
    if rest not in ("model", "t_pose"):
        raise ValueError(f"Expected rest 'model' or 't_pose', got {rest!r}.")
    if (names, rest) != ("smpl", "model") and skeleton.names != SMPL_24.names:
        raise ValueError(f"Mixamo's names and the T-pose are for SMPL-24, got {skeleton.name}.")

    rotations = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(-1, count, 3, 3)
    rotations[:, 0] = np.diag(UPRIGHT[frame]) @ rotations[:, 0]
    places = (joints[0] + translations) * UPRIGHT[frame] * _CENTIMETRES
    if rest == "t_pose":
        joints, rotations = _from_t_pose(joints, rotations, skeleton.parents)
    angles = _smooth_angles(rotations)
    called = skeleton.names
    if names == "mixamo":
        called = tuple(f"mixamorig:{MIXAMO_NAMES[name]}" for name in called)

    lines = ["HIERARCHY"]
    order: list[int] = []
    _describe(0, called, skeleton.parents, joints * _CENTIMETRES, lines, order)
    rows = np.concatenate([places, angles[:, order].reshape(len(poses), -1)], axis=1)
    lines += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / frame_rate:.8f}"]
    lines += [" ".join(f"{value:.5f}" for value in row) for row in rows]
    write_bytes(path, ("\n".join(lines) + "\n").encode("ascii"))


def _from_t_pose(joints, rotations, parents):
    """Joints of the T-pose, and the rotations that lead from there to the same bodies.

    A_j turns joint j's bone at rest into the T-pose. If G_j turns it from rest to where it is,
    G_j A_j^T does so from the T-pose, and the parent-relative rotation is A_parent R_j A_j^T.
    """
    turns = np.tile(np.eye(3), (len(joints), 1, 1))
    for name, following, direction in _T_POSE:
        index, end = SMPL_24.index(name), SMPL_24.index(following)
        turns[index] = shortest_rotation(joints[end] - joints[index], np.array(direction))
    for side in ("left", "right"):  # the last bone of an arm, which ends in no joint
        turns[SMPL_24.index(f"{side}_hand")] = turns[SMPL_24.index(f"{side}_wrist")]
    straight, changed = joints.copy(), rotations.copy()
    for joint, parent in enumerate(parents):
        before = np.eye(3) if parent < 0 else turns[parent]
        if parent >= 0:
            straight[joint] = straight[parent] + before @ (joints[joint] - joints[parent])
        changed[:, joint] = before @ rotations[:, joint] @ turns[joint].T
    return straight, changed


def _describe(joint, names, parents, rest, lines, order, indent=""):
    """Appends the lines of a joint and its descendants, and their order, which the rows follow."""
    parent = parents[joint]
    turns = " ".join(f"{axis}rotation" for axis in _ORDER)
    order.append(joint)
    if parent < 0:
        # Zero, since readers differ in whether the root's position adds to its offset.
        head, offset = "ROOT", np.zeros(3)
        channels = f"CHANNELS 6 Xposition Yposition Zposition {turns}"
    else:
        head, offset, channels = "JOINT", rest[joint] - rest[parent], f"CHANNELS 3 {turns}"
    lines += [f"{indent}{head} {names[joint]}", f"{indent}{{"]
    lines += [f"{indent}  OFFSET {_point(offset)}", f"{indent}  {channels}"]
    children = [child for child, above in enumerate(parents) if above == joint]
    for child in children:
        _describe(child, names, parents, rest, lines, order, indent + "  ")
    if not children:
        lines += [f"{indent}  End Site", f"{indent}  {{"]
        lines += [f"{indent}    OFFSET {_point(_END_LENGTH * offset)}", f"{indent}  }}"]
    lines.append(f"{indent}}}")


def _point(point):
    return " ".join(f"{value:.5f}" for value in point)


def _smooth_angles(rotations):
    """Returns Euler angles [T, J, 3] in degrees that jump as little as possible between frames.

    Every rotation has two triples of angles, each up to whole turns; programs that blend frames,
    or fit curves to them, need neighbouring frames to have similar angles.
    """
    count = rotations.shape[1]
    with warnings.catch_warnings():
        # Where two of the axes coincide (gimbal lock), any third angle will do: zero.
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
