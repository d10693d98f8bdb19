import keras
import numpy as np
import pytest
import tensorflow as tf

from smpl_tf.skeleton import SMPLR_42
from smplr import losses, volumes
from smplr.landmarks import LIMBS
from smplr.volumes import VolumeGrid

GRID = VolumeGrid(16, 16, 8)


def points(seed=0, batch=2):
    return np.random.default_rng(seed).uniform(-0.7, 0.5, (batch, 41, 3)).astype(np.float32)


def logits(seed=0, stacks=3, channels=45):
    return tf.random.stateless_normal([2, stacks, 16, 16, 8, channels], [seed, 1])


def all_targets(true, height="peak"):
    joints = volumes.joint_volumes(true, GRID, height)
    return tf.concat([joints, volumes.limb_volumes(true, GRID)], axis=-1)


def test_mean_absolute_error_is_one_value_per_sample():
    true, predicted = np.zeros((2, 3, 2)), np.ones((2, 3, 2))
    predicted[1] *= -3
    np.testing.assert_allclose(losses.mean_absolute_error(true, predicted), [1, 3])


@pytest.mark.parametrize("unknown", [np.nan, np.inf, -np.inf])
def test_unknown_targets_add_nothing(unknown):
    true, predicted = np.zeros((3, 4)), np.ones((3, 4))
    true[0, :2] = unknown
    predicted[0, :2] = 100
    true[1] = np.nan
    tensor = tf.constant(predicted)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        values = losses.mean_absolute_error(true, tensor)
    np.testing.assert_allclose(values, [1, 0, 1])
    gradient = tape.gradient(values, tensor).numpy()
    np.testing.assert_allclose(gradient[0], [0, 0, 0.5, 0.5])
    np.testing.assert_allclose(gradient[1], 0)


@pytest.mark.parametrize("unknown", [np.inf, -np.inf])
def test_infinite_points_and_volumes_are_unknown(unknown):
    true, predicted = points(), points(1)
    expected = losses.bone_length_error(np.where(np.arange(3) < 0, 0, true), predicted)
    true[:, 5] = np.nan
    missing = losses.bone_length_error(true, predicted)
    true[:, 5] = unknown
    np.testing.assert_array_equal(losses.bone_length_error(true, predicted), missing)
    assert np.isfinite(missing).all() and np.isfinite(expected).all()
    volume = np.array(volumes.joint_volumes(points(), GRID, "peak"))
    predictions = logits(channels=volume.shape[-1])
    volume[..., 3] = np.nan
    missing = losses.volume_cross_entropy(volume, predictions)
    volume[..., 3] = unknown
    np.testing.assert_array_equal(losses.volume_cross_entropy(volume, predictions), missing)
    assert np.isfinite(missing).all()


def test_shape_loss_pulls_predictions_towards_zero():
    true, predicted = tf.zeros([1, 11]), tf.fill([1, 11], 2.0)
    assert losses.ShapeLoss()(true, predicted).numpy() == pytest.approx(2.02)
    assert losses.ShapeLoss(0.0)(true, predicted).numpy() == pytest.approx(2)


def test_bone_length_error_sees_lengths_only():
    true = points()
    moved = true + np.float32([0.1, 0, 0])  # all but the bones from the root keep their length
    errors = losses.bone_length_error(true, moved).numpy()
    roots = np.abs(np.linalg.norm(moved, axis=-1) - np.linalg.norm(true, axis=-1))[
        :, [0, 1, 2, 25, 26, 27]
    ]
    np.testing.assert_allclose(errors, roots.sum(axis=-1) / 41, atol=1e-6)
    true[0, 7] = np.nan
    assert np.isfinite(losses.bone_length_error(true, moved)).all()


def test_point_loss_adds_bones():
    true, predicted = points(0), points(1)
    expected = losses.mean_absolute_error(true, predicted)
    np.testing.assert_allclose(losses.PointLoss(0.0)(true, predicted), np.mean(expected))
    expected += 2 * losses.bone_length_error(true, predicted)
    np.testing.assert_allclose(
        losses.PointLoss(2.0)(true, predicted), np.mean(expected), rtol=1e-6
    )


