"""RefineNet on ResNet-101 (Lin et al. 2017), NBF's first stage."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from nbf.backbones import EFFICIENTNET, build_backbone
from nbf.segmentation import IMAGENET_MEAN, PartSegmenter, check_input_size
from smpl_tf.parts import part_scheme

_WIDTHS = (512, 256, 256, 256)  # from stride 32 to stride 4; the released code, model.py:221-312
_POOLS = 4
_INITIALIZER_STDDEV = 0.005


@keras.saving.register_keras_serializable(package="nbf")
class RefineNet(PartSegmenter):
    """RefineNet: four levels of a residual network, refined from coarse to fine.

    Source: paper 4.2 and appendix B; RCU, fusion and CRP as released.
    """

    def __init__(
        self,
        num_parts: int = 12,
        input_size: int = 512,
        backbone: str = "resnet101",
        backbone_weights: str | None = None,
        double_skip: bool = False,
        frozen_backbone: bool = False,
        **kwargs: Any,
    ):
        """Builds the network.

        Args:
          num_parts: 1, 3, 6, 12 or 24.
          input_size: side of the pictures, pixels; a multiple of 32.
          backbone: one of `nbf.backbones.BACKBONES`.
          backbone_weights: a file of weights for the backbone, or None.
          double_skip: add the input of a residual unit twice, as the released code does.
          frozen_backbone: keep the backbone's weights in training.
          **kwargs: arguments of `keras.Model`.

        Raises:
          ValueError: if an argument has an unknown value.
        """
        check_input_size(input_size, 32)
        encoder = build_backbone(backbone, (input_size, input_size, 3), backbone_weights)
        encoder.trainable = not frozen_backbone
        pictures, levels = encoder.input, encoder.output
        if backbone == EFFICIENTNET:  # whose weights know pictures of -1 to 1, red first
            pictures = keras.Input((input_size, input_size, 3))
            mean = np.array(IMAGENET_MEAN, np.float32)
            levels = encoder((pictures[..., ::-1] + mean) / 127.5 - 1.0)
        logits = refine(levels, part_scheme(num_parts).num_classes, double_skip)
        network = keras.Model(pictures, logits, name="refinenet")
        super().__init__(network, num_parts, input_size, **kwargs)
        self.backbone_name = backbone
        self.double_skip = double_skip
        self.frozen_backbone = frozen_backbone

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "backbone": self.backbone_name,
            "double_skip": self.double_skip,
            "frozen_backbone": self.frozen_backbone,
        }


def refine(
    levels: Mapping[str, keras.KerasTensor], num_classes: int, double_skip: bool = False
) -> keras.KerasTensor:
    """Refines feature maps to logits.

    Args:
      levels: feature maps `c2` to `c5`, each half the size of the one before.
      num_classes: number of logits.
      double_skip: see `RefineNet`.

    Returns:
      `[B, h, w, num_classes]` at the resolution of `c2`.
    """
    refined = None
    for level, width in zip(("c5", "c4", "c3", "c2"), _WIDTHS, strict=True):
        features = _convolution(levels[level], width)
        for _ in range(2):
            features = residual_unit(features, double_skip)
        if refined is not None:
            features = _fuse(features, refined)
        refined = residual_unit(_chained_residual_pooling(features), double_skip)
    return _convolution(refined, num_classes)


def _convolution(features, channels):
    return keras.layers.Conv2D(
        channels,
        3,
        padding="same",
        kernel_initializer=keras.initializers.RandomNormal(stddev=_INITIALIZER_STDDEV),
    )(features)


def residual_unit(features: keras.KerasTensor, double_skip: bool = False) -> keras.KerasTensor:
    """Adds two convolutions of the features to them: the RCU, without normalisation.

    Args:
      features: `[B, h, w, C]`.
      double_skip: see `RefineNet`.

    Returns:
      `[B, h, w, C]`.
    """
    channels = features.shape[-1]
    residual = _convolution(keras.layers.ReLU()(features), channels)
    residual = _convolution(keras.layers.ReLU()(residual), channels)
    return features + features + residual if double_skip else features + residual


def _fuse(fine, coarse):
    """Multi-resolution fusion: both paths at the fine path's width and resolution, summed."""
    channels = fine.shape[-1]
    coarse = _convolution(coarse, channels)
    coarse = keras.layers.UpSampling2D(2, interpolation="bilinear")(coarse)
    return _convolution(fine, channels) + coarse


def _chained_residual_pooling(features):
    """CRP as released: convolution, then 5 x 5 pooling, four times; all summed."""
    features = keras.layers.ReLU()(features)
    pooled, total = features, features
    for _ in range(_POOLS):
        pooled = _convolution(pooled, features.shape[-1])
        pooled = keras.layers.MaxPooling2D(5, strides=1, padding="same")(pooled)
        total = total + pooled
    return total
