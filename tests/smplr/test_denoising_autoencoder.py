import keras
import numpy as np
import pytest
import tensorflow as tf

from smpl_tf.skeleton import BLAZEPOSE_33, SMPLR_42, shared_points
from smplr import SMPLR, DenoisingAutoencoder
from smplr.point_model import PointModel, posed_points
from tests.smplr.networks import count_trainable, saved_and_loaded
from tests.smplr.people import people, point_body


def test_it_has_the_released_size():
    autoencoder = DenoisingAutoencoder()
    assert count_trainable(autoencoder) == 3_411_579
    assert autoencoder.output.shape == (None, 41, 3)
    assert DenoisingAutoencoder(num_points=23).output.shape == (None, 23, 3)


def test_it_starts_as_the_identity():
    autoencoder = DenoisingAutoencoder()
    points = people(4)["points"]
    np.testing.assert_array_equal(autoencoder(points), points)
    # The residual adds the input as it was before its dropout.
    np.testing.assert_array_equal(autoencoder(points, training=True), points)


def test_both_dropouts_rest_at_inference():
    autoencoder = DenoisingAutoencoder(keep_probability=0.5)
    points = people(4)["points"]
    correction = autoencoder.get_layer("correction")
    correction.set_weights([np.ones_like(weight) for weight in correction.get_weights()])
    np.testing.assert_array_equal(autoencoder(points), autoencoder(points))
    assert np.abs(autoencoder(points, training=True) - autoencoder(points)).max() > 0
    dropouts = [layer for layer in autoencoder.layers if isinstance(layer, keras.layers.Dropout)]
    assert [layer.rate for layer in dropouts] == [0.5, 0.5]


@pytest.mark.parametrize("activation", ["relu", "elu"])
def test_it_survives_saving(activation, tmp_path):
    autoencoder = DenoisingAutoencoder(activation=activation, keep_probability=0.7)
    correction = autoencoder.get_layer("correction")
    correction.set_weights([np.ones_like(weight) for weight in correction.get_weights()])
    loaded = saved_and_loaded(autoencoder, tmp_path)
    assert loaded.get_config() == autoencoder.get_config()
    points = people(4)["points"]
    np.testing.assert_array_equal(loaded(points), autoencoder(points))


def test_it_stays_in_float32_around_half_precision():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        autoencoder = DenoisingAutoencoder()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    points = people(4)["points"] + np.float32(1e-4)
    output = autoencoder(points)
    assert output.dtype == tf.float32
    np.testing.assert_array_equal(output, points)


@pytest.fixture(scope="module")
def of_blazepose():
    return DenoisingAutoencoder(skeleton="blazepose_33")


@pytest.fixture(scope="module")
def seen():
    drawn = people(4)
    models = [PointModel.of(body, BLAZEPOSE_33) for body in point_body().bodies]
    points = posed_points(models, drawn["rotations"], drawn["betas"], drawn["gender"])
    return np.concatenate([points, np.ones((4, 33, 1))], axis=-1).astype(np.float32)


class TestOfAnotherSkeleton:
    def test_it_starts_with_the_points_of_the_same_names(self, of_blazepose, seen):
        found = of_blazepose(seen).numpy()
        here, there = shared_points(BLAZEPOSE_33, SMPLR_42)
        hips = seen[:, BLAZEPOSE_33.indices(("left_hip", "right_hip")), :3].mean(axis=1)
        np.testing.assert_allclose(
            found[:, there - 1], seen[:, here, :3] - hips[:, None], atol=1e-5
        )

    def test_it_turns_with_the_points_and_does_not_move_with_them(self, seen):
        autoencoder = DenoisingAutoencoder(skeleton="blazepose_33")
        correction = autoencoder.get_layer("correction")
        rng = np.random.default_rng(0)
        kernel, bias = correction.get_weights()
        correction.set_weights([0.01 * rng.normal(size=kernel.shape), bias])
        roll = np.float32([[0, -1, 0], [1, 0, 0], [0, 0, 1]])  # keeps the camera's axis
        moved = seen.copy()
        moved[..., :3] = seen[..., :3] @ roll.T + np.float32([1, 2, 3])
        found = autoencoder(seen).numpy()
        assert np.abs(found - autoencoder(1.001 * seen)).max() > 1e-6
        # The pull towards upright is felt a little.
        np.testing.assert_allclose(autoencoder(moved), found @ roll.T, atol=0.02)

    def test_points_without_weight_do_not_count(self, of_blazepose, seen):
        hidden, other = seen.copy(), seen.copy()
        places = BLAZEPOSE_33.indices(("left_knee", "left_ankle", "nose"))
        hidden[:, places, 3] = other[:, places, 3] = 0
        other[:, places, :3] = 7
        np.testing.assert_array_equal(of_blazepose(hidden), of_blazepose(other))
        nothing = np.zeros_like(seen)
        assert np.isfinite(of_blazepose(nothing)).all()

    def test_it_survives_saving(self, of_blazepose, seen, tmp_path):
        loaded = saved_and_loaded(of_blazepose, tmp_path)
        assert loaded.skeleton is BLAZEPOSE_33
        np.testing.assert_array_equal(loaded(seen), of_blazepose(seen))

    @pytest.mark.slow
    def test_it_stands_before_the_regressors(self, of_blazepose, seen, tmp_path):
        keras.utils.set_random_seed(0)
        model = SMPLR(autoencoder=of_blazepose, upright=True)
        outputs = model({"points": seen[..., :3], "weights": seen[..., 3]})
        assert outputs["denoised"].shape == (4, 41, 3)
        assert outputs["joints"].shape == (4, 23, 3)
        lost = seen[..., :3].copy()
        lost[:, 5:] = np.nan
        assert all(np.isfinite(value).all() for value in model(lost).values())
        loaded = saved_and_loaded(model, tmp_path)
        assert loaded.upright and loaded.skeleton is BLAZEPOSE_33
        np.testing.assert_allclose(loaded(lost)["joints"], model(lost)["joints"], atol=1e-6)
        alone = model.with_autoencoder(None)
        assert alone.skeleton is None
        np.testing.assert_allclose(
            alone(outputs["denoised"])["joints"], outputs["joints"], atol=1e-5
        )
