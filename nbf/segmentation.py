"""Part segmentation: base class and loss of all segmenters (paper 3.1, 4.2, appendix B)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nbf import pretrained
from nbf.losses import kernel_norms, masked_batch_mean, refuse_sample_weight
from nbf.metrics import PartIoU
from smpl_tf.parts import PartScheme, part_scheme
from smpl_tf.saved_models import load_model

# Mean colour of ImageNet's pictures, RGB; keras.applications' ResNet and VGG subtract it.
IMAGENET_MEAN = (123.68, 116.779, 103.939)


@keras.saving.register_keras_serializable(package="nbf")
class SegmentationLoss:
    """Cross-entropy over pixels, plain or balanced by class.

    For a segmenter's `compile(loss=...)`.

    Source: the paper does not name its loss; RefineNet uses plain cross-entropy. Balancing helps
      small parts when training is short.
    """

    def __init__(self, class_weights: Sequence[float] | None = None, weight_decay: float = 1e-4):
        """Configures the loss.

        Args:
          class_weights: a weight per class (`balanced_class_weights`), or None for equal ones.
          weight_decay: factor of half the squared norm of all kernels.
        """
        self.class_weights = None if class_weights is None else [float(w) for w in class_weights]
        self.weight_decay = weight_decay

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return dict(vars(self))

    @classmethod
    def from_config(cls, config: dict) -> SegmentationLoss:
        """Rebuilds the loss from `get_config`."""
        return cls(**config)

    def __call__(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Returns the cross-entropy of each picture.

        Args:
          labels: `[B, H, W]` integers; pixels with a label < 0 do not count.
          logits: `[B, H, W, C]`.

        Returns:
          `[B]`: weighted mean over the picture's pixels, 0 for a picture without any.
        """
        known = labels >= 0
        labels = tf.where(known, labels, 0)
        logits = tf.cast(logits, tf.float32)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        weights = tf.cast(known, tf.float32)
        if self.class_weights is not None:
            weights *= tf.gather(tf.constant(self.class_weights, tf.float32), labels)
        return tf.math.divide_no_nan(
            tf.reduce_sum(weights * losses, [-2, -1]), tf.reduce_sum(weights, [-2, -1])
        )


class PartSegmenter(keras.Model):
    """A network from pictures to the logits of body parts; RefineNet, DeepLab and a small one.

    Subclasses build `network`, a functional model from `[B, H, W, 3]` to logits at any stride.
    """

    def __init__(self, network: keras.Model, num_parts: int, input_size: int, **kwargs: Any):
        """Wraps a network.

        Args:
          network: from centred RGB pictures to logits `[B, h, w, num_parts + 1]`.
          num_parts: 1, 3, 6, 12 or 24.
          input_size: side of the pictures, pixels.
          **kwargs: of `keras.Model`.
        """
        super().__init__(**kwargs)
        self.num_parts = num_parts
        self.input_size = input_size
        self.network = network
        self._cross_entropy = keras.metrics.Mean(name="cross_entropy")
        self._iou = PartIoU(part_scheme(num_parts).num_classes)
        self.build((None, input_size, input_size, 3))

    @classmethod
    def from_pretrained(cls, name: str | Path = pretrained.SEGMENTER) -> PartSegmenter:
        """Loads a trained segmenter.

        Args:
          name: one of `nbf.pretrained.NAMES`, the folder of a finished run, or a `.keras` file.

        Returns:
          The segmenter, not compiled; an instance of the class it is called on.

        Raises:
          ValueError: it is missing, damaged, or of another kind.

        Example:
          >>> PartSegmenter.from_pretrained("small_synthetic_segmenter").scheme.name
          'parts_12'
        """
        return load_model(pretrained.model_file(name), cls)

    @property
    def scheme(self) -> PartScheme:
        """The part scheme of the classes."""
        return part_scheme(self.num_parts)

    def build(self, input_shape: Any) -> None:
        """Does nothing, since `network` is already built."""

    def call(self, pictures: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Segments pictures.

        Args:
          pictures: `[B, S, S, 3]` RGB, 0..255.
          training: whether normalisation and dropout are in training mode.

        Returns:
          `[B, S, S, C]` float32 logits, resized bilinearly from the network's stride.

        Raises:
          ValueError: if the pictures have another size.
        """
        if not pictures.shape[1:].is_compatible_with((self.input_size, self.input_size, 3)):
            raise ValueError(
                f"pictures: expected shape [B, {self.input_size}, {self.input_size}, 3], got "
                f"{tuple(pictures.shape)}; resize them first."
            )
        centred = tf.cast(pictures, tf.float32) - tf.constant(IMAGENET_MEAN)
        # BGR, as the ImageNet weights of keras.applications expect.
        logits = self.network(centred[..., ::-1], training=training)
        logits = tf.cast(logits, tf.float32)
        return tf.image.resize(logits, [self.input_size, self.input_size])

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Computes cross-entropy plus weight decay; `y` is of `segmentation_targets`.

        Raises:
          ValueError: if the model was compiled with another loss, or there is a sample weight.
        """
        refuse_sample_weight(sample_weight)
        loss = self.loss
        if not isinstance(loss, SegmentationLoss):
            raise ValueError(f"compile: expected loss=SegmentationLoss(...), got {loss!r}.")
        value = masked_batch_mean(loss(y["labels"], y_pred), y["labels_valid"])
        self._cross_entropy.update_state(value)
        if loss.weight_decay:
            value += loss.weight_decay * kernel_norms(self.trainable_variables)
        # Keras sums gradients over replicas; the mean is over the global batch already.
        return value / tf.distribute.get_strategy().num_replicas_in_sync

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Updates the mean IoU over classes."""
        self._iou.update_state(y["labels"], y_pred, y["labels_valid"])
        return self.get_metrics_result()

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "num_parts": self.num_parts,
            "input_size": self.input_size,
        }


def check_input_size(input_size: int, multiple: int) -> None:
    """Rejects a size that a network's strides do not divide.

    Raises:
      ValueError: if `input_size` is not a multiple of `multiple`.
    """
    if input_size <= 0 or input_size % multiple:
        raise ValueError(f"input_size={input_size}: expected a multiple of {multiple} pixels.")


def balanced_class_weights(pixel_counts: Sequence[float] | np.ndarray) -> list[float]:
    """Weighs each class by the inverse square root of its frequency, to a mean of 1 per pixel.

    Args:
      pixel_counts: `[C]` pixels of each class in the training set.

    Returns:
      C weights; 0 for a class that never occurs.
    """
    frequency = np.asarray(pixel_counts) / np.sum(pixel_counts)
    weights = np.where(frequency > 0, 1.0 / np.sqrt(np.maximum(frequency, 1e-12)), 0.0)
    return (weights / np.sum(weights * frequency)).tolist()
