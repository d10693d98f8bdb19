"""Losses over several replicas; in a process of its own, as devices are made once."""

import subprocess
import sys

import pytest

_TWO_REPLICAS = """
import numpy as np, tensorflow as tf
# Masks of a batch of four: evenly spread, uneven, all on one replica, nowhere.
MASKS = ([1, 0, 0, 1], [1, 1, 0, 1], [0, 0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 0])
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from nbf.losses import masked_batch_mean
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
values = np.array([1.0, 2.0, 3.0, 4.0], np.float32)
for valid in MASKS:
    valid = np.array(valid, np.float32)
    with strategy.scope():
        weight = tf.Variable(3.0)

    @tf.function
    def step(values, valid):
        with tf.GradientTape() as tape:
            mean = masked_batch_mean(weight * values, valid)
            # As the models' losses: what every replica has is divided by their number, and Keras
            # adds the gradients up.
            loss = mean / strategy.num_replicas_in_sync
        return mean, tape.gradient(loss, weight)

    data = tf.data.Dataset.from_tensors((values, valid)).unbatch().batch(4)
    batch = next(iter(strategy.experimental_distribute_dataset(data)))
    means, gradients = strategy.run(step, args=batch)
    expected = values[valid > 0].mean() if valid.any() else 0.0
    for mean in strategy.experimental_local_results(means):
        np.testing.assert_allclose(mean, 3.0 * expected, rtol=1e-6)
    gradient = strategy.reduce("SUM", gradients, axis=None)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6)
"""


@pytest.mark.slow
def test_masked_batch_mean_and_its_gradient_count_over_all_replicas():
    subprocess.run([sys.executable, "-c", _TWO_REPLICAS], check=True, timeout=300)
