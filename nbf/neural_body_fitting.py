"""Both stages as one model: picture -> body parts -> input map -> body (paper figure 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from nbf import input_maps
from nbf.body_fitting_model import BodyFittingModel
from nbf.fitting import FittingNetwork
from nbf.segmentation import PartSegmenter
from smpl_tf.parts import colour_code


@keras.saving.register_keras_serializable(package="nbf")
class NeuralBodyFitting(BodyFittingModel):
    """Predicts a body from a picture.

    Source: paper 3 and 4.2. The released code takes the argmax part per pixel, which stops
      gradients; with `soft` the model is "fully differentiable", as the paper says.
    """

    def __init__(
        self, segmenter: PartSegmenter, fitting: FittingNetwork, soft: bool = False, **kwargs: Any
    ):
        """Joins two networks.

        Args:
          segmenter: RefineNet, DeepLab or SmallSegmenter.
          fitting: a fitting network whose input is the segmenter's parts, as colours (3 channels)
            or probabilities (a channel per class).
          soft: use each pixel's expected colour, which is differentiable, instead of the likeliest
            part's colour.
          **kwargs: of `keras.Model`.

        Raises:
          ValueError: if the fitting network takes neither.
        """
        super().__init__(**kwargs)
        if fitting.input_channels not in (3, segmenter.scheme.num_classes):
            raise ValueError(
                f"The fitting network takes {fitting.input_channels} channels; the segmenter "
                f"gives 3 (colours) or {segmenter.scheme.num_classes} (probabilities of "
                f"{segmenter.scheme.name}): build them for the same parts."
            )
        self.segmenter = segmenter
        self.fitting = fitting
        self.soft = soft
        self.build((None, segmenter.input_size, segmenter.input_size, 3))

    def get_fitting_network(self) -> FittingNetwork:
        """Returns the second stage."""
        return self.fitting

    def build(self, input_shape: Any) -> None:
        """Does nothing, since both networks are already built."""

    def call(
        self, inputs: tf.Tensor | Mapping[str, tf.Tensor], training: bool = False
    ) -> dict[str, tf.Tensor]:
        """Fits bodies to pictures.

        Args:
          inputs: `pictures` `[B, S, S, 3]` RGB 0..255, alone or as a dict with it, and optionally
            `translation` and `intrinsics` as `FittingNetwork` takes them.
          training: whether normalisation and dropout are in training mode.

        Returns:
          The outputs of `FittingNetwork`, and `logits` `[B, S, S, C]` and `input_map`.
        """
        if not isinstance(inputs, dict):
            inputs = {"pictures": inputs}
        logits = self.segmenter(inputs["pictures"], training=training)
        camera = {name: value for name, value in inputs.items() if name != "pictures"}
        shown = self.input_map(logits)
        outputs = self.fitting({**camera, "input_map": shown}, training=training)
        return {**outputs, "logits": logits, "input_map": shown}

    def input_map(self, logits: tf.Tensor) -> tf.Tensor:
        """Encodes logits `[B, S, S, C]` for the second stage, `[B, s, s, 3 or C]`."""
        scheme, size = self.segmenter.scheme, self.fitting.input_size
        if self.fitting.input_channels == scheme.num_classes:
            probabilities = tf.nn.softmax(logits)
            return tf.image.resize(probabilities, [size, size], antialias=True) * 2.0 - 1.0
        if self.soft:
            colours = tf.constant(scheme.colours, tf.float32)
            expected = tf.einsum("...c,cd->...d", tf.nn.softmax(logits), colours)
            return input_maps.to_unit_range(input_maps.resize_picture(expected, size))
        labels = tf.argmax(logits, -1, tf.int32)
        labels = input_maps.resize_nearest(
            tf.cast(labels, tf.float32), size
        )  # TFLite's sizes are floats
        return input_maps.to_unit_range(colour_code(labels, scheme))

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "segmenter": keras.saving.serialize_keras_object(self.segmenter),
            "fitting": self.fitting.get_config(),
            "soft": self.soft,
        }

    @classmethod
    def from_config(cls, config: dict) -> NeuralBodyFitting:
        """Rebuilds the model from `get_config`."""
        config = dict(config)
        segmenter = keras.saving.deserialize_keras_object(config.pop("segmenter"))
        fitting = FittingNetwork.from_config(config.pop("fitting"))
        return cls(segmenter, fitting, **config)
