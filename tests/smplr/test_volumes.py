import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from smpl_tf.skeleton import SMPL_24
from smplr import volumes
from smplr.volumes import VolumeGrid

FULL = VolumeGrid()
SMALL = VolumeGrid(16, 12, 8)
laws = settings(max_examples=25, derandomize=True, deadline=None)
coordinates = st.floats(-0.75, 0.6)


def read_back(points, grid, height):
    return volumes.soft_argmax(
        volumes.log_odds(volumes.joint_volumes(tf.constant(points, tf.float32), grid, height)),
        grid,
    ).numpy()


def test_the_root_lies_on_a_voxel_of_the_released_grid():
    root = tf.zeros([3])
    np.testing.assert_array_equal(FULL.to_voxels(root), [32, 32, 8])
    np.testing.assert_array_equal(FULL.to_metres(tf.constant([32.0, 32.0, 8.0])), [0, 0, 0])


@laws
@given(st.tuples(coordinates, coordinates, coordinates), st.booleans())
def test_voxels_are_metres_and_back(point, centred):
    grid = VolumeGrid(64, 48, 16, centred=centred)
    voxels = grid.to_voxels(tf.constant(point, tf.float64))
    np.testing.assert_allclose(grid.to_metres(voxels), point, atol=1e-12)


@pytest.mark.parametrize("height", ["density", "peak"])
def test_the_prior_is_what_a_target_voxel_is_on_average(height):
    point = tf.constant([[0.1, -0.2, 0.15]])
    mean = tf.reduce_mean(volumes.joint_volumes(point, FULL, height))
    prior = tf.sigmoid(volumes.prior_log_odds(FULL, height))
    np.testing.assert_allclose(prior, mean, rtol=1e-3)


def test_a_centred_grid_is_symmetric_about_the_root():
    grid = VolumeGrid(16, 12, 8, centred=True)
    for count in (16, 12, 8):
        axis = grid.axis(count).numpy()
        np.testing.assert_allclose(axis, -axis[::-1], atol=1e-6)
    np.testing.assert_allclose(grid.to_voxels(tf.zeros([3])), [7.5, 5.5, 3.5])


@pytest.mark.parametrize(
    ("axis", "place"),
    [(0, (6, 12, 4)), (1, (9, 8, 4)), (2, (6, 8, 6))],
    ids=["x right is columns", "y down is rows", "z away is bins"],
)
def test_axes_are_those_of_the_camera(axis, place):
    point = np.zeros((1, 3), np.float32)
    point[0, axis] = 0.625  # a quarter of the cube
    volume = volumes.joint_volumes(tf.constant(point), SMALL)[..., 0].numpy()
    assert np.unravel_index(volume.argmax(), volume.shape) == place


def test_heights_of_the_gaussian():
    root = tf.zeros([1, 3])
    assert volumes.joint_volumes(root, FULL, "peak").numpy().max() == 1
    density = volumes.joint_volumes(root, FULL, "density").numpy()
    assert density.max() == pytest.approx((2 * np.pi) ** -1.5)
    assert density.sum() == pytest.approx(1, abs=1e-5)


@laws
@given(st.tuples(coordinates, coordinates, coordinates))
def test_density_targets_return_their_points_within_a_tenth_of_a_millimetre(point):
    np.testing.assert_allclose(read_back([point], FULL, "density"), [point], atol=1e-4)


@laws
@given(st.tuples(st.floats(-0.9, 0.7), st.floats(-0.9, 0.9), st.floats(-0.88, 0.7)))
def test_density_targets_return_their_points_within_a_millimetre_over_the_usable_cube(point):
    np.testing.assert_allclose(read_back([point], FULL, "density"), [point], atol=1e-3)


def test_peak_targets_have_the_stated_bias():
    points = np.random.default_rng(0).uniform(-0.75, 0.6, (200, 3))
    errors = 1000 * np.linalg.norm(read_back(points, FULL, "peak") - points, axis=-1)
    assert errors.mean() < 6
    assert errors.max() < 18.5


@pytest.mark.parametrize(("depth", "bias_mm"), [(0.8, -3), (1.0, -38), (1.1, -85), (-1.0, 6)])
def test_the_ends_of_the_cube_pull_inwards_as_measured(depth, bias_mm):
    found = read_back([(0.0, 0.0, depth)], FULL, "density")[0, 2]
    assert 1000 * (found - depth) == pytest.approx(bias_mm, abs=1.5)


def test_a_background_floor_shifts_density_targets_and_hardly_peak_targets():
    point = [(0.3, -0.3, 0.3)]
    shifts = {}
    for height in ("density", "peak"):
        target = volumes.joint_volumes(tf.constant(point), FULL, height)
        floored = volumes.log_odds(tf.maximum(target, 1e-6))
        shifts[height] = 1000 * np.linalg.norm(volumes.soft_argmax(floored, FULL) - point)
    assert 20 < shifts["density"] < 40
    assert shifts["peak"] < 10


