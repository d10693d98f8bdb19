import numpy as np
import pytest
import tensorflow as tf

from smpl_tf.rotations import axis_angle_to_matrix, geodesic_angle
from smpl_tf.skeleton import SMPL_24
from smplr.motion import MotionConfig, motion_batch, motion_batches
from tests.smplr.people import point_body, poses

STILL = MotionConfig(
    exchange_rate=0.0,
    pose_deviation=0.0,
    yaw_deviation=0.0,
    pitch_deviation=0.0,
    mirror=False,
)


VARIED = MotionConfig()


def batch(config=VARIED, count=64, seed=(1, 2), pool=None):
    pool = poses(20) if pool is None else pool
    result = motion_batch(tf.constant(pool), point_body(), count, list(seed), config)
    return {name: value.numpy() for name, value in result.items()}


def nearest_in_pool(rotations, pool):
    """Returns for each person the pose of the pool whose inner joints are the same, or -1."""
    pool = axis_angle_to_matrix(pool).numpy()
    same = np.isclose(rotations[:, None, 1:], pool[None, :, 1:], atol=1e-5).all(axis=(2, 3, 4))
    return np.where(same.any(axis=1), same.argmax(axis=1), -1)


def test_a_batch_is_a_function_of_its_seed():
    first, again, other = batch(), batch(), batch(seed=(1, 3))
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])
        assert np.abs(value - other[name]).max() > 0.1


def test_points_are_those_of_the_drawn_bodies():
    drawn = batch()
    points = point_body()(
        rotations=drawn["rotations"], betas=drawn["betas"], gender=drawn["gender"]
    )["points"]
    np.testing.assert_allclose(drawn["points"], points, atol=1e-6)
    assert set(drawn["gender"]) == {-1.0, 1.0}
    assert np.abs(drawn["betas"]).max() <= 2.5
    between = drawn["rotations"] @ drawn["rotations"].swapaxes(-1, -2)
    np.testing.assert_allclose(between, np.broadcast_to(np.eye(3), between.shape), atol=1e-5)


def test_without_variation_the_pool_itself_comes_out():
    drawn = batch(STILL)
    chosen = nearest_in_pool(drawn["rotations"], poses(20))
    assert (chosen >= 0).all()
    assert len(set(chosen)) > 10
    roots = axis_angle_to_matrix(poses(20)[chosen, 0])
    np.testing.assert_allclose(drawn["rotations"][:, 0], roots, atol=1e-5)


def test_limbs_are_exchanged_as_a_whole():
    config = MotionConfig(**{**vars(STILL), "exchange_rate": 0.5})
    drawn = batch(config)
    pool = axis_angle_to_matrix(poses(20)).numpy()

    def sources(*names):
        joints = SMPL_24.indices(names)
        same = np.isclose(drawn["rotations"][:, None, joints], pool[None, :, joints], atol=1e-5)
        found = same.all(axis=(2, 3, 4))
        assert found.any(axis=1).all()
        return found.argmax(axis=1)

    arm = sources("left_collar", "left_shoulder", "left_elbow", "left_wrist", "left_hand")
    leg = sources("right_hip", "right_knee", "right_ankle", "right_foot")
    trunk = sources("spine1", "spine2", "spine3")
    sources("neck", "head")
    for limb in (arm, leg):
        assert 0.3 < (limb != trunk).mean() < 0.7


def test_a_view_turns_the_root_alone_about_the_vertical():
    config = MotionConfig(**{**vars(STILL), "yaw_deviation": None})
    drawn = batch(config, count=512)
    chosen = nearest_in_pool(drawn["rotations"], poses(20))
    roots = axis_angle_to_matrix(poses(20)[chosen, 0]).numpy()
    turns = drawn["rotations"][:, 0] @ roots.swapaxes(-1, -2)
    np.testing.assert_allclose(turns[:, 1, 1], 1, atol=1e-5)
    yaws = np.arctan2(turns[:, 0, 2], turns[:, 0, 0])
    assert np.histogram(yaws, 8, (-np.pi, np.pi))[0].min() > 30


def test_a_roll_turns_about_the_axis_of_the_camera():
    for changes, least in (({"roll_deviation": 0.3}, 0), ({"any_roll_rate": 1.0}, 30)):
        drawn = batch(MotionConfig(**{**vars(STILL), **changes}), count=512)
        chosen = nearest_in_pool(drawn["rotations"], poses(20))
        roots = axis_angle_to_matrix(poses(20)[chosen, 0]).numpy()
        turns = drawn["rotations"][:, 0] @ roots.swapaxes(-1, -2)
        np.testing.assert_allclose(turns[:, 2, 2], 1, atol=1e-5)
        rolls = np.arctan2(turns[:, 1, 0], turns[:, 0, 0])
        assert rolls.std() == pytest.approx(0.3 if least == 0 else np.pi / np.sqrt(3), rel=0.1)
        assert np.histogram(rolls, 8, (-np.pi, np.pi))[0].min() >= least


def test_some_poses_are_disturbed_more():
    config = MotionConfig(**{**vars(STILL), "disturbed_rate": 0.25, "disturbed_deviation": 0.4})
    drawn = batch(config, pool=poses(1), count=512)
    still = axis_angle_to_matrix(poses(1)).numpy()
    moved = np.abs(drawn["rotations"][:, 1:] - still[:, 1:]).max(axis=(1, 2, 3)) > 0.1
    assert 0.2 < moved.mean() < 0.3


def test_half_of_the_people_are_mirrored():
    config = MotionConfig(**{**vars(STILL), "mirror": True})
    drawn = batch(config, count=256)
    assert 0.4 < (nearest_in_pool(drawn["rotations"], poses(20)) >= 0).mean() < 0.6


def test_poses_vary_by_their_deviation():
    config = MotionConfig(**{**vars(STILL), "pose_deviation": 0.1})
    drawn = batch(config, pool=poses(1))
    still = axis_angle_to_matrix(poses(1)).numpy()
    angles = geodesic_angle(
        drawn["rotations"][:, 1:], np.broadcast_to(still, drawn["rotations"].shape)[:, 1:]
    )
    assert np.sqrt(np.mean(np.square(angles))) == pytest.approx(0.1 * np.sqrt(3), rel=0.05)


def test_a_stream_goes_on_where_it_was_left():
    def stream(first):
        return iter(motion_batches(poses(20), point_body(), 8, seed=5, first_batch=first))

    whole, rest = stream(0), stream(2)
    for _ in range(2):
        next(whole)
    for _ in range(2):
        one, other = next(whole), next(rest)
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
