"""Laws of the camera: what happens to the picture happens to the projections."""

import math

import cv2
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from smpl_tf import camera as cameras
from smpl_tf.camera import Camera
from smpl_tf.nbf_scale import nbf_camera

WIDTH, HEIGHT = 320, 240
laws = settings(derandomize=True, deadline=None, max_examples=25)
seeds = st.integers(0, 2**32 - 1)


def random_view(seed):
    """A float32 camera with skew and oblong pixels, and points in front of it."""
    rng = np.random.default_rng(seed)
    focal = rng.uniform(200, 2000, 2)
    centre = (rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT))
    intrinsics = [[focal[0], rng.uniform(-5, 5), centre[0]], [0, focal[1], centre[1]], [0, 0, 1]]
    pixels = rng.uniform((0, 0), (WIDTH, HEIGHT), (30, 2))
    depth = rng.uniform(0.5, 30, 30)
    points = np.linalg.solve(intrinsics, np.c_[pixels, np.ones(30)].T).T * depth[:, None]
    return Camera(np.float32(intrinsics), WIDTH, HEIGHT), points, pixels, depth


def assert_pixels(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4)


@laws
@given(seeds)
def test_project_and_unproject_are_inverse(seed):
    camera, points, pixels, depth = random_view(seed)
    camera = camera._replace(intrinsics=camera.intrinsics.astype(np.float64))
    assert_pixels(camera.project(points), pixels)
    np.testing.assert_allclose(camera.unproject(pixels, depth), points, atol=1e-5)
    back = camera.project(camera.unproject(pixels, depth))
    np.testing.assert_allclose(back, pixels, rtol=0, atol=1e-10)


@laws
@given(seeds, st.floats(-100, 200), st.floats(-100, 200))
def test_crop_moves_projections(seed, x0, y0):
    camera, points, pixels, _ = random_view(seed)
    cropped = camera.crop(x0, y0, 100, 50)
    assert (cropped.width, cropped.height) == (100, 50)
    assert_pixels(cropped.project(points), pixels - (x0, y0))


@laws
@given(seeds, st.integers(1, 1000), st.integers(1, 1000))
def test_resize_scales_projections(seed, width, height):
    camera, points, pixels, _ = random_view(seed)
    resized = camera.resize(width, height)
    assert_pixels(resized.project(points), pixels * (width / WIDTH, height / HEIGHT))


@laws
@given(seeds)
def test_mirror_sees_the_mirrored_world_as_the_mirrored_picture(seed):
    camera, points, pixels, _ = random_view(seed)
    mirrored = camera.mirror()
    assert mirrored.intrinsics[0, 0] > 0
    expected = np.stack([WIDTH - pixels[:, 0], pixels[:, 1]], axis=-1)
    assert_pixels(mirrored.project(points * (-1, 1, 1)), expected)
    assert_pixels(mirrored.mirror().intrinsics, camera.intrinsics)


@laws
@given(seeds, st.floats(-math.pi, math.pi))
def test_rotate_sees_the_rolled_world_as_the_rotated_picture(seed, angle):
    camera, points, pixels, _ = random_view(seed)
    rolled = points @ np.transpose(cameras.roll_matrix(angle))
    centre = np.array([WIDTH / 2, HEIGHT / 2])
    cos, sin = math.cos(angle), math.sin(angle)
    expected = (pixels - centre) @ np.array([[cos, -sin], [sin, cos]]).T + centre
    assert_pixels(camera.rotate(angle).project(rolled), expected)
    matrix = cameras.rotation_matrix(angle, WIDTH, HEIGHT)
    assert_pixels(cameras.transform_points(matrix, pixels), expected)


def test_rotate_by_a_quarter_turn_is_clockwise_on_the_screen():
    turned = cameras.transform_points(cameras.rotation_matrix(math.pi / 2, 10, 10), [[9.0, 5.0]])
    np.testing.assert_allclose(turned, [[5, 9]], atol=1e-6)


