import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from smpl_tf.rotations import axis_angle_to_matrix
from smpl_tf.skeleton import SMPLR_42
from smplr import bones
from tests.finite_differences import jacobian

TEMPLATE = np.random.default_rng(0).uniform(0.05, 0.4, 41)
laws = settings(max_examples=25, derandomize=True, deadline=None)
seeds = st.integers(0, 2**32 - 1)
counts = st.sampled_from([41, 23])


def random_points(seed, count=41, batch=()):
    return np.random.default_rng(seed).uniform(-1, 1, (*batch, count, 3))


@laws
@given(seeds, counts, st.sampled_from([(), (3,), (2, 1)]))
def test_points_come_back_from_their_bones(seed, count, batch):
    points = random_points(seed, count, batch)
    template = TEMPLATE[:count]
    directions = bones.bone_directions(points)
    residuals = bones.length_residuals(points, template)
    assert directions.shape == (*batch, count, 3)
    assert residuals.shape == (*batch, count)
    back = bones.points_from_bones(directions, residuals, template)
    np.testing.assert_allclose(back, points, atol=1e-9)


def test_a_bone_leads_from_parent_to_child():
    points = random_points(1)
    rooted = np.concatenate([np.zeros((1, 3)), points])
    for point in range(1, 42):
        bone = rooted[point] - rooted[SMPLR_42.parents[point]]
        length = np.linalg.norm(bone)
        np.testing.assert_allclose(
            bones.bone_directions(points)[point - 1], bone / length, atol=1e-9
        )
        residual = bones.length_residuals(points, TEMPLATE)[point - 1]
        assert residual.numpy() == pytest.approx(length - TEMPLATE[point - 1])


@laws
@given(seeds)
def test_turning_the_points_turns_n_and_leaves_b(seed):
    points = random_points(seed)
    axis_angle = np.random.default_rng(seed + 1).normal(size=3)
    turn = axis_angle_to_matrix(axis_angle).numpy()
    np.testing.assert_allclose(
        bones.bone_directions(points @ turn.T), bones.bone_directions(points) @ turn.T, atol=1e-9
    )
    np.testing.assert_allclose(
        bones.length_residuals(points @ turn.T, TEMPLATE),
        bones.length_residuals(points, TEMPLATE),
        atol=1e-9,
    )


@laws
@given(seeds, st.floats(0.1, 10))
def test_scaling_the_points_leaves_n(seed, scale):
    points = random_points(seed)
    np.testing.assert_allclose(
        bones.bone_directions(scale * points), bones.bone_directions(points), atol=1e-9
    )


def test_root_relative_points_start_after_the_root():
    rng = np.random.default_rng(0)
    joints, landmarks = rng.normal(size=(2, 24, 3)), rng.normal(size=(2, 18, 3))
    points = bones.root_relative(joints, landmarks)
    np.testing.assert_allclose(points[:, 0], joints[:, 1] - joints[:, 0])
    np.testing.assert_allclose(points[:, 23], landmarks[:, 0] - joints[:, 0])
    assert bones.root_relative(joints).shape == (2, 23, 3)
    back = bones.split_points(points)
    np.testing.assert_array_equal(tf.concat(back, axis=1), points)


@pytest.mark.parametrize("told", ["nan", "infinite", "mask"])
def test_a_missing_point_leaves_the_bones_that_touch_it_unobserved(told):
    points = random_points(2)
    clean = bones.bone_directions(points), bones.length_residuals(points, TEMPLATE)
    valid = None
    elbow, wrist = SMPLR_42.index("left_elbow") - 1, SMPLR_42.index("left_wrist") - 1
    if told == "mask":
        valid = np.arange(41) != elbow
    else:
        points[elbow, 1] = np.nan if told == "nan" else np.inf
    directions = bones.bone_directions(points, valid)
    residuals = bones.length_residuals(points, TEMPLATE, valid)
    gone = [elbow, wrist]
    np.testing.assert_array_equal(directions.numpy()[gone], 0)
    np.testing.assert_array_equal(residuals.numpy()[gone], 0)
    np.testing.assert_array_equal(
        np.delete(directions, gone, axis=0), np.delete(clean[0], gone, axis=0)
    )
    np.testing.assert_array_equal(np.delete(residuals, gone), np.delete(clean[1], gone))


def test_nothing_known_gives_zeros():
    points = np.full((2, 41, 3), np.nan)
    assert not np.any(bones.bone_directions(points))
    assert not np.any(bones.length_residuals(points, TEMPLATE))


def test_gradients_are_right_and_stop_at_missing_points():
    points = random_points(3, 23)
    points[4] = points[1] + 0.01
    weights = random_points(4, 23)

    def value(points):
        return tf.reduce_sum(bones.bone_directions(points) * weights)

    tensor = tf.constant(points)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        result = value(tensor)
    np.testing.assert_allclose(
        tape.gradient(result, tensor), jacobian(value, points), rtol=1e-4, atol=1e-5
    )

    points[7] = np.nan
    tensor = tf.constant(points)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        result = value(tensor)
    gradient = tape.gradient(result, tensor).numpy()
    assert np.isfinite(gradient).all()
    np.testing.assert_array_equal(gradient[7], 0)


def test_a_bone_of_length_zero_has_no_direction_and_a_finite_gradient():
    points = tf.constant(random_points(5), tf.float32)
    # The left knee on the left hip.
    points = tf.tensor_scatter_nd_update(points, [[3]], points[:1])
    with tf.GradientTape() as tape:
        tape.watch(points)
        directions = bones.bone_directions(points)
        residuals = bones.length_residuals(points, TEMPLATE)
        value = tf.reduce_sum(directions) + tf.reduce_sum(residuals)
    np.testing.assert_array_equal(directions[3], 0)
    assert residuals[3].numpy() == pytest.approx(-TEMPLATE[3], abs=1e-5)
    assert np.isfinite(tape.gradient(value, points).numpy()).all()
