"""The SMPL layer on a device, from one body to thousands."""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

from experiments.benchmarks import peers
from experiments.device import measuring
from smpl_tf import SMPL

_COMPARED = 8  # bodies whose vertices are compared
_TOLERANCE = 1e-4  # metres


def check(batch: int, xla: bool, device: str, least: float) -> dict[str, float | bool]:
    """Poses bodies and differentiates them.

    Args:
      batch: bodies at once.
      xla: whether XLA compiles.
      device: to run on.
      least: minimum duration of each measurement, seconds.

    Returns:
      bodies_per_second, gradients_per_second, difference of the vertices from the CPU's in
      float64 in metres, whether that agrees, memory_mb.
    """
    measuring.forget_peak(device)
    smpl = _layer("float32", device)
    bodies = peers.random_bodies(smpl.model_data, batch)
    betas, pose = bodies.betas[:_COMPARED], bodies.pose[:_COMPARED]
    with tf.device("/CPU:0"):
        exact = _layer("float64", "/CPU:0")(betas=betas, pose=pose).vertices.numpy()
    with tf.device(device):
        betas, pose = tf.constant(bodies.betas), tf.constant(bodies.pose)

        @tf.function(jit_compile=xla, autograph=False)
        def forward(betas, pose):
            return smpl(betas=betas, pose=pose).vertices

        @tf.function(jit_compile=xla, autograph=False)
        def gradient(betas, pose):
            with tf.GradientTape() as tape:
                tape.watch((betas, pose))
                size = tf.reduce_sum(tf.square(smpl(betas=betas, pose=pose).vertices))
            return tape.gradient(size, (betas, pose))

        gap = float(np.abs(forward(betas, pose)[:_COMPARED].numpy() - exact).max())
        seconds = measuring.seconds_per_call(lambda: forward(betas, pose), least)
        back = measuring.seconds_per_call(lambda: gradient(betas, pose), least)
    return {
        "bodies_per_second": batch / seconds,
        "gradients_per_second": batch / back,
        "difference": gap,
        "agrees": gap <= _TOLERANCE,
        "memory_mb": measuring.peak_megabytes(device),
    }


@functools.cache
def _layer(dtype: str, device: str) -> SMPL:
    with tf.device(device):
        return SMPL(dtype=dtype)