def test_rotate_and_mirror_leave_nbfs_camera_as_it_is():
    camera = nbf_camera(224)
    np.testing.assert_allclose(camera.rotate(0.7).intrinsics, camera.intrinsics, atol=1e-3)
    np.testing.assert_array_equal(camera.mirror().intrinsics, camera.intrinsics)


@laws
@given(seeds)
def test_a_chain_of_changes_equals_the_product_of_their_matrices(seed):
    camera, points, pixels, _ = random_view(seed)
    chained = camera.crop(10.5, -20.25, 150, 130).resize(64, 96)
    matrix = cameras.resize_matrix(150, 130, 64, 96) @ cameras.crop_matrix(10.5, -20.25)
    expected = cameras.transform_points(matrix, pixels)
    assert_pixels(chained.project(points), expected)
    assert_pixels(camera.warp(matrix, 64, 96).project(points), expected)


def test_index_matrix_moves_pixels_as_opencv_does():
    picture = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    enlarged = cv2.resize(picture, (16, 12), interpolation=cv2.INTER_LINEAR)
    matrix = cameras.to_index_matrix(cameras.resize_matrix(8, 6, 16, 12))
    warped = cv2.warpAffine(picture, matrix[:2].numpy(), (16, 12), borderMode=cv2.BORDER_REPLICATE)
    assert np.abs(warped.astype(int) - enlarged).max() <= 1
    mirrored = cv2.warpAffine(
        picture, cameras.to_index_matrix(cameras.mirror_matrix(8))[:2].numpy(), (8, 6)
    )
    np.testing.assert_array_equal(mirrored, picture[:, ::-1])


def test_batches_of_cameras_and_points_broadcast():
    views = [random_view(seed) for seed in range(4)]
    batch = Camera(np.stack([view[0].intrinsics for view in views]), WIDTH, HEIGHT)
    points = np.stack([view[1] for view in views])
    assert_pixels(batch.project(points), np.stack([view[2] for view in views]))
    assert batch.project(points[0]).shape == (4, 30, 2)
    angles = tf.constant([0.1, 0.2, 0.3, 0.4])
    rolled = points @ np.swapaxes(cameras.roll_matrix(angles), -1, -2)
    expected = cameras.transform_points(
        cameras.rotation_matrix(angles, WIDTH, HEIGHT), batch.project(points)
    )
    assert_pixels(batch.rotate(angles).project(rolled), expected)


def test_works_in_tf_data_with_boxes_that_are_tensors():
    camera, points, pixels, _ = random_view(3)

    def crop(box):
        cropped = camera.crop(box[0], box[1], box[2], box[3]).resize(64, 64)
        return cropped.mirror().rotate(box[0]).project(tf.constant(points, tf.float32))

    boxes = np.float32([[10, 20, 64, 128]])
    projected = next(iter(tf.data.Dataset.from_tensor_slices(boxes).map(crop)))
    assert projected.shape == (30, 2)
    np.testing.assert_allclose(projected, crop(boxes[0]), atol=1e-3)


def test_nbfs_camera_has_the_released_scale():
    camera = nbf_camera(512)
    person = np.array([[[0, -0.893, 20.3], [0, 0.893, 20.3]]])  # 1.786 m tall
    np.testing.assert_allclose(np.diff(camera.project(person)[0, :, 1]), 440, atol=0.2)
    np.testing.assert_allclose(nbf_camera(224).intrinsics[0], [2187.5, 0, 112])


def test_points_in_the_camera_plane_have_finite_projections():
    points = tf.constant([[0.0, 0.0, 0.0], [1.0, -1.0, 0.0], [0.1, 0.2, -3.0]])
    with tf.GradientTape() as tape:
        tape.watch(points)
        projected = nbf_camera(64).project(points)
    assert np.isfinite(projected).all()
    assert np.isfinite(tape.gradient(projected, points)).all()


def test_points_without_depth_are_refused():
    with pytest.raises(ValueError, match=r"points \[\.\.\., N, 3\].*\(5, 2\)"):
        nbf_camera(64).project(np.zeros((5, 2)))
