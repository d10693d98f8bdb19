"""The stacked volumetric hourglass: from a picture to volumes and points (paper 3.3).

The network is Newell's, adapted as released: pre-activation bottleneck residuals without biases,
four poolings, and in each stack a volume for every point and limb, which feeds the next stack.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from smpl_tf.keras_settings import check_channels_last
from smplr.configured_model import ConfiguredModel
from smplr.volumes import Height, VolumeGrid, prior_log_odds, soft_argmax

_NUM_POOLINGS = 4
_STEM_STRIDE = 4


@keras.saving.register_keras_serializable(package="smplr")
class PictureStandardization(layers.Layer):
    """Standardises each picture to mean 0 and standard deviation 1.

    Source: the released code does so before its augmentation by rotation.
    """

    def call(self, pictures: tf.Tensor) -> tf.Tensor:
        """Standardises `[B, H, W, 3]`; a picture of one colour becomes 0."""
        return tf.image.per_image_standardization(tf.cast(pictures, tf.float32))


@keras.saving.register_keras_serializable(package="smplr")
class VolumeLogits(layers.Layer):
    """Reshapes feature maps with all depth bins as channels to volumes.

    Args:
      bins: depth bins; channel = bin * points + point, as released.
    """

    def __init__(self, bins: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.bins = bins

    def call(self, stacks: Sequence[tf.Tensor]) -> tf.Tensor:
        """Turns a list of S maps `[B, R, C, bins * K]` into float32 `[B, S, R, C, bins, K]`."""
        maps = tf.cast(tf.stack(stacks, axis=1), tf.float32)
        _, num_stacks, rows, columns, channels = maps.shape
        return tf.reshape(maps, [-1, num_stacks, rows, columns, self.bins, channels // self.bins])

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "bins": self.bins}


@keras.saving.register_keras_serializable(package="smplr")
class SoftArgmax(layers.Layer):
    """Computes the points from the last stack's volumes.

    Args:
      num_points: number of point channels; limb channels follow.
      centred: see `VolumeGrid`.
      side: edge of the cube, metres.
    """

    def __init__(self, num_points: int, centred: bool, side: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_points = num_points
        self.centred = centred
        self.side = side

    def call(self, volumes: tf.Tensor) -> tf.Tensor:
        """Turns `[B, S, R, C, bins, K]` into points in metres, `[B, num_points, 3]`."""
        rows, columns, bins = volumes.shape[2:5]
        grid = VolumeGrid(columns, rows, bins, self.side, self.centred)
        return soft_argmax(volumes[:, -1, ..., : self.num_points], grid)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"num_points": self.num_points, "centred": self.centred, "side": self.side}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="smplr")
class StackedHourglass(ConfiguredModel):
    """Predicts volumetric heatmaps and root-relative points from a picture of a person.

    Input: `[B, image_size, image_size, 3]`, RGB of any scale; the root is in the middle and the
      cube's width of 2.5 m fills the picture (see `targets.crop_window`).

    Output, a dict: `volumes`, logits, float32 `[B, num_stacks, S, S, bins, num_points +
    num_limbs]` with S = image_size / 4; and `points`, metres, camera axes, float32
    `[B, num_points, 3]`, from the last stack.

    Args:
      image_size: edge of the input in pixels, a multiple of 64.
      num_stacks: number of hourglasses.
      width: channels of the feature maps.
      bins: depth bins of the volumes.
      num_points: 41 with landmarks, 23 without.
      num_limbs: 4, or 0 for joints alone.
      head_dropout: dropout rate of head features, as released.
      centred: see `VolumeGrid`.
      side: edge of the cube, metres.
      prior_height: height of the targets whose mean voxel initialises the logits' biases, see
        `volumes.prior_log_odds`; None for no biases, as released.

    Raises:
      ValueError: if the image size does not fit the poolings, or Keras is set to channels_first.

    Source: paper 3.3; layers as released (16,475,456 trainable weights). The released stem has
    neither normalisation nor activation, and its normalisations have no scale.
    """

    def __init__(
        self,
        image_size: int = 256,
        num_stacks: int = 5,
        width: int = 256,
        bins: int = 16,
        num_points: int = 41,
        num_limbs: int = 4,
        head_dropout: float = 0.1,
        centred: bool = False,
        side: float = 2.5,
        prior_height: Height | None = None,
        name: str = "stacked_hourglass",
    ):
        check_channels_last()
        multiple = _STEM_STRIDE * 2**_NUM_POOLINGS
        if image_size % multiple or image_size <= 0:
            raise ValueError(
                f"StackedHourglass: expected image_size to be a multiple of {multiple}, got "
                f"{image_size}."
            )
        size = image_size // _STEM_STRIDE
        config = {
            "image_size": image_size,
            "num_stacks": num_stacks,
            "width": width,
            "bins": bins,
            "num_points": num_points,
            "num_limbs": num_limbs,
            "head_dropout": head_dropout,
            "centred": centred,
            "side": side,
            "prior_height": prior_height,
        }
        grid = VolumeGrid(size, size, bins, side, centred)
        bias = prior_height and prior_log_odds(grid, prior_height)
        pictures = keras.Input((image_size, image_size, 3), name="pictures")
        features = _stem(pictures, width)
        maps = []
        for stack in range(num_stacks):
            head = _hourglass(features, width, _NUM_POOLINGS)
            head = _normalised_relu(_convolution(width, 1)(head))
            head = layers.Dropout(head_dropout)(head)
            maps.append(_logits(bins * (num_points + num_limbs), bias)(head))
            if stack < num_stacks - 1:
                features = layers.Add()(
                    [features, _convolution(width, 1)(head), _convolution(width, 1)(maps[-1])]
                )
        volumes = VolumeLogits(bins, name="volumes", dtype="float32")(maps)
        points = SoftArgmax(num_points, centred, side, name="points", dtype="float32")(volumes)
        super().__init__(pictures, {"volumes": volumes, "points": points}, config, name)
        self.grid = grid

    @property
    def points_model(self) -> keras.Model:
        """The same network with points as its only output, so that `predict` stores no volumes."""
        return keras.Model(self.input, self.output["points"], name="points_model")


@keras.saving.register_keras_serializable(package="smplr")
class FusedBatchNormalization(layers.BatchNormalization):
    """Keras' batch normalisation of maps `[B, H, W, C]`, computed by one op while training.

    Keras composes it of some ten ops, which take two thirds of a training step on a CPU.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: Any = None) -> tf.Tensor:
        """Normalises maps; by the batch's statistics, which it also averages, while training."""
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        channels, empty = inputs.shape[-1], tf.zeros([0])
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.ones([channels]) if self.gamma is None else tf.convert_to_tensor(self.gamma),
            offset=tf.convert_to_tensor(self.beta),
            mean=empty,
            variance=empty,
            epsilon=self.epsilon,
            is_training=True,
        )
        # The op divides the squares by one less than their number, Keras by their number.
        count = tf.cast(tf.size(inputs) // channels, tf.float32)
        variance *= (count - 1) / count
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * self.momentum + value * (1 - self.momentum))
        return outputs


