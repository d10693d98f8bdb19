"""The errors against plain NumPy, their laws, and the Keras metrics over them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from smpl_tf import metrics
from smpl_tf.skeleton import SMPL_24, SMPLR_42

laws = settings(derandomize=True, deadline=None, max_examples=25)
seeds = st.integers(0, 2**32 - 1)


def joints_pair(seed=0, batch=(6,), noise=0.05):
    rng = np.random.default_rng(seed)
    true = rng.normal(0, 0.4, (*batch, 24, 3)) + [0, 0, 20.3]
    return true, true + rng.normal(0, noise, true.shape), rng


def distances(true, predicted):
    return np.sqrt(((true - predicted) ** 2).sum(axis=-1))


def test_mpjpe_is_the_mean_distance_of_what_the_mask_leaves():
    true, predicted, rng = joints_pair(batch=(3, 2))
    expected = distances(true, predicted)
    np.testing.assert_allclose(metrics.mpjpe(true, predicted), expected.mean(axis=-1))
    mask = rng.uniform(size=(3, 2, 24)) > 0.5
    predicted[~mask] = np.nan
    expected = np.array([expected[i][mask[i]].mean() for i in np.ndindex(3, 2)]).reshape(3, 2)
    np.testing.assert_allclose(metrics.mpjpe(true, predicted, mask), expected)
    np.testing.assert_allclose(metrics.surface_error(true, predicted, mask), expected)


def test_a_sample_without_joints_has_no_error():
    true, predicted, _ = joints_pair()
    mask = np.ones((6, 24))
    mask[2] = 0
    for error in (metrics.mpjpe, metrics.pa_mpjpe):
        values = error(true, predicted, mask).numpy()
        np.testing.assert_array_equal(np.isnan(values), np.arange(6) == 2)


def test_root_centring_ignores_a_translation():
    true, predicted, _ = joints_pair()
    centred = metrics.mpjpe(metrics.root_centred(true), metrics.root_centred(predicted + 3))
    expected = distances(true - true[:, :1], predicted - predicted[:, :1]).mean(axis=-1)
    np.testing.assert_allclose(centred, expected)


@laws
@given(seeds, st.floats(0.1, 10))
def test_pa_mpjpe_ignores_a_similarity(seed, scale):
    true, predicted, rng = joints_pair(seed)
    turns = Rotation.random(6, rng=rng).as_matrix()
    moved = scale * predicted @ np.swapaxes(turns, -1, -2) + rng.normal(size=(6, 1, 3))
    aligned = metrics.pa_mpjpe(true, predicted)
    np.testing.assert_allclose(metrics.pa_mpjpe(true, moved), aligned, atol=1e-7)
    rigid = moved / scale
    np.testing.assert_allclose(
        metrics.pa_mpjpe(true, rigid, with_scale=False),
        metrics.pa_mpjpe(true, predicted, with_scale=False),
        atol=1e-7,
    )
    np.testing.assert_allclose(metrics.pa_mpjpe(true, true * scale + 1), 0, atol=1e-7)


@laws
@given(seeds)
def test_rotation_angle_is_that_of_the_relative_rotation(seed):
    rng = np.random.default_rng(seed)
    true = Rotation.random(24, rng=rng)
    vectors = rng.normal(size=(24, 3))
    vectors *= rng.uniform(0, np.pi, (24, 1)) / np.linalg.norm(vectors, axis=-1, keepdims=True)
    predicted = true * Rotation.from_rotvec(vectors)
    angle = metrics.rotation_angle(true.as_matrix()[None], predicted.as_matrix()[None])
    np.testing.assert_allclose(angle, [np.linalg.norm(vectors, axis=-1).mean()], rtol=1e-7)
    mask = np.zeros((1, 24))
    mask[0, 7] = 1
    angle = metrics.rotation_angle(true.as_matrix()[None], predicted.as_matrix()[None], mask)
    np.testing.assert_allclose(angle, [np.linalg.norm(vectors[7])], rtol=1e-6)


def test_bones_are_the_distances_to_the_parents():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(5, 42, 3))
    lengths = metrics.bone_lengths(points, SMPLR_42.parents)
    assert lengths.shape == (5, 41)
    parent = SMPLR_42.parents[30]
    np.testing.assert_allclose(lengths[:, 29], distances(points[:, 30], points[:, parent]))
    turned = points @ Rotation.random(rng=rng).as_matrix() + 5
    np.testing.assert_allclose(metrics.bone_error(points, turned, SMPLR_42.parents), 0, atol=1e-12)
    grown = metrics.bone_error(points, 1.5 * points, SMPLR_42.parents)
    np.testing.assert_allclose(grown, 0.5 * np.mean(lengths, axis=-1))
    # Without its end there is no bone: masking the hand's tip drops just its bone.
    moved = points.copy()
    tip = SMPLR_42.index("left_hand_tip")
    moved[:, tip] = np.nan
    mask = np.arange(42) != tip
    np.testing.assert_allclose(
        metrics.bone_error(points, moved, SMPLR_42.parents, np.tile(mask, (5, 1))), 0, atol=1e-12
    )


def test_pckh_counts_joints_within_half_a_head():
    true = np.zeros((2, 4, 2))
    predicted = np.zeros((2, 4, 2))
    predicted[:, :, 0] = [0.0, 5.0, 5.1, 30.0]
    share = metrics.pckh(true, predicted, head_size=np.array([10.0, 100.0]))
    np.testing.assert_allclose(share, [0.5, 1.0])
    mask = np.array([[1, 0, 1, 0], [0, 0, 0, 1]])
    share = metrics.pckh(true, predicted, np.array([10.0, 10.0]), mask)
    np.testing.assert_allclose(share, [0.5, 0.0])


def test_joint_protocols_select_by_name():
    values = np.arange(24.0)
    assert list(metrics.select_joints(values, "elbow")) == [18, 19]
    assert list(metrics.select_joints(values, "smplr_23")) == list(range(1, 24))
    sixteen = metrics.select_joints(values, "smplr_16")
    assert list(sixteen) == [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 18, 19, 20, 21]
    grouped = sorted(name for names in metrics.JOINT_GROUPS.values() for name in names)
    assert grouped == sorted(set(SMPL_24.names) - {"pelvis", "left_hand", "right_hand"})
    with pytest.raises(ValueError, match="Unknown joint protocol 'all'; known are smpl_24"):
        metrics.select_joints(values, "all")


KERAS_METRICS = {
    "mpjpe_mm": (metrics.MPJPE(), lambda t, p: 1000 * metrics.mpjpe(t, p)),
    "mpjpe_root_mm": (
        metrics.MPJPE(root=3, name="mpjpe_root_mm"),
        lambda t, p: 1000 * metrics.mpjpe(metrics.root_centred(t, 3), metrics.root_centred(p, 3)),
    ),
    "pa_mpjpe_mm": (metrics.PAMPJPE(), lambda t, p: 1000 * metrics.pa_mpjpe(t, p)),
    "pa_mpjpe_rigid_mm": (
        metrics.PAMPJPE(with_scale=False),
        lambda t, p: 1000 * metrics.pa_mpjpe(t, p, with_scale=False),
    ),
    "surface_error_mm": (
        metrics.SurfaceError(),
        lambda t, p: 1000 * metrics.surface_error(t, p),
    ),
    "bone_error_mm": (
        metrics.BoneError(SMPL_24.parents),
        lambda t, p: 1000 * metrics.bone_error(t, p, SMPL_24.parents),
    ),
}


@pytest.mark.parametrize("name", KERAS_METRICS)
def test_keras_metrics_average_over_all_samples_seen(name):
    metric, error = KERAS_METRICS[name]
    true, predicted, _ = joints_pair(batch=(10,))
    expected = error(true, predicted).numpy()
    metric.reset_state()
    assert metric.name == name
    assert metric.result() == 0
    # Batches of different sizes: a mean of batch means would be wrong.
    for part in (slice(0, 7), slice(7, 10)):
        metric.update_state(true[part], predicted[part])
    np.testing.assert_allclose(metric.result(), expected.mean(), rtol=1e-4)

    metric.reset_state()
    weights = np.arange(10.0)
    metric.update_state(true, predicted, sample_weight=weights)
    np.testing.assert_allclose(metric.result(), np.average(expected, weights=weights), rtol=1e-4)

    metric.reset_state()
    mask = np.ones((10, 24), bool)
    mask[3:] = False
    predicted[3:] = np.nan
    metric.update_state(true, predicted, sample_weight=mask)
    np.testing.assert_allclose(metric.result(), expected[:3].mean(), rtol=1e-4)

    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert again.get_config() == metric.get_config()


def test_rotation_angle_metric_is_in_radians():
    turn = Rotation.from_rotvec([0, 0.25, 0]).as_matrix()
    true = np.tile(np.eye(3), (4, 24, 1, 1))
    metric = metrics.RotationAngle()
    metric.update_state(true, true @ turn)
    assert metric.name == "rotation_angle_rad"
    np.testing.assert_allclose(metric.result(), 0.25, rtol=1e-5)
    metric.update_state(true, true, sample_weight=np.zeros((4, 24)))
    np.testing.assert_allclose(metric.result(), 0.25, rtol=1e-5)


def test_keras_metrics_work_in_fit_and_saved_models(tmp_path):
    true, predicted, _ = joints_pair(batch=(4,))
    model = keras.Sequential([keras.layers.Input((24, 3)), keras.layers.Identity()])
    model.compile(loss="mse", metrics=[metrics.MPJPE(), metrics.PAMPJPE()])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for evaluated in (model, loaded):
        scores = evaluated.evaluate(
            np.float32(predicted), np.float32(true), batch_size=3, verbose=0, return_dict=True
        )
        expected = 1000 * np.mean(metrics.mpjpe(true, predicted))
        np.testing.assert_allclose(scores["mpjpe_mm"], expected, rtol=1e-4)
        expected = 1000 * np.mean(metrics.pa_mpjpe(true, predicted))
        np.testing.assert_allclose(scores["pa_mpjpe_mm"], expected, rtol=1e-3)


ERRORS = {
    "mpjpe": metrics.mpjpe,
    "pa_mpjpe": metrics.pa_mpjpe,
    "surface_error": metrics.surface_error,
    "bone_error": lambda t, p, mask=None: metrics.bone_error(t, p, SMPL_24.parents, mask),
    "pckh": lambda t, p, mask=None: metrics.pckh(t, p, 10.0, mask),
}


@pytest.mark.parametrize("name", ERRORS)
def test_truth_and_prediction_may_be_of_different_float_types(name):
    true, predicted, _ = joints_pair()
    expected = ERRORS[name](true, predicted)
    shortened = tf.constant(true, tf.float32)
    errors = ERRORS[name](shortened, tf.constant(predicted))
    assert errors.dtype == tf.float64
    np.testing.assert_allclose(errors, expected, rtol=1e-4)
    errors = ERRORS[name](tf.constant(true), tf.constant(predicted, tf.float32))
    assert errors.dtype == tf.float32
    np.testing.assert_allclose(errors, expected, rtol=1e-4)
    # Half precision has three digits: nobody measures with it.
    halves = tf.constant(predicted, tf.bfloat16)
    np.testing.assert_array_equal(
        ERRORS[name](true, halves), ERRORS[name](true, tf.cast(halves, tf.float32))
    )


@pytest.mark.parametrize("name", ERRORS)
def test_shapes_that_do_not_fit_are_named(name):
    true, predicted, _ = joints_pair()
    words = "expected shapes that agree in the last"
    with pytest.raises(ValueError, match=f"^true and predicted: {words}.*24, 3.*23, 3"):
        ERRORS[name](true, predicted[:, 1:])
    with pytest.raises(ValueError, match=f"^true and predicted: {words}.*5, 24, 3"):
        ERRORS[name](true[:5], predicted)
    with pytest.raises(ValueError, match=f"^mask and the .*: {words} 1 .*6, 23.*6, 2"):
        ERRORS[name](true, predicted, np.ones((6, 23)))
    np.testing.assert_allclose(
        ERRORS[name](true[0], predicted)[0], ERRORS[name](true[0], predicted[0])
    )


def test_other_arguments_that_do_not_fit_are_named():
    true, predicted, _ = joints_pair()
    with pytest.raises(ValueError, match="^points: expected 24, .* got 23"):
        metrics.bone_lengths(true[:, 1:], SMPL_24.parents)
    with pytest.raises(ValueError, match=r"^head_size and the samples: .*\(5,\) and \(6,\)"):
        metrics.pckh(true, predicted, np.ones(5))
    with pytest.raises(ValueError, match=r"^values: expected \[..., 24\], .*\(6, 23\)"):
        metrics.select_joints(np.ones((6, 23)), "smplr_16")
    with pytest.raises(ValueError, match="^true and predicted: .* last 3 axes"):
        metrics.rotation_angle(np.ones((6, 24, 3, 3)), np.ones((6, 23, 3, 3)))
    angles = metrics.rotation_angle(
        tf.eye(3, batch_shape=[2, 24]), tf.eye(3, batch_shape=[2, 24], dtype=tf.float64)
    )
    np.testing.assert_array_equal(angles, [0, 0])


def test_a_keras_metric_names_what_does_not_fit():
    true, predicted, _ = joints_pair()
    with pytest.raises(ValueError, match="true and predicted: expected shapes that agree"):
        metrics.PAMPJPE().update_state(true, predicted[:, 1:])
