import functools

import numpy as np
import pytest
import tensorflow as tf

from smpl_tf.kinematics import relative_to_global
from smpl_tf.skeleton import SMPL_24, SMPLR_42
from smplr import noise
from smplr.bones import bone_directions, bone_lengths, bone_vectors
from tests.smplr.people import people, point_body

KINDS = [noise.uniform_noise, noise.gaussian_noise, noise.structured_noise]
SEED = [3, 4]


@functools.cache
def crowd(repeats=64):
    return tf.constant(np.tile(people(32)["points"], (repeats, 1, 1)))


def displacement(kind, **kwargs):
    return (kind(crowd(), SEED, **kwargs) - crowd()).numpy()


def index(name):
    return SMPLR_42.index(name) - 1


def test_limits_are_the_released_ones_in_camera_axes():
    limits = 1000 * noise.noise_limits(41)
    np.testing.assert_allclose(limits[index("left_knee")], (22, 20, 34))
    np.testing.assert_allclose(limits[index("right_hand")], (32, 38, 82))
    np.testing.assert_allclose(limits[index("left_hand_tip")], (41, 49, 85))
    np.testing.assert_allclose(limits[index("face")], (22, 29, 39))
    np.testing.assert_array_equal(noise.noise_limits(23), noise.noise_limits(41)[:23])


@pytest.mark.parametrize("kind", KINDS)
def test_noise_is_a_function_of_its_seed(kind):
    points = crowd(1)
    np.testing.assert_array_equal(kind(points, SEED), kind(points, SEED))
    assert np.abs(kind(points, SEED) - kind(points, [3, 5])).max() > 0.01
    assert kind(tf.cast(points[0, :23], tf.float64), SEED).dtype == tf.float64
    assert kind(points[None], SEED).shape == (1, *points.shape)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_without_scale_moves_nothing_but_reversed_depths(kind):
    moved = displacement(kind, scale=0.0)
    np.testing.assert_allclose(moved[..., :2], 0, atol=1e-7)
    if kind is not noise.structured_noise:
        np.testing.assert_allclose(moved, 0, atol=1e-7)


def test_uniform_noise_fills_its_limits():
    moved = displacement(noise.uniform_noise)
    limits = noise.noise_limits(41)
    assert (np.abs(moved) <= limits * (1 + 1e-5)).all()
    np.testing.assert_allclose(np.abs(moved).max(axis=0), limits, rtol=0.02)
    assert 0.020 < np.linalg.norm(moved, axis=-1).mean() < 0.030


def test_gaussian_noise_has_the_variance_of_uniform_noise():
    moved = displacement(noise.gaussian_noise)
    np.testing.assert_allclose(moved.std(axis=0), noise.noise_limits(41) / np.sqrt(3), rtol=0.1)
    np.testing.assert_allclose(moved.mean(axis=0), 0, atol=0.005)


def test_structured_noise_moves_points_by_60_mm_on_average():
    assert 0.055 < np.linalg.norm(displacement(noise.structured_noise), axis=-1).mean() < 0.065


def test_structured_noise_runs_along_limbs_and_not_across_them():
    moved = displacement(noise.structured_noise)[..., 0]

    def correlation(first, second):
        return np.corrcoef(moved[:, index(first)], moved[:, index(second)])[0, 1]

    assert correlation("left_elbow", "left_wrist") > 0.5
    assert correlation("left_knee", "left_ankle") > 0.5
    assert abs(correlation("left_wrist", "right_ankle")) < 0.1


def test_structured_noise_is_larger_outwards_and_in_depth():
    spread = displacement(noise.structured_noise).std(axis=0)
    for inner, outer in [("left_hip", "left_ankle"), ("right_shoulder", "right_hand")]:
        assert (spread[index(outer)] > spread[index(inner)]).all()
    assert (spread[index("left_wrist"), 2] > 1.4 * spread[index("left_wrist"), :2]).all()


def test_reversed_limbs_keep_their_bone_lengths():
    moved = noise.structured_noise(crowd(), SEED, 0.0).numpy()
    truth = crowd().numpy()
    elbow, wrist, hand = index("left_elbow"), index("left_wrist"), index("left_hand")
    reversed_ = ~np.isclose(moved[:, wrist, 2], truth[:, wrist, 2])
    assert 0.02 < reversed_.mean() < 0.15
    lengths = [np.linalg.norm(p[:, hand] - p[:, wrist], axis=-1) for p in (moved, truth)]
    np.testing.assert_allclose(*lengths, atol=1e-5)
    lengths = [np.linalg.norm(p[:, wrist] - p[:, elbow], axis=-1) for p in (moved, truth)]
    np.testing.assert_allclose(*lengths, atol=1e-5)


def test_foreign_bones_keep_their_lengths_and_turn_with_their_joints():
    truth = people(4)
    points, rotations = tf.constant(truth["points"]), truth["rotations"]
    foreign = noise.foreign_bones(points, rotations, SEED, 0.2)
    np.testing.assert_allclose(bone_lengths(foreign), bone_lengths(points), atol=1e-5)
    cosines = np.sum(bone_directions(foreign) * bone_directions(points), axis=-1)
    # The turn about the bone itself does not show: two axes of three.
    assert np.sqrt(np.mean(np.arccos(cosines) ** 2)) == pytest.approx(0.2 * np.sqrt(2), rel=0.15)

    # In another pose the same seed gives the same foreign body.
    pose = people(4, seed=1)["rotations"]
    again = point_body()(rotations=pose, betas=truth["betas"], gender=truth["gender"])["points"]
    again = noise.foreign_bones(again, pose, SEED, 0.2)

    def at_rest(points, pose):
        frames = relative_to_global(pose, SMPL_24.parents).numpy()[:, SMPL_24.parents[1:]]
        return np.einsum("njki,njk->nji", frames, bone_vectors(points)[:, :23])

    np.testing.assert_allclose(at_rest(again, pose), at_rest(foreign, rotations), atol=1e-5)
    still = noise.foreign_bones(points[:, :23], rotations, SEED, 0.0)
    np.testing.assert_allclose(still, points[:, :23], atol=1e-5)


def test_without_depth_keeps_the_picture_plane():
    points = crowd(1)
    flat = noise.without_depth(points)
    np.testing.assert_array_equal(flat[..., :2], points[..., :2])
    np.testing.assert_array_equal(flat[..., 2], 0)


def test_missing_points_are_lost_at_their_rate():
    lost = np.isnan(noise.missing_points(crowd(), SEED, 0.2).numpy())
    assert (lost.all(axis=-1) == lost.any(axis=-1)).all()
    assert 0.19 < lost.mean() < 0.21
    assert not np.isnan(noise.missing_points(crowd(1), SEED, 0.0)).any()
