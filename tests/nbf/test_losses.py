import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from nbf.losses import FittingLoss, kernel_norms, masked_batch_mean, penalty

RESIDUALS = np.array([-3.0, -0.5, 0.0, 0.2, 2.0])


@pytest.mark.parametrize(
    ("kind", "scale", "expected"),
    [
        ("l1", 1.0, np.abs(RESIDUALS)),
        ("l2", 1.0, RESIDUALS**2),
        ("geman_mcclure", 0.5, RESIDUALS**2 / (0.25 + RESIDUALS**2)),
        (
            "tukey",
            0.5,
            np.where(
                np.abs(RESIDUALS) < 0.5 * 4.6851,
                4.6851**2 / 6 * (1 - (1 - (RESIDUALS / 0.5 / 4.6851) ** 2) ** 3),
                4.6851**2 / 6,
            ),
        ),
    ],
)
def test_elementwise_penalties_follow_their_formulas(kind, scale, expected):
    np.testing.assert_allclose(penalty(tf.constant(RESIDUALS), kind, scale), expected, atol=1e-12)


def test_pointwise_penalties_follow_their_formulas():
    points = tf.constant([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(penalty(points, "euclidean"), [5.0, 0.0])
    np.testing.assert_allclose(penalty(points, "squared_euclidean"), [25.0, 0.0])
    np.testing.assert_allclose(penalty(points, "euclidean_margin", 2.0), [3.0, 0.0])


def test_the_gradient_of_a_distance_is_its_direction_and_zero_at_zero():
    points = tf.constant([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(points)
        value = tf.reduce_sum(penalty(points, "euclidean"))
    np.testing.assert_allclose(tape.gradient(value, points), [[0.6, 0.8, 0.0], [0.0, 0.0, 0.0]])


def test_an_unknown_penalty_is_named():
    with pytest.raises(ValueError, match="'huber': expected one of l1, l2"):
        penalty(tf.zeros([2]), "huber")


@given(st.data())
@settings(derandomize=True, deadline=None, max_examples=25)
def test_masked_batch_mean_is_the_mean_of_the_valid(data):
    batch, points = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    values = rng.normal(size=(batch, points)).astype(np.float32)
    per_sample = data.draw(st.booleans())
    valid = rng.integers(0, 2, (batch,) if per_sample else (batch, points))
    values[valid == 0] = np.nan
    expected = values[valid > 0].mean() if valid.any() else 0.0
    np.testing.assert_allclose(masked_batch_mean(tf.constant(values), valid), expected, atol=1e-6)


def _batch(rng, count=4):
    def draw(*shape):
        return tf.constant(rng.normal(size=shape), tf.float32)

    targets = {
        "parameters": draw(count, 226),
        "parameters_valid": tf.ones([count, 226]),
        "joints_3d": draw(count, 24, 3),
        "joints_3d_valid": tf.ones([count, 24]),
        "joints_2d": draw(count, 24, 2),
        "joints_2d_valid": tf.ones([count, 24]),
    }
    predictions = {
        "parameters": draw(count, 226),
        "joints_3d": draw(count, 24, 3),
        "joints_2d": draw(count, 24, 2),
        "betas": draw(count, 10),
        "global_rotations": draw(count, 24, 3, 3),
    }
    return targets, predictions


def test_the_three_terms_are_the_released_means():
    targets, predictions = _batch(np.random.default_rng(0))
    loss = FittingLoss(joints_2d_weight=2.0)
    terms = loss.terms(targets, predictions)

    def difference(name):
        return predictions[name].numpy() - targets[name].numpy()

    np.testing.assert_allclose(terms["L_lat"], np.abs(difference("parameters")).mean(), rtol=1e-5)
    for term, name in (("L_3D", "joints_3d"), ("L_2D", "joints_2d")):
        expected = np.linalg.norm(difference(name), axis=-1).mean()
        np.testing.assert_allclose(terms[term], expected, rtol=1e-5)
    np.testing.assert_allclose(
        loss.total(terms), terms["L_lat"] + terms["L_3D"] + 2.0 * terms["L_2D"], rtol=1e-6
    )


def test_only_terms_with_a_weight_are_computed():
    targets, predictions = _batch(np.random.default_rng(0))
    loss = FittingLoss(parameters_weight=0.0, joints_3d_weight=0.0)
    assert list(loss.terms(targets, predictions)) == ["L_2D"]


def test_projected_rotations_are_compared_on_request():
    targets, predictions = _batch(np.random.default_rng(0))
    terms = FittingLoss(projected_rotations=True).terms(targets, predictions)
    flat = np.concatenate(
        [predictions["betas"], np.reshape(predictions["global_rotations"], (4, 216))], 1
    )
    expected = np.abs(flat - targets["parameters"]).mean()
    np.testing.assert_allclose(terms["L_lat"], expected, rtol=1e-5)


@pytest.mark.parametrize(("center", "joints"), [("neck", [12]), ("hips", [1, 2])])
def test_centred_2d_loss_does_not_see_a_common_shift(center, joints):
    targets, predictions = _batch(np.random.default_rng(0))
    loss = FittingLoss(center_2d=center)
    before = loss.terms(targets, predictions)["L_2D"]
    residual = (predictions["joints_2d"] - targets["joints_2d"]).numpy()
    residual -= residual[:, joints].mean(1, keepdims=True)
    np.testing.assert_allclose(before, np.linalg.norm(residual, axis=-1).mean(), rtol=1e-5)
    predictions["joints_2d"] += [0.3, -0.2]
    np.testing.assert_allclose(loss.terms(targets, predictions)["L_2D"], before, rtol=1e-5)


def test_robust_kinds_take_a_scale_per_parameter():
    targets, predictions = _batch(np.random.default_rng(0))
    scale = np.linspace(0.1, 2.0, 226, dtype=np.float32)
    loss = FittingLoss(parameters_loss="geman_mcclure", parameters_scale=scale)
    squared = (predictions["parameters"] - targets["parameters"]).numpy() ** 2
    expected = (squared / (scale**2 + squared)).mean()
    np.testing.assert_allclose(loss.terms(targets, predictions)["L_lat"], expected, rtol=1e-5)


def test_a_batch_without_any_3d_label_trains_on_2d_alone():
    targets, predictions = _batch(np.random.default_rng(0))
    targets["parameters_valid"] = tf.zeros([4, 226])
    targets["joints_3d_valid"] = tf.zeros([4, 24])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(predictions)
        terms = FittingLoss().terms(targets, predictions)
    assert terms["L_lat"] == 0.0 and terms["L_3D"] == 0.0 and terms["L_2D"] > 0.0
    assert not np.any(tape.gradient(terms["L_lat"], predictions["parameters"]))
    assert not np.any(tape.gradient(terms["L_3D"], predictions["joints_3d"]))
    assert np.all(np.isfinite(tape.gradient(terms["L_2D"], predictions["joints_2d"])))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parameters_loss": "euclidean"}, "parameters_loss='euclidean': expected one of l1"),
        ({"joints_3d_loss": "mse"}, "joints_3d_loss='mse': expected one of"),
        ({"joints_2d_loss": ""}, "joints_2d_loss='': expected one of"),
        ({"loss_points": 23}, r"loss_points=23: expected 24 \(SMPL's joints\), 14 \(LSP's"),
        ({"center_2d": "head"}, "center_2d='head': expected None, 'neck' or 'hips'"),
    ],
)
def test_unknown_options_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        FittingLoss(**arguments)


def test_the_loss_comes_back_from_its_config():
    loss = FittingLoss(joints_3d_loss="tukey", weight_decay=0.0, center_2d="hips")
    assert FittingLoss.from_config(loss.get_config()).get_config() == loss.get_config()


def test_weight_decay_is_the_papers_unless_said_otherwise():
    assert FittingLoss().weight_decay == 1e-4


def test_weight_decay_counts_kernels_only():
    class Weight:
        def __init__(self, name, value):
            self.name, self.value = name, value

        def __array__(self, dtype=None, copy=None):
            return np.full((2, 2), self.value, np.float32)

    weights = [Weight("kernel", 1.0), Weight("bias", 5.0), Weight("kernel", 2.0)]
    np.testing.assert_allclose(kernel_norms(weights), 0.5 * (4 * 1.0 + 4 * 4.0))
