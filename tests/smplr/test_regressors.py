import numpy as np
import pytest
import tensorflow as tf

from smplr import PoseRegressor, ShapeRegressor
from tests.smplr.networks import count_trainable, saved_and_loaded


def test_omega_has_the_released_size():
    omega = PoseRegressor()
    assert count_trainable(omega) == 2_768_392
    assert omega.input.shape == (None, 41, 3)
    assert omega.output.shape == (None, 24, 3, 3)


def test_psi_has_the_released_size():
    psi = ShapeRegressor()
    assert count_trainable(psi) == 2_485_779
    assert psi.input.shape == (None, 41)
    assert psi.output.shape == (None, 11)
    assert ShapeRegressor(num_points=23, num_betas=4).output.shape == (None, 5)


def test_omega_ends_in_tanh_and_psi_does_not():
    rng = np.random.default_rng(0)
    rotations = PoseRegressor()(1e6 * rng.normal(size=(4, 41, 3)))
    assert np.abs(rotations).max() <= 1
    shape = ShapeRegressor()(1e6 * rng.normal(size=(4, 41)))
    assert np.abs(shape).max() > 1


def test_rotations_are_filled_row_by_row():
    omega = PoseRegressor()
    last = omega.layers[-3]
    kernel, bias = last.get_weights()
    bias[:] = np.linspace(-0.5, 0.5, 216)
    last.set_weights([np.zeros_like(kernel), bias])
    expected = np.tanh(bias).reshape(24, 3, 3)
    np.testing.assert_allclose(omega(np.zeros((1, 41, 3)))[0], expected, atol=1e-6)


@pytest.mark.parametrize("network", [PoseRegressor(23, "elu"), ShapeRegressor(23, 5, "elu")])
def test_they_survive_saving_and_keep_both_heads(network, tmp_path):
    loaded = saved_and_loaded(network, tmp_path)
    assert loaded.get_config() == network.get_config()
    features = np.random.default_rng(0).normal(size=(3, *network.input.shape[1:]))
    np.testing.assert_array_equal(loaded(features), network(features))


@pytest.mark.parametrize("network", [PoseRegressor(), ShapeRegressor()])
def test_gradients_reach_every_weight(network):
    features = tf.random.stateless_normal([8, *network.input.shape[1:]], [0, 1])
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(tf.square(network(features, training=True)))
    gradients = tape.gradient(value, network.trainable_weights)
    # Biases before a batch normalisation have none: the mean is taken away again.
    without = [
        w.path for w, g in zip(network.trainable_weights, gradients, strict=True) if g is None
    ]
    assert not without
