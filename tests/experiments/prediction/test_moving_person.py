import numpy as np
from scipy.spatial.transform import Rotation

from experiments.prediction import moving_person


def turning(times):
    """Every joint turns steadily about z, by 0.3 radians a second; the person walks along x."""
    pose = np.zeros((len(times), 24, 3))
    pose[..., 2] = 0.3 * times[:, None] + 0.1
    translation = np.stack([2 * times, 0 * times, 5 + 0 * times], axis=1)
    return pose, translation


def test_a_motion_whose_frames_are_not_evenly_apart_keeps_its_speed():
    times = np.array([0.5, 0.6, 0.7, 1.7, 1.8, 4.8])
    pose, translation = moving_person.evenly(*turning(times), times, 10.0)
    expected_pose, expected_translation = turning(0.5 + np.arange(44) / 10)
    np.testing.assert_allclose(pose, expected_pose, atol=1e-9)
    np.testing.assert_allclose(translation, expected_translation, atol=1e-9)


def test_half_turns_go_the_short_way():
    pose = np.zeros((2, 24, 3))
    pose[0, :, 0], pose[1, :, 0] = 3.0, -3.0  # 0.28 radians apart
    pose, _ = moving_person.evenly(pose, np.zeros((2, 3)), np.array([0.0, 1.0]), 4.0)
    steps = Rotation.from_rotvec(pose[1:, 0]) * Rotation.from_rotvec(pose[:-1, 0]).inv()
    np.testing.assert_allclose(steps.magnitude(), (2 * np.pi - 6) / 4, atol=1e-9)


def test_an_even_motion_stays_as_it_is():
    times = 3 + np.arange(7) / 12.5
    pose, translation = turning(times)
    for count in (7, 1):
        given = pose[:count], translation[:count]
        found = moving_person.evenly(*given, times[:count], 12.5)
        assert found[0] is given[0] and found[1] is given[1]


def test_acceleration_is_that_of_consecutive_frames_relative_to_the_pelvis():
    frames = np.array([0, 1, 2, 5, 6])
    joints = np.zeros((5, 24, 3))
    joints[:, 1:, 0] = 0.05 * frames[:, None] ** 2  # accelerates by 0.1 m per squared frame
    joints += np.random.default_rng(0).normal(size=(5, 1, 3))  # the whole body jumps
    found = moving_person.mean_acceleration(joints, frames)
    np.testing.assert_allclose(found, 100 * 23 / 24)  # the pelvis stays
    assert np.isnan(moving_person.mean_acceleration(joints[:2], frames[:2]))
