import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from smpl_tf import kinematics
from smpl_tf.skeleton import SMPL_24
from tests.finite_differences import jacobian

law = settings(max_examples=15, derandomize=True, deadline=None)
seeds = st.integers(0, 10**6)


@st.composite
def trees(draw):
    """Parents of up to nine joints in any shape of tree, or of several trees."""
    size = draw(st.integers(1, 9))
    return (-1, *(draw(st.integers(-1, joint - 1)) for joint in range(1, size)))


def random_skeleton(parents, seed, leading=()):
    rng = np.random.default_rng(seed)
    count = int(np.prod(leading)) * len(parents)
    rotations = Rotation.random(count, rng=rng).as_matrix().reshape(*leading, len(parents), 3, 3)
    return rotations, rng.normal(size=(*leading, len(parents), 3))


def reference_globals(rotations, parents):
    global_rotations = []
    for joint, parent in enumerate(parents):
        global_rotations.append(
            rotations[joint] if parent < 0 else global_rotations[parent] @ rotations[joint]
        )
    return np.stack(global_rotations)


def reference_joints(rotations, rest, parents):
    global_rotations, joints = reference_globals(rotations, parents), []
    for joint, parent in enumerate(parents):
        bone = (
            rest[joint] if parent < 0 else global_rotations[parent] @ (rest[joint] - rest[parent])
        )
        joints.append(bone if parent < 0 else joints[parent] + bone)
    return np.stack(joints)


@law
@given(trees(), seeds)
def test_rotations_chain_from_the_roots(parents, seed):
    rotations, _ = random_skeleton(parents, seed)
    global_rotations = kinematics.relative_to_global(rotations, parents)
    np.testing.assert_allclose(global_rotations, reference_globals(rotations, parents), atol=1e-12)


@law
@given(trees(), seeds)
def test_relative_and_global_are_inverse(parents, seed):
    rotations, _ = random_skeleton(parents, seed, leading=(2, 3))
    global_rotations = kinematics.relative_to_global(rotations, parents)
    relative = kinematics.global_to_relative(global_rotations, parents)
    np.testing.assert_allclose(relative, rotations, atol=1e-12)


@law
@given(trees(), seeds)
def test_posing_keeps_bone_lengths_and_turns_each_bone_with_its_parent(parents, seed):
    rotations, rest = random_skeleton(parents, seed)
    global_rotations, joints = kinematics.forward_kinematics(rotations, rest, parents)
    for joint, parent in enumerate(parents):
        if parent < 0:
            np.testing.assert_array_equal(joints[joint], rest[joint])
        else:
            bone = global_rotations[parent].numpy() @ (rest[joint] - rest[parent])
            np.testing.assert_allclose(joints[joint] - joints[parent], bone, atol=1e-12)


def test_rest_pose_stays_at_rest():
    _, rest = random_skeleton(SMPL_24.parents, 0)
    identity = np.broadcast_to(np.eye(3), (24, 3, 3))
    global_rotations, joints = kinematics.forward_kinematics(identity, rest, SMPL_24.parents)
    np.testing.assert_allclose(global_rotations, identity)
    np.testing.assert_allclose(joints, rest, atol=1e-15)


def test_turning_the_root_turns_the_body_about_its_pelvis():
    rotations, rest = random_skeleton(SMPL_24.parents, 0)
    turn = Rotation.from_rotvec([0.3, -1.0, 0.5]).as_matrix()
    _, joints = kinematics.forward_kinematics(rotations, rest, SMPL_24.parents)
    rotations[0] = turn @ rotations[0]
    _, moved = kinematics.forward_kinematics(rotations, rest, SMPL_24.parents)
    np.testing.assert_allclose(moved - rest[0], (joints - rest[0]) @ turn.T, atol=1e-12)


@pytest.mark.parametrize("leading", [(), (5,), (2, 3), (0,), (4, 0)])
def test_any_leading_dimensions(leading):
    rotations, rest = random_skeleton(SMPL_24.parents, 0, leading)
    global_rotations, joints = kinematics.forward_kinematics(rotations, rest, SMPL_24.parents)
    assert global_rotations.shape == rotations.shape and joints.shape == rest.shape
    assert kinematics.relative_to_global(rotations, SMPL_24.parents).shape == rotations.shape
    assert kinematics.global_to_relative(rotations, SMPL_24.parents).shape == rotations.shape
    for index in np.ndindex(leading):
        expected = reference_globals(rotations[index], SMPL_24.parents)
        np.testing.assert_allclose(global_rotations[index], expected, atol=1e-12)


def test_gradients_agree_with_finite_differences():
    parents = (-1, 0, 1, 0, 3)
    rotations, rest = random_skeleton(parents, 3)
    upstream = np.random.default_rng(0).normal(size=rest.shape)

    def loss(rotations, rest):
        return (reference_joints(rotations, rest, parents) * upstream).sum()

    inputs = tf.constant(rotations), tf.constant(rest)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        _, joints = kinematics.forward_kinematics(*inputs, parents)
    by_rotations, by_rest = tape.gradient(joints, inputs, output_gradients=upstream)
    expected = jacobian(lambda r: loss(r, rest), rotations)
    np.testing.assert_allclose(by_rotations, expected, atol=1e-9)
    expected = jacobian(lambda j: loss(rotations, j), rest)
    np.testing.assert_allclose(by_rest, expected, atol=1e-9)


def test_a_broken_rotation_reaches_the_joints_below_it_alone():
    rotations, rest = random_skeleton(SMPL_24.parents, seed=3, leading=(2,))
    whole = kinematics.forward_kinematics(rotations, rest, SMPL_24.parents)
    knee = SMPL_24.names.index("left_knee")
    rotations[1, knee, 0, 1] = np.nan
    below = [joint for joint in range(24) if "left_" in SMPL_24.names[joint]]
    below = [joint for joint in below if SMPL_24.names[joint][5:] in ("knee", "ankle", "foot")]
    assert len(below) == 3
    expected = np.zeros((2, 24), bool)
    expected[1, below] = True
    turned, joints = kinematics.forward_kinematics(rotations, rest, SMPL_24.parents)
    chained = kinematics.relative_to_global(rotations, SMPL_24.parents)
    for found in (turned, chained):
        np.testing.assert_array_equal(np.isnan(found).any((-2, -1)), expected)
        np.testing.assert_allclose(found[~expected], whole[0][~expected], atol=1e-12)
    expected[1, knee] = False
    np.testing.assert_array_equal(np.isnan(joints).any(-1), expected)
    np.testing.assert_allclose(joints[~expected], whole[1][~expected], atol=1e-12)
