"""DeepLab-v2 on VGG-16 and ResNet-101 (Chen et al. 2016): the paper's weaker segmenters."""

from typing import Any

import keras

from nbf.backbones import dilated_backbone
from nbf.segmentation import PartSegmenter, check_input_size
from smpl_tf.parts import part_scheme

# Dilations of the parallel classifiers ("ASPP-L").
_RATES = (6, 12, 18, 24)
_INITIALIZER = keras.initializers.RandomNormal(stddev=0.01)


@keras.saving.register_keras_serializable(package="nbf")
class DeepLab(PartSegmenter):
    """DeepLab-v2: a backbone at output stride 8 and atrous spatial pyramid pooling.

    Source: paper 4.3 names DeepLab on VGG-16 and ResNet-101 without details; version 2 was current
      then, and UP's segmenter used it.
    """

    def __init__(
        self,
        num_parts: int = 12,
        input_size: int = 512,
        backbone: str = "resnet101",
        backbone_weights: str | None = None,
        **kwargs: Any,
    ):
        """Builds the network.

        Args:
          num_parts: 1, 3, 6, 12 or 24.
          input_size: side of the pictures, pixels; a multiple of 8.
          backbone: "resnet101", "resnet50" or "vgg16".
          backbone_weights: a file of weights for the backbone, or None.
          **kwargs: arguments of `keras.Model`.

        Raises:
          ValueError: if an argument has an unknown value.
        """
        check_input_size(input_size, 8)
        encoder = dilated_backbone(backbone, (input_size, input_size, 3), backbone_weights)
        num_classes = part_scheme(num_parts).num_classes
        branch = _vgg_branch if backbone == "vgg16" else _classifier
        branches = [branch(encoder.output, num_classes, rate) for rate in _RATES]
        network = keras.Model(encoder.input, keras.layers.Add()(branches), name="deeplab")
        super().__init__(network, num_parts, input_size, **kwargs)
        self.backbone_name = backbone

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "backbone": self.backbone_name}


def _classifier(features, num_classes, rate):
    return keras.layers.Conv2D(
        num_classes, 3, padding="same", dilation_rate=rate, kernel_initializer=_INITIALIZER
    )(features)


def _vgg_branch(features, num_classes, rate):
    """VGG's two wide layers as convolutions, one copy per rate."""
    features = keras.layers.Conv2D(1024, 3, padding="same", dilation_rate=rate, activation="relu")(
        features
    )
    features = keras.layers.Dropout(0.5)(features)
    features = keras.layers.Conv2D(1024, 1, activation="relu")(features)
    features = keras.layers.Dropout(0.5)(features)
    return keras.layers.Conv2D(num_classes, 1, kernel_initializer=_INITIALIZER)(features)
