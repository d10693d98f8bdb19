"""Google's geometry on the same numbers, by value and gradient, in float64.

Skipped where it is absent; its geometry is pure Python and works on every Python after
`pip install --no-deps tensorflow-graphics==2021.12.3`, which is how `make test` installs it.
"""

import numpy as np
import pytest
import tensorflow as tf

from smpl_tf import rotations
from smpl_tf.camera import Camera
from smpl_tf.lbs import linear_blend_skinning

pytest.importorskip("tensorflow_graphics")
from tensorflow_graphics.geometry.transformation import (  # noqa: E402
    axis_angle,
    quaternion,
    rotation_matrix_3d,
)
from tensorflow_graphics.geometry.transformation import (  # noqa: E402
    linear_blend_skinning as their_skinning,
)
from tensorflow_graphics.rendering.camera import perspective  # noqa: E402

COUNT = 64


def random(*shape):
    return tf.constant(np.random.default_rng(sum(shape)).normal(size=shape))


def agree(ours, theirs, *inputs, atol=1e-12):
    """Compares two functions of the same tensors, and the gradients of a weighted sum of each."""
    found = []
    for function in (ours, theirs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            values = function(*inputs)
            total = tf.reduce_sum(values * random(*values.shape))
        found.append((values, *tape.gradient(total, inputs)))
    for one, other in zip(*found, strict=True):
        assert np.abs(one.numpy()).max() > 1e-3
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=atol)


def their_matrix(vectors):
    angle = tf.norm(vectors, axis=-1, keepdims=True)
    return rotation_matrix_3d.from_axis_angle(vectors / angle, angle)


def test_axis_angles_become_the_same_matrices():
    agree(rotations.axis_angle_to_matrix, their_matrix, random(COUNT, 3))


def test_quaternions_become_the_same_matrices():
    def theirs(wxyz):
        xyzw = tf.roll(wxyz, -1, axis=-1)
        return rotation_matrix_3d.from_quaternion(quaternion.normalize(xyzw))

    agree(rotations.quaternion_to_matrix, theirs, random(COUNT, 4))


def test_matrices_become_the_same_quaternions_and_axis_angles():
    matrices = rotations.axis_angle_to_matrix(random(COUNT, 3))
    # Off the rotations the two go on differently: values alone.
    xyzw = quaternion.from_rotation_matrix(matrices).numpy()
    xyzw = np.where(xyzw[:, 3:] < 0, -xyzw, xyzw)
    np.testing.assert_allclose(
        rotations.matrix_to_quaternion(matrices), np.roll(xyzw, 1, axis=-1), atol=1e-12
    )
    axis, angle = axis_angle.from_rotation_matrix(matrices)
    np.testing.assert_allclose(
        rotations.matrix_to_axis_angle(matrices), (axis * angle).numpy(), atol=1e-10
    )


def test_axis_angles_go_to_matrices_and_back_with_the_same_gradient():
    def ours(vectors):
        return rotations.matrix_to_axis_angle(rotations.axis_angle_to_matrix(vectors))

    def theirs(vectors):
        angle = tf.norm(vectors, axis=-1, keepdims=True)
        axis, angle = axis_angle.from_quaternion(
            quaternion.from_axis_angle(vectors / angle, angle)
        )
        return axis * angle

    short = random(COUNT, 3)
    agree(ours, theirs, short / tf.norm(short, axis=-1, keepdims=True) * 2.0, atol=1e-9)


def test_angles_between_rotations_are_the_same():
    def theirs(a, b):
        return quaternion.relative_angle(
            quaternion.from_rotation_matrix(a), quaternion.from_rotation_matrix(b)
        )

    a, b = (rotations.axis_angle_to_matrix(random(COUNT, n)[:, :3]) for n in (3, 4))
    np.testing.assert_allclose(rotations.geodesic_angle(a, b), theirs(a, b), atol=1e-7)


def test_points_are_projected_to_the_same_pixels():
    intrinsics = tf.constant([[500.0, 0, 128], [0, 450, 100], [0, 0, 1]], tf.float64)
    camera = Camera(intrinsics, 256, 200)

    def theirs(points):
        focal = tf.broadcast_to(tf.linalg.diag_part(intrinsics)[:2], [COUNT, 2])
        return perspective.project(points, focal, tf.broadcast_to(intrinsics[:2, 2], [COUNT, 2]))

    points = random(COUNT, 3) + tf.constant([0.0, 0.0, 6.0], tf.float64)
    agree(camera.project, theirs, points, atol=1e-9)


def test_points_are_skinned_alike():
    joints, vertices = 5, 40
    turns = rotations.axis_angle_to_matrix(random(2, joints, 3))
    weights = tf.nn.softmax(random(vertices, joints))

    def ours(points, shifts):
        motions = tf.transpose(tf.concat([turns, shifts[..., None]], -1), [0, 2, 3, 1])
        batch = tf.repeat(tf.transpose(points)[None], 2, axis=0)
        return linear_blend_skinning(batch, motions, tf.transpose(weights))

    def theirs(points, shifts):
        return their_skinning.blend(points, weights, turns, shifts)

    agree(ours, theirs, random(vertices, 3), random(2, joints, 3))
