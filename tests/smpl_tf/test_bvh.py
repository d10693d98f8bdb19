"""BVH files as another program reads them: a reader of our own, and its forward kinematics."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smpl_tf import SMPL
from smpl_tf.bvh import MIXAMO_NAMES, write_bvh
from smpl_tf.skeleton import SMPL_24
from tests.small_body import small_body

FRAMES = 6


def read_bvh(path):
    """Joints (name, parent, offset, channels) in the order of the rows, rows, and frame time."""
    text, motion = path.read_text().split("MOTION\n")
    joints, above, skipping = [], [], False
    for line in map(str.split, text.splitlines()):
        if line[0] in ("ROOT", "JOINT"):
            joints.append([line[1], above[-1] if above else -1, None, None])
            above.append(len(joints) - 1)
        elif line[:2] == ["End", "Site"]:
            skipping = True
            above.append(None)
        elif line[0] == "OFFSET" and not skipping:
            joints[above[-1]][2] = np.array(line[1:], float)
        elif line[0] == "CHANNELS":
            assert int(line[1]) == len(line[2:])
            joints[above[-1]][3] = line[2:]
        elif line[0] == "}":
            above.pop()
            skipping = False
    assert above == []
    lines = motion.splitlines()
    rows = np.array([line.split() for line in lines[2:]], float)
    assert lines[0] == f"Frames: {len(rows)}"
    return joints, rows, float(lines[1].removeprefix("Frame Time: "))


def places(joints, row):
    """Where each joint stands in one frame, by name: channels are applied from left to right."""
    values, globals_, found = iter(row), [], {}
    for name, parent, offset, channels in joints:
        local = np.eye(4)
        local[:3, 3] = offset
        for channel in channels:
            step, value = np.eye(4), next(values)
            axis = "XYZ".index(channel[0])
            if channel.endswith("position"):
                step[axis, 3] = value
            else:
                step[:3, :3] = Rotation.from_euler(channel[0], value, degrees=True).as_matrix()
            local = local @ step
        globals_.append(local if parent < 0 else globals_[parent] @ local)
        found[name] = globals_[-1][:3, 3]
    assert next(values, None) is None
    return found


@pytest.fixture(scope="module")
def motion():
    """Random poses and translations, the shaped joints at rest, and the joints of the layer."""
    rng = np.random.default_rng(0)
    smpl = SMPL(small_body(), vertex_ids=[])
    betas = rng.normal(size=10)
    poses, translations = rng.normal(0, 0.9, (FRAMES, 24, 3)), rng.normal(0, 2, (FRAMES, 3))
    posed = smpl(betas=np.tile(betas, (FRAMES, 1)), pose=poses, translation=translations)
    return poses, translations, smpl(betas=betas).joints.numpy(), posed.joints.numpy()


@pytest.mark.parametrize("frame, signs", [("model", (1, 1, 1)), ("camera", (1, -1, -1))])
def test_forward_kinematics_of_the_file_gives_our_joints(tmp_path, motion, frame, signs):
    poses, translations, rest, expected = motion
    write_bvh(tmp_path / "a.bvh", poses, translations, rest, 25.0, frame=frame)
    joints, rows, frame_time = read_bvh(tmp_path / "a.bvh")
    assert frame_time == pytest.approx(1 / 25)
    assert {name for name, *_ in joints} == set(SMPL_24.names)
    for row, there in zip(rows, expected, strict=True):
        found = places(joints, row)
        centimetres = np.array([found[name] for name in SMPL_24.names])
        np.testing.assert_allclose(centimetres / 100, there * signs, atol=1e-3)


def test_names_hang_together_as_in_the_skeleton(tmp_path, motion):
    poses, translations, rest, _ = motion
    write_bvh(tmp_path / "a.bvh", poses, translations, rest)
    joints, _, _ = read_bvh(tmp_path / "a.bvh")
    for name, parent, *_ in joints:
        above = SMPL_24.parents[SMPL_24.index(name)]
        assert (None if above < 0 else SMPL_24.names[above]) == (
            None if parent < 0 else joints[parent][0]
        )
    assert [file.name for file in tmp_path.iterdir()] == ["a.bvh"]


def test_mixamo_names_and_a_t_pose_change_no_joint(tmp_path, motion):
    poses, translations, rest, expected = motion
    write_bvh(
        tmp_path / "a.bvh",
        poses,
        translations,
        rest,
        frame="camera",
        names="mixamo",
        rest="t_pose",
    )
    joints, rows, _ = read_bvh(tmp_path / "a.bvh")
    called = [f"mixamorig:{MIXAMO_NAMES[name]}" for name in SMPL_24.names]
    assert {name for name, *_ in joints} == set(called)
    for row, there in zip(rows, expected, strict=True):
        found = places(joints, row)
        centimetres = np.array([found[name] for name in called])
        np.testing.assert_allclose(centimetres / 100, there * (1, -1, -1), atol=1e-3)
    # At rest, arms and legs are straight along the axes.
    at_rest = places(joints, np.zeros_like(rows[0]))
    for side, sign in (("Left", 1), ("Right", -1)):
        for chain, axis, direction in (
            (("Arm", "ForeArm", "Hand", "HandMiddle1"), 0, sign),
            (("UpLeg", "Leg", "Foot"), 1, -1),
        ):
            points = np.array([at_rest[f"mixamorig:{side}{name}"] for name in chain])
            bones = np.diff(points, axis=0)
            lengths = np.linalg.norm(bones, axis=1)
            np.testing.assert_allclose(bones[:, axis], direction * lengths, atol=1e-3)


def test_names_are_those_of_mixamo():
    # From a character as Mixamo gives it out.
    known = {
        *("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head", "LeftShoulder", "LeftArm"),
        *("LeftForeArm", "LeftHand", "RightUpLeg", "RightLeg", "RightFoot", "RightToeBase"),
    }
    assert known < set(MIXAMO_NAMES.values()) and set(MIXAMO_NAMES) == set(SMPL_24.names)


def test_angles_never_jump_in_a_smooth_motion(tmp_path):
    # A joint that turns round and round, and tips over where two of the axes fall together.
    poses = np.zeros((90, 24, 3))
    turn = Rotation.from_rotvec(np.linspace(0, 5 * np.pi, 90)[:, None] * [0, 1, 0])
    tip = Rotation.from_rotvec(np.linspace(0, 3, 90)[:, None] * [1, 0, 0])
    poses[:, 1], poses[:, 2] = (tip * turn).as_rotvec(), turn.as_rotvec()
    write_bvh(tmp_path / "a.bvh", poses, np.zeros((90, 3)), np.eye(24, 3))
    _, rows, _ = read_bvh(tmp_path / "a.bvh")
    assert np.abs(np.diff(rows, axis=0)).max() < 25
    assert np.ptp(rows) > 720


def test_wrong_motions_are_refused_in_one_line(tmp_path):
    poses, moves, rest = np.zeros((2, 24, 3)), np.zeros((2, 3)), np.zeros((24, 3))
    cases = [
        (r"poses \[T, 24, 3\].*got shapes \(2, 23, 3\)", (poses[:, 1:], moves, rest), {}),
        (r"got shapes .* \(1, 3\)", (poses, moves[:1], rest), {}),
        (r"got shapes \(0, 24, 3\)", (poses[:0], moves[:0], rest), {}),
        ("finite motion", (poses, moves * np.nan, rest), {}),
        ("frame 'model' or 'camera', got 'up'", (poses, moves, rest), {"frame": "up"}),
        ("positive frame rate, got 0", (poses, moves, rest), {"frame_rate": 0}),
        ("names 'smpl' or 'mixamo', got 'x'", (poses, moves, rest), {"names": "x"}),
        ("rest 'model' or 't_pose', got 'x'", (poses, moves, rest), {"rest": "x"}),
    ]
    for message, arguments, options in cases:
        with pytest.raises(ValueError, match=message):
            write_bvh(tmp_path / "a.bvh", *arguments, **options)
    assert not any(tmp_path.iterdir())