def _convolution(filters, size, **kwargs):
    kwargs = {"padding": "same", "use_bias": False, **kwargs}
    return layers.Conv2D(filters, size, kernel_initializer="glorot_normal", **kwargs)


def _logits(channels, bias):
    """The convolution that outputs volumes.

    Without a bias at the log-odds of a voxel, a short training mostly pushes all logits down: the
    features lose their information about the picture, and the network stays at "empty" for every
    voxel.
    """
    if bias is None:
        return _convolution(channels, 1)
    start = keras.initializers.Constant(bias)
    return _convolution(channels, 1, use_bias=True, bias_initializer=start)


def _normalised_relu(features):
    normalised = FusedBatchNormalization(momentum=0.9, epsilon=1e-5, scale=False)(features)
    return layers.ReLU()(normalised)


def _residual(features, width):
    """Adds a pre-activation bottleneck, with a 1x1 convolution on the skip if widths differ."""
    branch = _convolution(width // 2, 1)(_normalised_relu(features))
    branch = _convolution(width // 2, 3)(_normalised_relu(branch))
    branch = _convolution(width, 1)(_normalised_relu(branch))
    if features.shape[-1] != width:
        features = _convolution(width, 1)(features)
    return layers.Add()([features, branch])


def _stem(pictures, width):
    """Reduces a picture to a quarter of its size and expands it to the hourglasses' width."""
    features = PictureStandardization(dtype="float32")(pictures)
    features = layers.ZeroPadding2D(2)(features)
    features = _convolution(width // 4, 6, strides=2, padding="valid")(features)
    features = layers.MaxPooling2D(2)(_residual(features, width // 2))
    return _residual(_residual(features, width // 2), width)


def _hourglass(features, width, poolings):
    """Pools, recurses and upsamples, with a residual at every level."""
    skip = _residual(features, width)
    low = _residual(layers.MaxPooling2D(2)(features), width)
    low = _hourglass(low, width, poolings - 1) if poolings > 1 else _residual(low, width)
    low = layers.UpSampling2D(2, interpolation="nearest")(_residual(low, width))
    return layers.Add()([skip, low])
