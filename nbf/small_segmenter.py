"""A small part segmenter for CPUs: the small encoder with a U-Net decoder."""

from typing import Any

import keras

from nbf.backbones import small_resnet
from nbf.segmentation import PartSegmenter, check_input_size
from smpl_tf.parts import part_scheme


@keras.saving.register_keras_serializable(package="nbf")
class SmallSegmenter(PartSegmenter):
    """The small residual encoder, and a decoder that adds each finer level in turn.

    The last level also takes the pixels themselves and has twice the width: each of its positions
    gives the classes of four pixels, and parts are a few pixels wide (measured in
    `docs/results.md`).

    Source: no counterpart in the paper; same interface as RefineNet and DeepLab.
    """

    def __init__(self, num_parts: int = 12, input_size: int = 96, width: int = 16, **kwargs: Any):
        """Builds the network.

        Args:
          num_parts: 1, 3, 6, 12 or 24.
          input_size: side of the pictures, pixels; a multiple of 16.
          width: channels of the finest level.
          **kwargs: of `keras.Model`.

        Raises:
          ValueError: if an argument has an unknown value.
        """
        check_input_size(input_size, 16)
        encoder = small_resnet((input_size, input_size, 3), width, blocks=(1, 2, 2, 2))
        features = encoder.output["c5"]
        for level in ("c4", "c3"):
            finer = encoder.output[level]
            features = _joined(features, finer, channels=finer.shape[-1])
        # Four pixels of three colours, mapped linearly without loss.
        pixels = keras.layers.Conv2D(width, 2, strides=2, use_bias=False)(encoder.input)
        pixels = keras.layers.BatchNormalization(momentum=0.9)(pixels)
        features = _joined(features, encoder.output["c2"], pixels, channels=2 * width)
        logits = keras.layers.Conv2DTranspose(
            part_scheme(num_parts).num_classes, 4, strides=2, padding="same"
        )(features)
        network = keras.Model(encoder.input, logits, name="small_segmenter")
        super().__init__(network, num_parts, input_size, **kwargs)
        self.width = width

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "width": self.width}


def _joined(coarse, *finer, channels):
    features = keras.layers.UpSampling2D(2, interpolation="bilinear")(coarse)
    features = keras.layers.Concatenate()([features, *finer])
    features = keras.layers.Conv2D(
        channels, 3, padding="same", use_bias=False, kernel_initializer="he_normal"
    )(features)
    features = keras.layers.BatchNormalization(momentum=0.9)(features)
    return keras.layers.ReLU()(features)
