"""Poses as anatomical joint angles: names, limits, and conversion to SMPL rotations.

A pose is a dict of angles in degrees; 0 = standing upright with hanging arms, palms to the body.
`thigh` and `lean` are measured from the vertical, so that an activity can define the position of
the feet; all other angles are relative to the parent, as in clinical practice. SMPL's rest pose is
the T-pose, hence the quarter turn in `_arm`.
"""

from collections.abc import Mapping

import numpy as np

from smpl_tf.skeleton import SMPL_24

Angles = dict[str, float]

# Angle -> lowest and highest degrees. The norms of the American Academy of Orthopaedic Surgeons
# (Joint Motion, 1965) as therapists' tables repeat them: shoulder flexion and abduction 180,
# extension 60, rotation 70 inwards and 90 outwards, elbow 150, forearm 80/80, wrist 80/70 and
# 20/30, hip extension 30, plantar flexion 50. Approximate, a little beyond those norms: hip and
# knee flexion (people sit on their heels), hip abduction, weight-bearing dorsiflexion; passive
# means of healthy people lie there too (CDC, Normal Joint Range of Motion Study; Soucie et al.,
# Haemophilia 2011). Collar, spine, neck and toes: approximate, SMPL's joints have no clinical
# counterpart.
SIDE_LIMITS = {
    "shrug": (-10, 25),
    "arm_plane": (-70, 130),  # plane of elevation: 0 = sideways, 90 = forwards
    "arm_elevation": (0, 175),
    "arm_twist": (-90, 70),  # inwards positive
    "elbow": (0, 150),
    "pronation": (-80, 80),
    "wrist_flexion": (-70, 80),
    "wrist_deviation": (-30, 20),  # towards the thumb positive
    "grip": (-10, 60),
    "hip_flexion": (-30, 130),
    "abduction": (-30, 50),
    "hip_rotation": (-40, 60),  # outwards positive; 45 by AAOS, sitting cross-legged takes more
    "knee": (0, 145),
    "ankle": (-50, 30),  # dorsiflexion positive
    "inversion": (-20, 30),
    "toes": (-30, 60),
}
TRUNK_LIMITS = {
    "spine_flexion": (-30, 85),
    "spine_bend": (-35, 35),  # to the left positive, as all of the trunk
    "spine_twist": (-45, 45),
    "neck_flexion": (-50, 45),
    "neck_bend": (-40, 40),
    "neck_twist": (-70, 70),
}
SIDES = ("left", "right")
LIMITS = TRUNK_LIMITS | {
    f"{side}_{name}": limits for side in SIDES for name, limits in SIDE_LIMITS.items()
}

_SPINE_SHARES = {"spine1": 0.3, "spine2": 0.35, "spine3": 0.35}
_NECK_SHARES = {"neck": 0.5, "head": 0.5}
# The collarbone contributes to raising the arm above the horizontal and drops below it.
_COLLAR_SHARE = 0.2
# Backwards the arm cannot rise far (AAOS: extension 60); the limit decreases gradually from the
# side.
_BACKWARD_ELEVATION = 60


def both(**angles: float) -> Angles:
    """Returns angles of both sides, `knee=90` for "left_knee" and "right_knee"."""
    return {f"{side}_{name}": value for name, value in angles.items() for side in SIDES}


def left(**angles: float) -> Angles:
    """Returns angles of the left side."""
    return {f"left_{name}": value for name, value in angles.items()}


def right(**angles: float) -> Angles:
    """Returns angles of the right side."""
    return {f"right_{name}": value for name, value in angles.items()}


def limited(angles: Mapping[str, float]) -> Angles:
    """Converts the angles of an activity to joint angles within a person's limits.

    Args:
      angles: degrees; any of LIMITS' keys except hip_flexion, and `lean`, `left_thigh`,
        `right_thigh`; missing ones are 0. `left_planted` or `right_planted` = 1 makes that sole
        flat on the ground.

    Returns:
      dict with every key of LIMITS, within them.
    """
    joint_angles = {}
    for side in SIDES:
        thigh, knee = angles.get(f"{side}_thigh", 0), angles.get(f"{side}_knee", 0)
        joint_angles[f"{side}_hip_flexion"] = thigh + angles.get("lean", 0)
        if angles.get(f"{side}_planted"):
            joint_angles[f"{side}_ankle"] = knee - thigh + angles.get(f"{side}_ankle", 0)
    merged = {name: joint_angles.get(name, angles.get(name, 0)) for name in LIMITS}
    merged = {
        name: min(max(float(value), LIMITS[name][0]), LIMITS[name][1])
        for name, value in merged.items()
    }
    for side in SIDES:
        backwards = max(-merged[f"{side}_arm_plane"] / 70, 0)
        most = (1 - backwards) * 175 + backwards * _BACKWARD_ELEVATION
        merged[f"{side}_arm_elevation"] = min(merged[f"{side}_arm_elevation"], most)
    return merged


