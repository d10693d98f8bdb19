"""Losses over several replicas; in a process of its own, as devices are made once."""

import subprocess
import sys

import pytest

_TWO_REPLICAS = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from nbf.losses import masked_mean
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
values = np.array([1.0, 2.0, 3.0, 4.0], np.float32)
for valid in ([1, 1, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]):
    valid = np.array(valid, np.float32)
    data = tf.data.Dataset.from_tensors((values, valid)).unbatch().batch(4)
    batch = next(iter(strategy.experimental_distribute_dataset(data)))
    means = strategy.run(tf.function(masked_mean), args=batch)
    mean = np.mean([m.numpy() for m in strategy.experimental_local_results(means)])
    expected = values[valid > 0].mean() if valid.any() else 0.0
    np.testing.assert_allclose(mean, expected, rtol=1e-6)
"""


@pytest.mark.slow
def test_masked_mean_counts_over_all_replicas():
    subprocess.run([sys.executable, "-c", _TWO_REPLICAS], check=True, timeout=300)
