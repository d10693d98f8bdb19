"""Laws of Procrustes alignment, against an independent NumPy solution."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from smpl_tf.alignment import align, procrustes

laws = settings(derandomize=True, deadline=None, max_examples=25)
seeds = st.integers(0, 2**32 - 1)
scales = st.floats(0.01, 100)
both_kinds = pytest.mark.parametrize("with_scale", [True, False], ids=["similarity", "rigid"])


def points_and_motion(seed, batch=(3,), count=9):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(*batch, count, 3))
    turns = Rotation.random(int(np.prod(batch)), rng=rng).as_matrix().reshape(*batch, 3, 3)
    return points, turns, rng.normal(0, 10, (*batch, 1, 3)), rng


def reference(source, target, weights, with_scale):
    """Kabsch and Umeyama for one cloud, float64."""
    weights = weights / weights.sum()
    source_mean, target_mean = weights @ source, weights @ target
    a, b = source - source_mean, target - target_mean
    u, s, vt = np.linalg.svd((weights[:, None] * b).T @ a)
    d = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    scale = (s * d).sum() / (weights @ (a**2).sum(axis=1)) if with_scale else 1.0
    return scale * a @ ((u * d) @ vt).T + target_mean


@laws
@given(seeds, scales)
def test_a_similarity_is_undone(seed, scale):
    points, turns, shift, _ = points_and_motion(seed)
    moved = scale * points @ np.swapaxes(turns, -1, -2) + shift
    fit = procrustes(points, moved)
    np.testing.assert_allclose(fit.rotation, turns, atol=1e-9)
    np.testing.assert_allclose(fit.scale, np.full(3, scale), rtol=1e-9)
    np.testing.assert_allclose(fit.translation, shift[:, 0], atol=1e-7)
    np.testing.assert_allclose(fit(points), moved, atol=1e-9 * scale + 1e-9)


@both_kinds
@laws
@given(seed=seeds, scale=scales)
def test_the_result_ignores_a_motion_of_the_source(with_scale, seed, scale):
    points, turns, shift, rng = points_and_motion(seed)
    target = points + rng.normal(0, 0.3, points.shape)
    moved = (scale if with_scale else 1) * points @ np.swapaxes(turns, -1, -2) + shift
    np.testing.assert_allclose(
        align(moved, target, with_scale=with_scale),
        align(points, target, with_scale=with_scale),
        atol=1e-7,
    )


@both_kinds
@laws
@given(seed=seeds)
def test_agrees_with_kabsch_and_umeyama_under_weights(with_scale, seed):
    points, _, _, rng = points_and_motion(seed, batch=(2, 2))
    target = rng.normal(size=points.shape)
    weights = rng.uniform(0, 1, points.shape[:-1]) * (rng.uniform(size=points.shape[:-1]) > 0.2)
    aligned = align(points, target, weights, with_scale).numpy()
    for i in np.ndindex(2, 2):
        expected = reference(points[i], target[i], weights[i], with_scale)
        np.testing.assert_allclose(aligned[i], expected, atol=1e-9)


@laws
@given(seeds)
def test_a_reflection_is_never_used(seed):
    points, _, _, _ = points_and_motion(seed)
    fit = procrustes(points, points * (-1, 1, 1))
    np.testing.assert_allclose(np.linalg.det(fit.rotation), 1, atol=1e-9)
    assert np.abs(fit(points) - points * (-1, 1, 1)).max() > 0.01


def test_points_of_no_weight_may_be_missing():
    points, turns, shift, _ = points_and_motion(0)
    target = points @ np.swapaxes(turns, -1, -2) + shift
    mask = np.ones(points.shape[:-1], bool)
    mask[:, 4] = False
    target[:, 4] = np.nan
    np.testing.assert_allclose(align(points, target, mask)[:, :4], target[:, :4], atol=1e-9)
    points[:, 4] = np.nan
    np.testing.assert_allclose(align(points, target, mask)[:, :4], target[:, :4], atol=1e-9)


@both_kinds
def test_degenerate_clouds_give_finite_answers_and_gradients(with_scale):
    points, _, _, rng = points_and_motion(0, batch=())
    line = np.outer(rng.normal(size=9), [1.0, 2, 3])
    plane = points * (1, 1, 0)
    same = np.ones((9, 3))
    for source in (line, plane, same):
        for target in (points, line, plane, same):
            source_tensor = tf.constant(source)
            with tf.GradientTape() as tape:
                tape.watch(source_tensor)
                error = tf.reduce_sum(
                    (align(source_tensor, target, None, with_scale) - target) ** 2
                )
            assert np.isfinite(error)
            assert np.isfinite(tape.gradient(error, source_tensor)).all()
    np.testing.assert_allclose(align(line, line, with_scale=with_scale), line, atol=1e-9)
    unweighted = align(points, same, np.zeros(9), with_scale)
    np.testing.assert_array_equal(unweighted, points)


def test_the_gradient_is_that_of_finite_differences():
    points, _, _, rng = points_and_motion(1, batch=())
    target = rng.normal(size=points.shape)

    def error(source):
        return tf.reduce_sum(tf.abs(align(source, target) - target))

    source = tf.constant(points)
    with tf.GradientTape() as tape:
        tape.watch(source)
        value = error(source)
    gradient = tape.gradient(value, source).numpy()
    direction = rng.normal(size=points.shape)
    step = 1e-6 * direction
    difference = (error(points + step) - error(points - step)) / 2e-6
    np.testing.assert_allclose((gradient * direction).sum(), difference, rtol=1e-6)


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
def test_graphs_agree_with_eager_on_any_batch(jit):
    points, turns, shift, _ = points_and_motion(2, batch=(4, 2))
    moved = np.float32(1.5 * points @ np.swapaxes(turns, -1, -2) + shift)
    function = tf.function(align, jit_compile=jit)
    aligned = function(tf.constant(points, tf.float32), tf.constant(moved))
    assert aligned.dtype == tf.float32
    np.testing.assert_allclose(aligned, moved, atol=1e-4)
    assert function(tf.zeros((0, 5, 3)), tf.zeros((0, 5, 3))).shape == (0, 5, 3)


@pytest.mark.parametrize(
    "jit", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["graph", "xla"]
)
def test_clouds_of_any_size_are_aligned(jit):
    """Squares of 1e-20 are 0 in a float32, and clouds were turned the wrong way."""
    points, turns, shift, _ = points_and_motion(2)
    moved = 1.5 * points @ np.swapaxes(turns, -1, -2) + shift
    function = tf.function(align, jit_compile=jit)
    for size in (1e-30, 1e-20, 1e-12, 1e-6, 1e-3, 1.0, 1e3, 1e6, 1e12, 1e25):
        aligned = function(*(tf.constant(size * one, tf.float32) for one in (points, moved)))
        np.testing.assert_allclose(aligned / size, moved, atol=1e-4, err_msg=str(size))


def test_weights_of_any_size_are_shares():
    points, turns, shift, _ = points_and_motion(2)
    moved = tf.constant(points @ np.swapaxes(turns, -1, -2) + shift, tf.float32)
    for size in (1e-37, 1.0, 3e38):
        weights = tf.fill(moved.shape[:-1], np.float32(size))
        found = procrustes(tf.constant(points, tf.float32), moved, weights)
        np.testing.assert_allclose(found.rotation, turns, atol=1e-4, err_msg=str(size))


def test_clouds_of_two_float_types_are_aligned_in_that_of_the_source():
    points, turns, shift, _ = points_and_motion(0)
    moved = points @ np.swapaxes(turns, -1, -2) + shift
    aligned = align(points, tf.constant(moved, tf.float32))
    assert aligned.dtype == tf.float64
    np.testing.assert_allclose(aligned, moved, atol=1e-4)
    assert align(tf.constant(points, tf.float32), tf.constant(moved)).dtype == tf.float32


def test_clouds_that_do_not_correspond_are_named():
    points, *_ = points_and_motion(0)
    with pytest.raises(ValueError, match=r"^target and source: .*\(3, 8, 3\) and \(3, 9, 3\)"):
        align(points, points[:, 1:])
    with pytest.raises(ValueError, match=r"^weights and the points: .*\(8,\) and \(3, 9\)"):
        procrustes(points, points, np.ones(8))
