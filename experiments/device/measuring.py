"""Time, memory and matrix throughput of a device."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from experiments.benchmarks.memory import peak_memory

_SIDE = {"CPU": 1024, "GPU": 8192}  # of the matrices whose product is timed


def seconds_per_call(call: Callable[[], object], least: float) -> float:
    """Times a call; the first call compiles and is not counted.

    Args:
      call: to time.
      least: minimum total duration, seconds; at least one call.

    Returns:
      Wall seconds per call, the device's queue emptied.
    """
    call()
    tf.test.experimental.sync_devices()
    calls, start = 0, time.perf_counter()
    while calls == 0 or time.perf_counter() - start < least:
        call()
        tf.test.experimental.sync_devices()
        calls += 1
    return (time.perf_counter() - start) / calls


def matrix_throughput(device: str, dtype: tf.DType, least: float) -> float:
    """Measures the product of two square matrices, large ones on a GPU.

    Args:
      device: name such as "/GPU:0".
      dtype: of the matrices.
      least: duration of the measurement, seconds.

    Returns:
      Floating point operations per second; a multiply-add counts as two.
    """
    side = _SIDE.get(kind(device), _SIDE["GPU"])
    with tf.device(device):
        matrix = tf.cast(tf.random.stateless_normal([side, side], [0, 0]) / side, dtype)
        product = tf.function(lambda one: tf.matmul(one, one), autograph=False)
        return 2.0 * side**3 / seconds_per_call(lambda: product(matrix), least)


def kind(device: str) -> str:
    """Returns the kind of a device by its name: "CPU", "GPU" or another one."""
    return device.strip("/").split(":")[-2]


def forget_peak(device: str) -> None:
    """Resets the peak of a device's memory; that of the process cannot be reset."""
    if kind(device) == "GPU":
        tf.config.experimental.reset_memory_stats(device.strip("/"))


def peak_megabytes(device: str) -> float:
    """Returns the peak memory.

    Args:
      device: name of the device.

    Returns:
      MB since `forget_peak` on a GPU; elsewhere the process's, since its start, NaN where there
      is no /proc.
    """
    if kind(device) == "GPU":
        return tf.config.experimental.get_memory_info(device.strip("/"))["peak"] / 1e6
    try:
        return peak_memory()
    except OSError:
        return float("nan")


def difference(found: object, wanted: object) -> float:
    """Compares two results entry by entry.

    Args:
      found: nested tensors.
      wanted: tensors with the same nesting.

    Returns:
      The largest difference of an entry, relative to the largest entry of its tensor; infinite
      where one of them is not a number.
    """
    worst = 0.0
    for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(wanted), strict=True):
        one, other = (np.asarray(tf.cast(x, tf.float32), np.float64) for x in (one, other))
        gap = np.abs(one - other).max(initial=0.0) / max(np.abs(other).max(initial=0.0), 1e-12)
        worst = max(worst, float(gap) if np.isfinite(gap) else float("inf"))
    return worst