def test_volume_loss_is_the_cross_entropy_summed_over_stacks():
    true, predicted = points(), logits()
    targets = tf.repeat(all_targets(true)[:, None], 3, axis=1)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(targets, predicted)
    expected = tf.reduce_sum(tf.reduce_mean(entropy, axis=(2, 3, 4, 5)), axis=1)
    found = losses.VolumeLoss(reduction=None)(true, predicted)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_volume_loss_without_limbs_and_with_densities():
    true, predicted = points(), logits(channels=41)
    targets = volumes.joint_volumes(true, GRID, "density")[:, None]
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(tf.repeat(targets, 3, axis=1), predicted)
    expected = tf.reduce_sum(tf.reduce_mean(entropy, axis=(2, 3, 4, 5)), axis=1)
    found = losses.VolumeLoss("density", reduction=None)(true, predicted)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_volume_loss_of_perfect_logits_is_the_entropy_of_the_target():
    true = points()
    targets = all_targets(true, "density")
    perfect = volumes.log_odds(targets)[:, None]
    found = losses.VolumeLoss("density")(true, perfect).numpy()
    assert found < losses.VolumeLoss("density")(true, perfect + 0.5).numpy()
    entropy = -targets * tf.math.log(targets + 1e-30) - (1 - targets) * tf.math.log1p(-targets)
    assert found == pytest.approx(np.nanmean(entropy), rel=1e-3)


def test_the_entropy_of_whole_volumes_is_least_at_the_target_and_where_soft_argmax_reads_it():
    true = points()
    true[0, 3] = np.nan
    targets = volumes.joint_volumes(true, GRID)
    loss = losses.VolumeLoss(entropy="volume", reduction=None)
    known = tf.where(tf.math.is_finite(targets), targets, 1.0)
    logit = tf.Variable(tf.repeat(tf.math.log(known + 1e-30)[:, None] + 7.0, 2, axis=1))
    with tf.GradientTape() as tape:
        found = loss(true, logit)
    shares = (targets / tf.reduce_sum(targets, axis=(1, 2, 3), keepdims=True)).numpy()
    entropy = -np.nansum(shares * np.log(shares + 1e-30), axis=(1, 2, 3))
    known = np.isfinite(true).all(-1)
    expected = [2 * row[kept].mean() for row, kept in zip(entropy, known, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    gradient = tape.gradient(found, logit).numpy()
    assert np.abs(gradient).max() < 1e-6
    # Unlike with one sigmoid per voxel, the background does not draw the mean to the middle.
    inner = np.abs(true).max(-1) < 0.5
    read = volumes.soft_argmax(logit[:, 0], GRID).numpy()
    assert np.abs(read - true)[inner].max() < 0.02
    assert losses.VolumeLoss(entropy="volume")(np.full_like(true, np.nan), logit) == 0


def test_unknown_points_leave_the_volume_loss_of_the_others():
    true, predicted = points(), logits()
    ankle, left_leg = SMPLR_42.index("left_ankle") - 1, 41 + list(LIMBS).index("left_leg")
    true[0, ankle] = np.nan
    true[1] = np.nan
    channels = np.delete(np.arange(45), [ankle, left_leg])
    with tf.GradientTape() as tape:
        tape.watch(predicted)
        found = losses.VolumeLoss(reduction=None)(true, predicted)
    targets = tf.gather(all_targets(true)[:1, None], channels, axis=-1)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(
        tf.repeat(targets, 3, axis=1), tf.gather(predicted[:1], channels, axis=-1)
    )
    np.testing.assert_allclose(found[0], 3 * np.mean(entropy), rtol=1e-5)
    assert found[1] == 0
    gradient = tape.gradient(found, predicted).numpy()
    assert np.isfinite(gradient).all()
    assert not gradient[0, ..., [ankle, left_leg]].any()


def test_losses_compute_in_float32_whatever_they_are_given():
    true = points()
    half = tf.cast(logits(), tf.float16)
    loss = losses.VolumeLoss(dtype="float32")
    np.testing.assert_allclose(loss(true, half), loss(true, tf.cast(half, tf.float32)), rtol=1e-5)
    assert losses.mean_absolute_error(true, tf.cast(true, tf.float16)).dtype == tf.float32


@pytest.mark.parametrize(
    "loss",
    [
        losses.MeanAbsoluteError(),
        losses.ShapeLoss(0.5),
        losses.PointLoss(0.5),
        losses.VolumeLoss("density", "released", 2.0, True, "volume"),
    ],
)
def test_losses_are_rebuilt_from_their_configuration(loss):
    config = keras.saving.serialize_keras_object(loss)
    rebuilt = keras.saving.deserialize_keras_object(config)
    assert type(rebuilt) is type(loss)
    assert rebuilt.get_config() == loss.get_config()
