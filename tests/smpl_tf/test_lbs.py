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
