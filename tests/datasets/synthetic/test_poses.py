import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.synthetic import activities, poses
from datasets.synthetic.arms import ARMS
from datasets.synthetic.legs import LEGS
from smpl_tf.kinematics import forward_kinematics
from smpl_tf.rotations import mirror_rotations
from smpl_tf.skeleton import SMPL_24

REST = np.zeros((24, 3), np.float32)
OFFSETS = {  # a stick figure in the T-pose: x left, y up, z front; metres
    "hip": (0.1, -0.1, 0), "knee": (0, -0.4, 0), "ankle": (0, -0.4, 0), "foot": (0, -0.05, 0.12),
    "collar": (0.07, 0.1, 0), "shoulder": (0.1, 0, 0), "elbow": (0.26, 0, 0),
    "wrist": (0.25, 0, 0), "hand": (0.08, 0, 0), "spine1": (0, 0.1, 0), "spine2": (0, 0.13, 0),
    "spine3": (0, 0.05, 0), "neck": (0, 0.2, 0), "head": (0, 0.1, 0.02),
}  # fmt: skip
for index, name in enumerate(SMPL_24.names[1:], start=1):
    side = -1 if name.startswith("right_") else 1
    offset = np.array(OFFSETS[name.split("_")[-1]]) * (side, 1, 1)
    REST[index] = REST[SMPL_24.parents[index]] + offset


def joints_of(**angles):
    full = poses.limited(angles)
    relative = poses.joint_rotations({name: np.array([value]) for name, value in full.items()})
    _, joints = forward_kinematics(relative.astype(np.float32), REST[None], SMPL_24.parents)
    return dict(zip(SMPL_24.names, joints[0].numpy(), strict=True))


def bone(joints, start, end):
    vector = joints[end] - joints[start]
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize(
    ("angles", "start", "end", "direction"),
    [
        ({}, "left_shoulder", "left_wrist", (0, -1, 0)),
        ({}, "right_hip", "right_ankle", (0, -1, 0)),
        ({"left_arm_elevation": 90}, "left_shoulder", "left_wrist", (1, 0, 0)),
        ({"right_arm_elevation": 90}, "right_shoulder", "right_wrist", (-1, 0, 0)),
        (
            {"left_arm_elevation": 90, "left_arm_plane": 90},
            "left_shoulder",
            "left_wrist",
            (0, 0, 1),
        ),
        ({"left_elbow": 90}, "left_elbow", "left_wrist", (0, 0, 1)),
        ({"right_elbow": 90}, "right_elbow", "right_wrist", (0, 0, 1)),
        ({"left_elbow": 90, "left_arm_twist": 70}, "left_elbow", "left_wrist", (-0.94, 0, 0.34)),
        ({"left_thigh": 90}, "left_hip", "left_knee", (0, 0, 1)),
        ({"left_thigh": 90, "left_knee": 90}, "left_knee", "left_ankle", (0, -1, 0)),
        ({"left_knee": 90}, "left_knee", "left_ankle", (0, 0, -1)),
        ({"left_abduction": 45}, "left_hip", "left_ankle", (0.71, -0.71, 0)),
        ({"right_abduction": 45}, "right_hip", "right_ankle", (-0.71, -0.71, 0)),
        ({"spine_flexion": 85}, "spine3", "neck", (0, 0.09, 1)),
        ({"spine_bend": 35}, "spine3", "neck", (0.57, 0.82, 0)),
    ],
)
def test_angles_mean_what_their_names_say(angles, start, end, direction):
    np.testing.assert_allclose(bone(joints_of(**angles), start, end), direction, atol=0.01)


@pytest.mark.parametrize(("thigh", "knee"), [(0, 0), (20, 35), (100, 125), (-10, 10)])
def test_a_planted_foot_stands_flat(thigh, knee):
    flat = bone(joints_of(), "left_ankle", "left_foot")
    joints = joints_of(left_planted=1, left_thigh=thigh, left_knee=knee)
    np.testing.assert_allclose(bone(joints, "left_ankle", "left_foot"), flat, atol=1e-4)


angle_dicts = st.fixed_dictionaries(
    {name: st.floats(-200, 200) for name in [*poses.LIMITS, "lean", "left_thigh", "right_thigh"]}
)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(angle_dicts)
def test_limits_hold_and_the_mirror_image_has_mirrored_rotations(angles):
    limited = poses.limited(angles)
    assert limited.keys() == poses.LIMITS.keys()
    for name, value in limited.items():
        assert poses.LIMITS[name][0] <= value <= poses.LIMITS[name][1]
    assert poses.mirrored(poses.mirrored(limited)) == limited
    pair = [limited, poses.mirrored(limited)]
    rotations = poses.joint_rotations(
        {name: np.array([one[name] for one in pair]) for name in limited}
    )
    expected = mirror_rotations(rotations[0], SMPL_24.mirror)
    np.testing.assert_allclose(rotations[1], expected, atol=1e-6)
    identity = np.broadcast_to(np.eye(3), rotations.shape)
    np.testing.assert_allclose(rotations @ np.swapaxes(rotations, -1, -2), identity, atol=1e-9)


def test_every_activity_names_known_angles_and_all_occur():
    known = poses.LIMITS.keys() | {"lean", "roll", "left_thigh", "right_thigh"}
    known |= {"left_planted", "right_planted"}
    seen = set()
    for index in range(600):
        doing, arms, angles = activities.sample(np.random.default_rng(index))
        assert angles.keys() <= known, (doing, arms)
        seen |= {doing, arms}
    assert seen == LEGS.keys() | ARMS.keys()