def mirrored(angles: Mapping[str, float]) -> Angles:
    """Returns the angles of the mirror image of a pose."""
    result = {}
    for name, value in angles.items():
        if name.startswith("left_"):
            result["right_" + name.removeprefix("left_")] = value
        elif name.startswith("right_"):
            result["left_" + name.removeprefix("right_")] = value
        else:
            result[name] = -value if name.endswith(("_bend", "_twist", "roll", "yaw")) else value
    return result


def joint_rotations(angles: Mapping[str, np.ndarray]) -> np.ndarray:
    """Converts joint angles to the rotations of SMPL's joints; the root stays upright.

    Args:
      angles: every key of LIMITS, [N] degrees each.

    Returns:
      [N, 24, 3, 3] rotations relative to the parent, body frame (x left, y up, z front).
    """
    count = len(angles["spine_twist"])
    rotations = np.tile(np.eye(3), (count, len(SMPL_24), 1, 1))

    def put(joint, rotation):
        rotations[:, SMPL_24.index(joint)] = rotation

    for region, shares in (("spine", _SPINE_SHARES), ("neck", _NECK_SHARES)):
        for joint, share in shares.items():
            flexion, bend, twist = (
                share * angles[f"{region}_{motion}"] for motion in ("flexion", "bend", "twist")
            )
            put(joint, turn("y", twist) @ turn("z", -bend) @ turn("x", flexion))
    for side in SIDES:
        own = {name: angles[f"{side}_{name}"] for name in SIDE_LIMITS}
        for joint, rotation in {**_arm(own), **_leg(own)}.items():
            if side == "right":
                rotation = _MIRROR @ rotation @ _MIRROR
            put(f"{side}_{joint}", rotation)
    return rotations


def turn(axis: str, degrees: float | np.ndarray) -> np.ndarray:
    """Returns right-handed rotations about a coordinate axis.

    Args:
      axis: "x", "y" or "z".
      degrees: [...].

    Returns:
      [..., 3, 3].
    """
    unit = np.eye(3)["xyz".index(axis)]
    return _about(np.broadcast_to(unit, (*np.shape(degrees), 3)), degrees)


_MIRROR = np.diag([-1.0, 1.0, 1.0])


def _arm(angles: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the rotations of a left arm."""
    plane = np.radians(angles["arm_plane"])
    axis = np.stack([-np.sin(plane), np.zeros_like(plane), np.cos(plane)], axis=-1)
    swing = _about(axis, angles["arm_elevation"])
    upper_arm = swing @ turn("z", np.full_like(plane, -90)) @ turn("x", angles["arm_twist"])
    collar = turn("z", _COLLAR_SHARE * (angles["arm_elevation"] - 90) + angles["shrug"])
    forearm = turn("y", -angles["elbow"]) @ turn("x", angles["pronation"] / 2)
    hand = turn("x", angles["pronation"] / 2) @ turn("y", -angles["wrist_deviation"])
    return {
        "collar": collar,
        "shoulder": np.swapaxes(collar, -1, -2) @ upper_arm,
        "elbow": forearm,
        "wrist": hand @ turn("z", -angles["wrist_flexion"]),
        "hand": turn("z", -angles["grip"]),
    }


def _leg(angles: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the rotations of a left leg."""
    hip = turn("x", -angles["hip_flexion"]) @ turn("z", angles["abduction"])
    return {
        "hip": hip @ turn("y", angles["hip_rotation"]),
        "knee": turn("x", angles["knee"]),
        "ankle": turn("x", -angles["ankle"]) @ turn("z", -angles["inversion"]),
        "foot": turn("x", -angles["toes"]),
    }


def _about(axis: np.ndarray, degrees: float | np.ndarray) -> np.ndarray:
    """Rodrigues' formula: [..., 3] unit axes, [...] degrees -> [..., 3, 3]."""
    angle = np.radians(degrees)[..., None, None]
    x, y, z = np.moveaxis(axis, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
