"""SMPLR's losses (paper 3.2 to 3.4): functions with one value per sample, and Keras losses.

A target that is not finite is unknown and adds nothing; the loss of a sample without any target is
0. Everything is computed in float32, also under mixed precision.
"""

from typing import Any, Literal

import keras
import tensorflow as tf

from smplr.bones import bone_lengths, observed_bones, observed_points
from smplr.volumes import Height, LimbProfile, VolumeGrid, joint_volumes, limb_volumes

Entropy = Literal["voxels", "volume"]


def mean_absolute_error(true: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    """Averages absolute differences over all numbers of a sample.

    Args:
      true: `[B, ...]`; numbers that are not finite are unknown.
      predicted: `[B, ...]`, same shape.

    Returns:
      float32 `[B]`, unit of the numbers.

    Source: paper 3.2 and 3.4: L1 for all regressions.
    """
    true = tf.cast(true, tf.float32)
    known = tf.math.is_finite(true)
    differences = tf.abs(tf.cast(predicted, tf.float32) - tf.where(known, true, 0.0))
    axes = range(1, true.shape.rank)
    known = tf.cast(known, tf.float32)
    total = tf.reduce_sum(differences * known, axes)
    return tf.math.divide_no_nan(total, tf.reduce_sum(known, axes))


def bone_length_error(true: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    """Averages absolute differences of bone lengths: the L1 distance of the two B.

    Args:
      true: root-relative points, metres, `[B, P, 3]`; NaN or infinite where unknown.
      predicted: root-relative points, metres, `[B, P, 3]`.

    Returns:
      Metres, float32 `[B]`.

    Source: paper 3.4; the template lengths of eq. 2 cancel. Absent from the released code.
    """
    true, valid = observed_points(tf.cast(true, tf.float32))
    known = tf.cast(observed_bones(valid), tf.float32)
    differences = tf.abs(bone_lengths(tf.cast(predicted, tf.float32)) - bone_lengths(true))
    return tf.math.divide_no_nan(tf.reduce_sum(differences * known, -1), tf.reduce_sum(known, -1))


def volume_cross_entropy(true_volumes: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Averages the sigmoid cross-entropy over voxels and known channels; sums it over stacks.

    Args:
      true_volumes: probabilities, `[B, rows, columns, bins, K]`; NaN throughout a channel that
        is unknown.
      logits: `[B, stacks, rows, columns, bins, K]`.

    Returns:
      float32 `[B]`.

    Source: paper 3.3; unweighted over stacks and channels as released.
    """
    known = tf.math.is_finite(true_volumes[:, :1, :1, :1])
    true_volumes = tf.where(known, true_volumes, 0.0)
    logits = tf.cast(logits, tf.float32)
    # softplus(x) - t x is the cross-entropy; the product is summed without being stored.
    entropy = tf.reduce_sum(tf.math.softplus(logits), axis=(1, 2, 3, 4))
    entropy -= tf.einsum("bsrcdk,brcdk->bk", logits, true_volumes)
    num_voxels = tf.cast(tf.reduce_prod(tf.shape(logits)[2:5]), tf.float32)
    known = tf.cast(known[:, 0, 0, 0], tf.float32)
    total = tf.reduce_sum(entropy * known, axis=-1) / num_voxels
    return tf.math.divide_no_nan(total, tf.reduce_sum(known, axis=-1))


def volume_distribution_entropy(true_volumes: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Averages the softmax cross-entropy of volumes over known channels; sums it over stacks.

    The voxels of a channel share one softmax, as in `volumes.soft_argmax`: its weights, not each
    voxel's sigmoid, are to equal the target divided by its sum.

    Args:
      true_volumes: `[B, rows, columns, bins, K]`, not negative; NaN throughout a channel that is
        unknown. A channel without any target voxel counts as unknown.
      logits: `[B, stacks, rows, columns, bins, K]`.

    Returns:
      float32 `[B]`.

    Source: not in the paper; for short trainings.
    """
    logits = tf.cast(logits, tf.float32)
    true_volumes = tf.where(tf.math.is_finite(true_volumes), true_volumes, 0.0)
    totals = tf.reduce_sum(true_volumes, axis=(1, 2, 3))
    wanted = tf.einsum("bsrcdk,brcdk->bsk", logits, true_volumes)
    wanted = tf.math.divide_no_nan(wanted, totals[:, None])
    entropy = tf.reduce_sum(tf.reduce_logsumexp(logits, axis=(2, 3, 4)) - wanted, axis=1)
    known = tf.cast(totals > 0, tf.float32)
    total = tf.reduce_sum(entropy * known, axis=-1)
    return tf.math.divide_no_nan(total, tf.reduce_sum(known, axis=-1))


@keras.saving.register_keras_serializable(package="smplr")
class MeanAbsoluteError(keras.losses.Loss):
    """L1 on rotations, joints, landmarks or points; `mean_absolute_error` over the batch."""

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns one value per sample."""
        return mean_absolute_error(y_true, y_pred)


@keras.saving.register_keras_serializable(package="smplr")
class ShapeLoss(keras.losses.Loss):
    """L1 on betas and gender, with a small penalty on the size of predictions.

    Args:
      regularizer: factor of the mean absolute prediction; 0.01 as released, not in the paper.
    """

    def __init__(self, regularizer: float = 0.01, name: str = "shape_loss", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.regularizer = regularizer

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns one value per sample of `[B, betas + 1]`."""
        penalty = tf.reduce_mean(tf.abs(tf.cast(y_pred, tf.float32)), axis=-1)
        return mean_absolute_error(y_true, y_pred) + self.regularizer * penalty

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "regularizer": self.regularizer}


@keras.saving.register_keras_serializable(package="smplr")
class PointLoss(keras.losses.Loss):
    """L1 on points and on their bone lengths: the loss of the denoising autoencoder.

    Args:
      bone_weight: factor of the bone length term; in the paper, but not in the released code.
    """

    def __init__(self, bone_weight: float = 1.0, name: str = "point_loss", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.bone_weight = bone_weight

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns one value per sample of `[B, P, 3]`, metres."""
        bone_error = bone_length_error(y_true, y_pred)
        return mean_absolute_error(y_true, y_pred) + self.bone_weight * bone_error

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "bone_weight": self.bone_weight}


@keras.saving.register_keras_serializable(package="smplr")
class VolumeLoss(keras.losses.Loss):
    """Cross-entropy of a stacked hourglass; computes the target volumes from points on the fly.

    Args:
      height: see `volumes.joint_volumes`.
      limb_profile: see `volumes.limb_volumes`.
      side: edge of the cube, metres.
      centred: see `volumes.VolumeGrid`.
      entropy: "voxels" for `volume_cross_entropy`, as released; "volume" for
        `volume_distribution_entropy`, which learns faster.
    """

    def __init__(
        self,
        height: Height = "peak",
        limb_profile: LimbProfile = "tube",
        side: float = 2.5,
        centred: bool = False,
        entropy: Entropy = "voxels",
        name: str = "volume_loss",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.height = height
        self.limb_profile = limb_profile
        self.side = side
        self.centred = centred
        self.entropy = entropy

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns one value per sample.

        Args:
          y_true: root-relative points, metres, camera axes, `[B, P, 3]`; NaN where unknown.
          y_pred: logits, `[B, stacks, rows, columns, bins, P or P + 4]`; limbs are drawn when
            there are channels for them.
        """
        rows, columns, bins, channels = y_pred.shape[2:]
        grid = VolumeGrid(columns, rows, bins, self.side, self.centred)
        targets = joint_volumes(y_true, grid, self.height)
        if channels > y_true.shape[-2]:
            limbs = limb_volumes(y_true, grid, self.limb_profile)
            targets = tf.concat([targets, limbs], axis=-1)
        if self.entropy == "volume":
            return volume_distribution_entropy(targets, y_pred)
        return volume_cross_entropy(targets, y_pred)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {
            "height": self.height,
            "limb_profile": self.limb_profile,
            "side": self.side,
            "centred": self.centred,
            "entropy": self.entropy,
        }
        return {**super().get_config(), **own}
