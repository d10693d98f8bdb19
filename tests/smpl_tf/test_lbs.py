import dataclasses

import numpy as np
import tensorflow as tf

from smpl_tf import SMPL, lbs
from tests.reference_smpl import pose_body
from tests.small_body import small_body


def test_pose_features_are_the_entries_of_r_minus_i_joint_by_joint():
    rotations = np.random.default_rng(0).normal(size=(2, 24, 3, 3))
    features = lbs.pose_features(rotations)
    assert features.shape == (2, 207)
    expected = np.concatenate([(rotations[1, j] - np.eye(3)).ravel() for j in range(1, 24)])
    np.testing.assert_array_equal(features[1], expected)


def plain_skinning(points, motions, weights):
    """Equation 2 of SMPL, the way it is written."""
    blended = tf.einsum("jv,ncdj->nvcd", weights, motions)
    moved = tf.einsum("nvcd,ndv->nvc", blended[..., :3], points)
    return moved + blended[..., 3]


def random_skinning(seed=0, count=3, vertices=7, joints=4):
    rng = np.random.default_rng(seed)
    return (
        tf.constant(rng.normal(size=(count, 3, vertices))),
        tf.constant(rng.normal(size=(count, 3, 4, joints))),
        tf.constant(rng.dirichlet(np.ones(joints), vertices).T),
    )


def test_skinning_is_the_weighted_mean_of_the_motions():
    points, motions, weights = random_skinning()
    skinned = lbs.linear_blend_skinning(points, motions, weights)
    np.testing.assert_allclose(skinned, plain_skinning(points, motions, weights), atol=1e-14)


def first_and_second_derivatives(function, points, motions, weights):
    with tf.GradientTape() as outer:
        outer.watch((points, motions))
        with tf.GradientTape() as inner:
            inner.watch((points, motions))
            loss = tf.reduce_sum(tf.sin(function(points, motions, weights)))
        first = inner.gradient(loss, (points, motions))
        total = tf.add_n([tf.reduce_sum(tf.cos(gradient)) for gradient in first])
    return (*first, *outer.gradient(total, (points, motions)))


def test_own_gradient_of_skinning_is_that_of_the_plain_form_twice_over():
    arguments = random_skinning()
    ours = first_and_second_derivatives(lbs.linear_blend_skinning, *arguments)
    plain = first_and_second_derivatives(plain_skinning, *arguments)
    for our, expected in zip(ours, plain, strict=True):
        np.testing.assert_allclose(our, expected, atol=1e-12)


def test_blocks_of_vertices_are_joined_in_order():
    data = small_body(2 * lbs._VERTICES_PER_BLOCK + 5)
    rng = np.random.default_rng(0)
    betas, pose = rng.normal(size=10), rng.normal(size=(24, 3))
    smpl = SMPL(data, dtype="float64")
    expected = pose_body(data, betas, pose)[0]
    np.testing.assert_allclose(smpl(betas=betas, pose=pose).vertices, expected, atol=1e-12)


def local_body():
    """Two blocks of vertices: each follows other joints, and only the first is corrected."""
    data = small_body(lbs._VERTICES_PER_BLOCK + 30)
    first = np.arange(data.num_vertices) < lbs._VERTICES_PER_BLOCK
    weights, posedirs = data.weights.copy(), data.posedirs.reshape(-1, 3, 23, 9).copy()
    weights[first, 12:] = weights[~first, :12] = 0.0
    weights[first, 0] += 0.01  # no vertex is left without a joint
    weights[~first, 23] += 0.01
    posedirs[first, :, 5:] = posedirs[~first] = 0.0
    return dataclasses.replace(
        data,
        weights=weights / weights.sum(axis=1, keepdims=True),
        posedirs=posedirs.reshape(-1, 3, 207),
    )


def test_blocks_leave_out_the_joints_that_do_nothing_there():
    first, second = lbs.vertex_blocks(local_body(), None, 10, tf.float64)
    assert first.moving_joints.tolist() == list(range(12))
    assert second.moving_joints.tolist() == list(range(12, 24))
    assert first.correcting_joints.tolist() == list(range(5))
    assert first.basis.shape == (1 + 10 + 45, 3 * lbs._VERTICES_PER_BLOCK)
    assert second.basis.shape == (1 + 10, 3 * 30)


def test_leaving_out_changes_neither_vertices_nor_gradients():
    data, rng = local_body(), np.random.default_rng(0)
    betas, pose = tf.constant(rng.normal(size=(2, 10))), tf.constant(rng.normal(size=(2, 24, 3)))
    upstream = rng.normal(size=(2, data.num_vertices, 3))

    def run(smpl):
        with tf.GradientTape() as tape:
            tape.watch((betas, pose))
            vertices = smpl(betas=betas, pose=pose).vertices
        return vertices, *tape.gradient(vertices, (betas, pose), output_gradients=upstream)

    # Numbers too small to matter, but not zero, keep all joints in.
    full = dataclasses.replace(data, weights=data.weights + 1e-30, posedirs=data.posedirs + 1e-30)
    assert len(lbs.vertex_blocks(full, None, 10, tf.float64)[1].moving_joints) == 24
    for ours, expected in zip(
        run(SMPL(data, dtype="float64")), run(SMPL(full, dtype="float64")), strict=True
    ):
        np.testing.assert_allclose(ours, expected, atol=1e-10)
    expected = pose_body(data, betas[1].numpy(), pose[1].numpy())[0]
    np.testing.assert_allclose(run(SMPL(data, dtype="float64"))[0][1], expected, atol=1e-12)
