"""Laws of the one-euro filter on points and on rotations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from experiments.prediction.smoothing import smooth_points, smooth_rotations

laws = settings(derandomize=True, deadline=None, max_examples=20)
seeds = st.integers(0, 2**32 - 1)


def random_motion(seed, count=30):
    """Rotations [T, 2, 3, 3] of two joints that turn and jitter, and uneven times [T]."""
    rng = np.random.default_rng(seed)
    path = np.cumsum(rng.normal(0, 0.15, (count, 2, 3)), axis=0)
    turning = Rotation.from_rotvec(path.reshape(-1, 3)).as_matrix().reshape(count, 2, 3, 3)
    return turning, np.cumsum(rng.uniform(0.02, 0.2, count))


def angles(a, b):
    between = np.swapaxes(a, -1, -2) @ b
    return Rotation.from_matrix(between.reshape(-1, 3, 3)).magnitude().reshape(a.shape[:-2])


@laws
@given(seeds)
def test_rotations_stay_rotations_and_the_first_is_kept(seed):
    turning, times = random_motion(seed)
    smooth = smooth_rotations(turning, times)
    identity = smooth @ np.swapaxes(smooth, -1, -2)
    np.testing.assert_allclose(identity, np.broadcast_to(np.eye(3), identity.shape), atol=1e-10)
    np.testing.assert_allclose(np.linalg.det(smooth), 1)
    np.testing.assert_array_equal(smooth[0], turning[0])


@laws
@given(seeds)
def test_turning_the_world_turns_the_result(seed):
    turning, times = random_motion(seed)
    world = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    np.testing.assert_allclose(
        smooth_rotations(world @ turning, times),
        world @ smooth_rotations(turning, times),
        atol=1e-9,
    )


@laws
@given(seeds)
def test_about_one_axis_it_is_the_filter_of_the_angle(seed):
    rng = np.random.default_rng(seed)
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    angle, times = np.cumsum(rng.normal(0, 0.3, 40)), np.cumsum(rng.uniform(0.02, 0.1, 40))
    turning = Rotation.from_rotvec(angle[:, None] * axis).as_matrix()
    options = {"cutoff": 0.8, "growth": 0.5}
    expected = smooth_points(angle[:, None], times, **options)
    smooth = smooth_rotations(turning, times, **options)
    wanted = Rotation.from_rotvec(expected * axis).as_matrix()
    np.testing.assert_allclose(smooth, wanted, atol=1e-9)


@laws
@given(seeds)
def test_a_moment_does_not_depend_on_later_ones(seed):
    turning, times = random_motion(seed)
    whole = smooth_rotations(turning, times)
    np.testing.assert_allclose(smooth_rotations(turning[:12], times[:12]), whole[:12], atol=1e-12)


def test_what_rests_or_never_jitters_stays():
    times = np.arange(20) / 25
    still = np.broadcast_to(Rotation.from_rotvec([0.3, 1.2, -0.4]).as_matrix(), (20, 3, 3))
    np.testing.assert_allclose(smooth_rotations(still, times), still, atol=1e-12)
    points = np.broadcast_to([1.0, 2, 3], (20, 3))
    np.testing.assert_allclose(smooth_points(points, times), points, atol=1e-12)


def test_jitter_at_rest_shrinks_and_a_fast_turn_lags_little():
    rng = np.random.default_rng(0)
    times = np.arange(120) / 30
    still = Rotation.from_rotvec([[0.4, -0.2, 1.0]]).as_matrix().repeat(120, 0)
    noisy = still @ Rotation.from_rotvec(rng.normal(0, 0.05, (120, 3))).as_matrix()
    error = angles(smooth_rotations(noisy, times), still)[30:].mean()
    assert error < 0.5 * angles(noisy, still)[30:].mean()

    fast = Rotation.from_rotvec(np.outer(6 * times, [0, 1, 0])).as_matrix()
    lag = angles(smooth_rotations(fast, times), fast)[60:]
    # A plain low-pass filter at the cutoff of rest lags its speed times 1 / (2 pi 1.2).
    assert lag.max() < 0.4 * 6 / (2 * np.pi * 1.2)


@pytest.mark.parametrize("growth", [0.0, 1.0])
def test_the_first_steps_by_hand(growth):
    times = np.array([0.0, 0.1])
    share = 2 * np.pi * 0.1 / (2 * np.pi * 0.1 + 1)
    cutoff = 2.0 + growth * share * 10.0  # the speed itself is filtered at 1 Hz
    expected = 2 * np.pi * cutoff * 0.1 / (2 * np.pi * cutoff * 0.1 + 1)
    found = smooth_points(np.array([[0.0], [1.0]]), times, cutoff=2.0, growth=growth)
    np.testing.assert_allclose(found[:, 0], [0, expected])
