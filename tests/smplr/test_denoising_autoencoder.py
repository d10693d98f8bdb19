import keras
import numpy as np
import pytest
import tensorflow as tf

from smplr import DenoisingAutoencoder
from tests.smplr.networks import count_trainable, saved_and_loaded
from tests.smplr.people import people


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
