"""Inference and training of every network on a device, in every precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from experiments.benchmarks.operations import operations
from experiments.device import measuring
from nbf import DeepLab, FittingNetwork, RefineNet, SmallSegmenter
from nbf.point_encoder import point_encoder
from smplr import SMPLR, DenoisingAutoencoder, StackedHourglass

_STEP = 3.0  # operations of a training step over those of inference: forward once, backward twice


class Checked(NamedTuple):
    """A network to check.

    Attributes:
      build: returns it.
      shape: of one example: a tensor's, or a dict of tensors'.
      batch: examples at once.
    """

    build: Callable[[], keras.Model]
    shape: tuple[int, ...] | Mapping[str, tuple[int, ...]]
    batch: int


class Mode(NamedTuple):
    """A mode of computation.

    Attributes:
      policy: Keras' name of the precision.
      xla: whether XLA compiles.
      dtype: of the matrix products.
      tolerance: relative difference from the CPU's float32 that its rounding explains.
    """

    policy: str
    xla: bool
    dtype: tf.DType
    tolerance: float


MODES = {
    "float32": Mode("float32", False, tf.float32, 5e-3),
    "float32, XLA": Mode("float32", True, tf.float32, 5e-3),
    "mixed_float16": Mode("mixed_float16", False, tf.float16, 0.1),
    "mixed_bfloat16": Mode("mixed_bfloat16", False, tf.bfloat16, 0.3),
}


def networks(small: bool) -> dict[str, Checked]:
    """Returns the networks of both papers.

    Args:
      small: of a size for a CPU, where the full ones take minutes.

    Returns:
      Name -> network.
    """
    points, batch = 21, 16 if small else 256
    side, wide, fitted = (64, 64, 64) if small else (512, 256, 224)
    backbone = "resnet50" if small else "resnet101"
    few, many = (2, 4) if small else (4, 64)

    def fitting() -> keras.Model:
        if small:
            return FittingNetwork("small", fitted, head="flatten")
        return FittingNetwork("resnet50", fitted)

    def fitting_of_points() -> keras.Model:
        encoder = point_encoder(points, 64)
        return FittingNetwork(encoder, 64, input_channels=1, head="flatten")

    def hourglass() -> keras.Model:
        return StackedHourglass(wide, 1, 64, 8) if small else StackedHourglass(wide)

    return {
        "NBF small segmenter": Checked(
            lambda: SmallSegmenter(12, side, 16), (side, side, 3), 2 * many
        ),
        "NBF RefineNet": Checked(lambda: RefineNet(12, side, backbone), (side, side, 3), few),
        "NBF DeepLab": Checked(lambda: DeepLab(12, side, backbone), (side, side, 3), few),
        "NBF fitting": Checked(fitting, (fitted, fitted, 3), many),
        "NBF fitting of points and mask": Checked(
            fitting_of_points,
            {"points": (points, 3), "intrinsics": (3, 3), "input_map": (64, 64, 1)},
            batch,
        ),
        "SMPLR hourglass": Checked(hourglass, (wide, wide, 3), few),
        "SMPLR autoencoder": Checked(DenoisingAutoencoder, (41, 3), batch),
        "SMPLR Ω, Ψ and SMPL": Checked(SMPLR, (41, 3), batch),
    }


class Reference(NamedTuple):
    """The CPU's results in float32.

    Attributes:
      weights: of the network.
      examples: its inputs.
      outputs: its results.
      flop: floating point operations of one example.
    """

    weights: list[np.ndarray]
    examples: Any
    outputs: Any
    flop: float


def reference(checked: Checked) -> Reference:
    """Builds a network on the CPU and runs it.

    Args:
      checked: the network.

    Returns:
      The reference.
    """
    shapes = checked.shape if isinstance(checked.shape, Mapping) else {"": checked.shape}
    rng = np.random.default_rng(0)
    examples: Any = {
        name: rng.uniform(0.1, 1.0, [checked.batch, *shape]).astype(np.float32)
        for name, shape in shapes.items()
    }
    if not isinstance(checked.shape, Mapping):
        examples = examples[""]
    keras.utils.set_random_seed(0)
    with tf.device("/CPU:0"):
        network = checked.build()
        forward = _forward(network, examples, xla=False)
        outputs = tf.nest.map_structure(np.asarray, forward(examples))
    flop = operations(forward) / checked.batch
    return Reference(network.get_weights(), examples, outputs, flop)


def _forward(network, examples, xla):
    spec = tf.nest.map_structure(lambda one: tf.TensorSpec(one.shape, one.dtype), examples)
    return tf.function(
        lambda given: network(given, training=False),
        input_signature=[spec],
        jit_compile=xla,
        autograph=False,
    )


def check(
    checked: Checked, mode: Mode, device: str, truth: Reference, peak: float, least: float
) -> dict[str, float | bool]:
    """Runs a network's inference and training step on a device.

    Args:
      checked: the network.
      mode: of the computation.
      device: where.
      truth: of the same network.
      peak: matrix throughput in the precision of the mode, operations per second.
      least: minimum duration of each measurement, seconds.

    Returns:
      images_per_second and share of the throughput of inference, the same of training with
      `training_` in front, difference from the CPU, whether that agrees, memory_mb.
    """
    measuring.forget_peak(device)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(mode.policy)
    try:
        keras.utils.set_random_seed(0)
        with tf.device(device):
            network = checked.build()
            examples = tf.nest.map_structure(tf.constant, truth.examples)
            forward = _forward(network, truth.examples, mode.xla)
            forward(examples)  # creates missing weights
            network.set_weights(truth.weights)
            gap = measuring.difference(forward(examples), truth.outputs)
            seconds = measuring.seconds_per_call(lambda: forward(examples), least)
            step = _training_step(network, truth.examples, mode)
            step_seconds = measuring.seconds_per_call(lambda: step(examples), least)
            if not np.isfinite(float(step(examples))):
                raise ValueError("the loss of training is not finite")
    finally:
        keras.config.set_dtype_policy(before)
    rates = checked.batch / seconds, checked.batch / step_seconds
    return {
        "images_per_second": rates[0],
        "share": rates[0] * truth.flop / peak,
        "training_images_per_second": rates[1],
        "training_share": rates[1] * _STEP * truth.flop / peak,
        "difference": gap,
        "agrees": gap <= mode.tolerance,
        "memory_mb": measuring.peak_megabytes(device),
    }


def _training_step(network, examples, mode):
    """A step of Adam towards zero outputs."""
    optimizer = keras.optimizers.Adam(1e-5)
    if mode.policy == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(network.trainable_variables)
    spec = tf.nest.map_structure(lambda one: tf.TensorSpec(one.shape, one.dtype), examples)

    @tf.function(input_signature=[spec], jit_compile=mode.xla, autograph=False)
    def step(given):
        with tf.GradientTape() as tape:
            outputs = tf.nest.flatten(network(given, training=True))
            squares = [tf.reduce_mean(tf.square(tf.cast(one, tf.float32))) for one in outputs]
            loss = tf.add_n(squares)
            scaled = optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, network.trainable_variables)
        pairs = zip(gradients, network.trainable_variables, strict=True)
        optimizer.apply_gradients([pair for pair in pairs if pair[0] is not None])
        return loss

    return step