def test_log_odds_are_bounded_where_a_voxel_is_certain():
    odds = volumes.log_odds(tf.constant([0.0, 1e-38, 1e-30, 0.5, 1 - 1e-6, 1.0])).numpy()
    np.testing.assert_allclose(odds[:3], np.log(1e-30), rtol=1e-5)
    assert odds[3] == 0
    np.testing.assert_allclose(odds[4:], np.log(1e6), rtol=1e-2)


def test_soft_argmax_keeps_its_precision_for_half_precision_and_huge_logits():
    logits = np.full((12, 16, 8, 1), -60.0)
    logits[6, 8, 4] = 60
    found = volumes.soft_argmax(tf.constant(logits, tf.float16), SMALL)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, [[0, 0, 0]], atol=1e-6)
    assert np.isfinite(volumes.soft_argmax(tf.constant(1e4 * logits), SMALL)).all()


def segment_distance(voxel, start, end):
    along = end - start
    share = np.clip(np.dot(voxel - start, along) / np.dot(along, along), 0, 1)
    return np.linalg.norm(voxel - start - share * along)


def test_limb_tubes_are_gaussians_of_the_distance_to_the_bones():
    points = np.random.default_rng(0).uniform(-0.8, 0.8, (23, 3))
    tubes = volumes.limb_volumes(tf.constant(points, tf.float32), SMALL).numpy()
    voxels = SMALL.to_voxels(tf.constant(points)).numpy()
    legs = [("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("left_ankle", "left_foot")]
    bones = [[voxels[SMPL_24.index(name) - 1] for name in bone] for bone in legs]
    for row, column, depth in [(0, 0, 0), (6, 8, 4), (3, 11, 2), (9, 5, 7)]:
        voxel = np.array([column, row, depth], np.float64)
        nearest = min(segment_distance(voxel, *bone) for bone in bones)
        assert tubes[row, column, depth, 3] == pytest.approx(np.exp(-0.5 * nearest**2), abs=1e-4)


def test_limbs_are_their_own_side():
    points = np.zeros((23, 3), np.float32)
    points[SMPL_24.index("right_wrist") - 1] = (-1.0, 0, 0)
    right_arm = volumes.limb_volumes(tf.constant(points), SMALL)[..., 0].numpy()
    # Along the arm, half a metre from the root, and as far on the other side.
    assert right_arm[6, 4, 4] == pytest.approx(1, abs=1e-3)
    assert right_arm[6, 12, 4] < 1e-3


def test_released_limb_values_are_all_but_flat():
    points = np.random.default_rng(0).uniform(-0.8, 0.6, (41, 3))
    values = volumes.limb_volumes(tf.constant(points, tf.float32), FULL, "released").numpy()
    assert values.min() > 1e-5
    assert values.max() < 5e-5


def test_unknown_points_make_their_volumes_unknown():
    points = np.zeros((23, 3), np.float32)
    points[SMPL_24.index("left_elbow") - 1] = np.nan
    joints = volumes.joint_volumes(tf.constant(points), SMALL).numpy()
    limbs = volumes.limb_volumes(tf.constant(points), SMALL).numpy()
    assert np.isnan(joints[..., SMPL_24.index("left_elbow") - 1]).all()
    assert np.isfinite(joints[..., 0]).all()
    assert np.isnan(limbs[..., 1]).all()
    assert np.isfinite(limbs[..., [0, 2, 3]]).all()


def test_volumes_keep_leading_dimensions():
    points = tf.zeros([2, 3, 23, 3])
    assert volumes.joint_volumes(points, SMALL).shape == (2, 3, 12, 16, 8, 23)
    assert volumes.limb_volumes(points, SMALL).shape == (2, 3, 12, 16, 8, 4)
    assert volumes.limb_volumes(points, SMALL, "released").shape == (2, 3, 12, 16, 8, 4)
    assert volumes.soft_argmax(tf.zeros([2, 3, 12, 16, 8, 5]), SMALL).shape == (2, 3, 5, 3)


@pytest.mark.parametrize(("axis", "where"), [("depth", -2), ("columns", -3)])
def test_peaks_are_the_weights_of_soft_argmax_seen_along_an_axis(axis, where):
    logits = np.random.default_rng(0).normal(0, 3, (2, 4, 5, 3, 7)).astype(np.float32)
    weights = np.exp(logits) / np.exp(logits).sum((1, 2, 3), keepdims=True)
    weights /= weights.max((1, 2, 3), keepdims=True)
    found = volumes.projected_peaks(logits, axis)
    np.testing.assert_allclose(found, weights.max(where), rtol=1e-5)
    np.testing.assert_array_equal(tf.reduce_max(found, axis=(1, 2)), 1)
