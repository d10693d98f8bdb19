"""Errors of joints, surfaces, rotations and bones: pure functions, and Keras metrics over them.

The functions give one value per sample, in the unit of their input, and NaN for a sample whose
mask leaves nothing: `np.nanmean` and `np.nanmedian` of them are what papers report. They compute
in the float type of the prediction, at least float32, and raise a ValueError that names the
arguments whose shapes do not fit. The Keras metrics keep (sum, count) and carry their unit in
their name.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from smpl_tf.alignment import align, check_shapes, corresponding
from smpl_tf.rotations import geodesic_angle
from smpl_tf.skeleton import SMPL_24
from smpl_tf.tensor_like import TensorLike

# The columns Hd, Ts, Sr, Ew, Wt, Hp, Kn and Ft of SMPLR's Table 1, as its released code has them.
JOINT_GROUPS = {
    "head": ("neck", "head"),
    "torso": ("spine1", "spine2", "spine3"),
    "shoulder": ("left_collar", "right_collar", "left_shoulder", "right_shoulder"),
    "elbow": ("left_elbow", "right_elbow"),
    "wrist": ("left_wrist", "right_wrist"),
    "hip": ("left_hip", "right_hip"),
    "knee": ("left_knee", "right_knee"),
    "foot": ("left_ankle", "right_ankle", "left_foot", "right_foot"),
}

# Which SMPL joints an average is taken over.
JOINT_PROTOCOLS = {
    "smpl_24": SMPL_24.names,
    "smplr_23": SMPL_24.names[1:],  # without the root, which is 0 in protocol 1
    "smplr_16": tuple(SMPL_24.names[i] for i in (1, 2, 3, 4, 5, 7, 8, 9, 12, 15, *range(16, 22))),
}


def point_distances(true: TensorLike, predicted: TensorLike) -> tf.Tensor:
    """Returns the distances of corresponding points.

    Args:
      true: [..., N, D] points, any unit.
      predicted: [..., N, D] points, same unit.

    Returns:
      [..., N] distances, same unit.
    """
    true, predicted = corresponding(true, predicted)
    return tf.norm(predicted - true, axis=-1)


def masked_mean(values: tf.Tensor, mask: TensorLike | None = None) -> tf.Tensor:
    """Averages over the unmasked entries of the last axis.

    Args:
      values: [..., N]; masked-out values may be NaN.
      mask: [..., N] weights >= 0 or booleans; None: equal weights.

    Returns:
      [...] means, NaN where the mask leaves nothing.
    """
    values = tf.convert_to_tensor(values)
    if mask is None:
        return tf.reduce_mean(values, axis=-1)
    mask = tf.cast(mask, values.dtype)
    check_shapes(mask.shape, values.shape, ("mask", "the values"), 1)
    total = tf.reduce_sum(tf.where(mask > 0, values * mask, 0.0), axis=-1)
    return total / tf.reduce_sum(mask, axis=-1)


def root_centred(points: TensorLike, root: int = 0) -> tf.Tensor:
    """Moves points so that one of them lies at the origin.

    Args:
      points: [..., N, 3].
      root: index of the point.

    Returns:
      [..., N, 3], same unit.
    """
    points = tf.convert_to_tensor(points)
    return points - points[..., root : root + 1, :]


def mpjpe(true: TensorLike, predicted: TensorLike, mask: TensorLike | None = None) -> tf.Tensor:
    """Returns the mean per-joint position error, without any alignment.

    Args:
      true: [..., J, 3] joints, any unit; `root_centred` joints for the usual protocol 1.
      predicted: [..., J, 3] joints, same unit and frame.
      mask: [..., J] which joints count, or None.

    Returns:
      [...] errors, same unit.

    Source: NBF's err_joints3D (no centring); SMPLR protocol 1 (root-centred).
    """
    return masked_mean(point_distances(true, predicted), mask)


def pa_mpjpe(
    true: TensorLike,
    predicted: TensorLike,
    mask: TensorLike | None = None,
    with_scale: bool = True,
) -> tf.Tensor:
    """Returns the mean per-joint position error after Procrustes alignment of each sample.

    Args:
      true: [..., J, 3] joints, any unit.
      predicted: [..., J, 3] joints, same unit.
      mask: [..., J] which joints are aligned and count, or None.
      with_scale: align by a similarity; False for a rigid motion.

    Returns:
      [...] errors, same unit.

    Source: NBF Tables 5 and 6, SMPLR protocol 2.
    """
    true, predicted = corresponding(true, predicted)
    if mask is not None:
        mask = tf.cast(mask, predicted.dtype)
        check_shapes(mask.shape, predicted.shape[:-1], ("mask", "the joints"), 1)
    return mpjpe(true, align(predicted, true, mask, with_scale), mask)


def surface_error(
    true: TensorLike, predicted: TensorLike, mask: TensorLike | None = None
) -> tf.Tensor:
    """Returns the mean distance of corresponding vertices.

    Args:
      true: [..., V, 3] vertices, any unit.
      predicted: [..., V, 3] vertices of the same topology, same unit and frame.
      mask: [..., V] which vertices count, or None.

    Returns:
      [...] errors, same unit.
    """
    return mpjpe(true, predicted, mask)


def rotation_angle(
    true: TensorLike, predicted: TensorLike, mask: TensorLike | None = None
) -> tf.Tensor:
    """Returns the mean angle between rotations.

    Args:
      true: [..., J, 3, 3] rotations, relative or global.
      predicted: [..., J, 3, 3] rotations of the same kind.
      mask: [..., J] which joints count, or None.

    Returns:
      [...] radians.

    Source: NBF's err_quat, on global rotations.
    """
    true, predicted = corresponding(true, predicted, sample_rank=3)
    return masked_mean(geodesic_angle(true, predicted), mask)


def bone_lengths(points: TensorLike, parents: Sequence[int]) -> tf.Tensor:
    """Returns the distances of points to their parents.

    Args:
      points: [..., N, 3].
      parents: [N] index of each point's parent, -1 for the root.

    Returns:
      [..., N - 1] lengths, same unit, in the order of the points without the root.

    Raises:
      ValueError: if there are not as many points as parents.
    """
    points = tf.convert_to_tensor(points)
    if points.shape.rank is not None and points.shape[-2] not in (None, len(parents)):
        raise ValueError(
            f"points: expected {len(parents)}, one for each entry of parents, got "
            f"{points.shape[-2]}."
        )
    children, ends = _bones(parents)
    offsets = tf.gather(points, children, axis=-2) - tf.gather(points, ends, axis=-2)
    return tf.norm(offsets, axis=-1)


def _bones(parents):
    """Both ends of each bone, as two lists of indices: the children and their parents."""
    children = [i for i, parent in enumerate(parents) if parent >= 0]
    return children, [int(parents[i]) for i in children]


def bone_error(
    true: TensorLike, predicted: TensorLike, parents: Sequence[int], mask: TensorLike | None = None
) -> tf.Tensor:
    """Returns the mean absolute error of bone lengths.

    Args:
      true: [..., N, 3] points, any unit.
      predicted: [..., N, 3] points, same unit.
      parents: [N] index of each point's parent, -1 for the root.
      mask: [..., N] which points are known, or None; a bone counts with both its ends.

    Returns:
      [...] errors, same unit.

    Source: SMPLR Table 1, column "Bn": 41 bones of SMPLR_42.
    """
    true, predicted = corresponding(true, predicted)
    errors = tf.abs(bone_lengths(predicted, parents) - bone_lengths(true, parents))
    if mask is not None:
        mask = tf.cast(mask, errors.dtype)
        check_shapes(mask.shape, predicted.shape[:-1], ("mask", "the points"), 1)
        children, ends = _bones(parents)
        mask = tf.gather(mask, children, axis=-1) * tf.gather(mask, ends, axis=-1)
    return masked_mean(errors, mask)


def pckh(
    true: TensorLike,
    predicted: TensorLike,
    head_size: TensorLike,
    mask: TensorLike | None = None,
    threshold: float = 0.5,
) -> tf.Tensor:
    """Returns the fraction of joints whose error is below a fraction of the head's size (PCKh).

    Args:
      true: [..., J, 2] joints, pixels.
      predicted: [..., J, 2] joints, pixels.
      head_size: [...] pixels; with NBF, the distance of the true `head_top` and `lsp_neck`.
      mask: [..., J] which joints count, or None.
      threshold: fraction of the head's size.

    Returns:
      [...] fractions, 0..1.

    Source: NBF 4.3. MPII's own evaluation takes 0.6 of the head box's diagonal as head size.
    """
    errors = point_distances(true, predicted)
    head_size = tf.cast(head_size, errors.dtype)
    check_shapes(head_size.shape, errors.shape[:-1], ("head_size", "the samples"), 0)
    limit = threshold * head_size[..., None]
    return masked_mean(tf.cast(errors <= limit, errors.dtype), mask)


def select_joints(values: TensorLike, protocol: str) -> np.ndarray:
    """Keeps the joints of a protocol.

    Args:
      values: [..., 24] or other values per SMPL joint along the last axis.
      protocol: a name in JOINT_PROTOCOLS or JOINT_GROUPS.

    Returns:
      [..., K] values.

    Raises:
      ValueError: if the protocol is unknown, or there are not 24 values.
    """
    if np.shape(values)[-1:] != (len(SMPL_24),):
        raise ValueError(
            f"values: expected [..., {len(SMPL_24)}], one per SMPL joint, got {np.shape(values)}."
        )
    known = {**JOINT_PROTOCOLS, **JOINT_GROUPS}
    if protocol not in known:
        raise ValueError(f"Unknown joint protocol {protocol!r}; known are {', '.join(known)}.")
    return np.take(values, SMPL_24.indices(known[protocol]), axis=-1)


class _MeanOverSamples(keras.metrics.Metric):
    """The mean of a per-sample error, kept as (sum, count).

    `update_state` takes `sample_weight` as one weight per sample, or as a mask per point where the
    error has one; a sample without any point in the mask does not count.
    """

    scale = 1.0  # factor from the unit of the input to that of the result
    sample_rank = 2  # axes of one sample

    def __init__(self, name: str, dtype: str | None = None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_weight(name="total", initializer="zeros")
        self.count = self.add_weight(name="count", initializer="zeros")

    def errors(self, y_true: tf.Tensor, y_pred: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        """Returns [...] errors per sample."""
        raise NotImplementedError

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Adds a batch of samples."""
        y_true = tf.cast(y_true, self.dtype)
        y_pred = tf.cast(y_pred, self.dtype)
        batch_rank = len(y_pred.shape) - self.sample_rank
        mask = None
        weights = tf.ones(tf.shape(y_pred)[:batch_rank], self.dtype)
        if sample_weight is not None:
            weights = tf.cast(sample_weight, self.dtype)
            if len(weights.shape) > batch_rank:
                mask = weights
                weights = tf.cast(tf.reduce_any(mask > 0, axis=-1), self.dtype)
        errors = self.errors(y_true, y_pred, mask)
        counted = tf.where(weights > 0, weights * errors, 0.0)
        self.total.assign_add(self.scale * tf.reduce_sum(counted))
        self.count.assign_add(tf.reduce_sum(weights))

    def result(self) -> tf.Tensor:
        """Returns the mean so far, 0 before the first sample."""
        return tf.math.divide_no_nan(
            tf.convert_to_tensor(self.total), tf.convert_to_tensor(self.count)
        )


@keras.saving.register_keras_serializable("smpl_tf")
class MPJPE(_MeanOverSamples):
    """Mean per-joint position error in mm, of joints [..., J, 3] in metres; see `mpjpe`."""

    scale = 1000.0

    def __init__(self, root: int | None = None, name: str = "mpjpe_mm", dtype: str | None = None):
        """Makes the metric; `root` is the joint to centre both at, None for no centring."""
        super().__init__(name, dtype)
        self.root = root

    def errors(self, y_true: tf.Tensor, y_pred: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        """Returns [...] metres."""
        if self.root is not None:
            y_true, y_pred = root_centred(y_true, self.root), root_centred(y_pred, self.root)
        return mpjpe(y_true, y_pred, mask)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "root": self.root}


@keras.saving.register_keras_serializable("smpl_tf")
class PAMPJPE(_MeanOverSamples):
    """Procrustes-aligned MPJPE in mm, of joints [..., J, 3] in metres; see `pa_mpjpe`."""

    scale = 1000.0

    def __init__(self, with_scale: bool = True, name: str | None = None, dtype: str | None = None):
        """Makes the metric; with_scale=False aligns by a rigid motion."""
        super().__init__(name or ("pa_mpjpe_mm" if with_scale else "pa_mpjpe_rigid_mm"), dtype)
        self.with_scale = with_scale

    def errors(self, y_true: tf.Tensor, y_pred: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        """Returns [...] metres."""
        return pa_mpjpe(y_true, y_pred, mask, self.with_scale)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "with_scale": self.with_scale}


@keras.saving.register_keras_serializable("smpl_tf")
class SurfaceError(_MeanOverSamples):
    """Mean distance of vertices [..., V, 3] in metres, in mm; see `surface_error`."""

    scale = 1000.0

    def __init__(self, name: str = "surface_error_mm", dtype: str | None = None):
        """Makes the metric."""
        super().__init__(name, dtype)

    def errors(self, y_true: tf.Tensor, y_pred: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        """Returns [...] metres."""
        return surface_error(y_true, y_pred, mask)


@keras.saving.register_keras_serializable("smpl_tf")
class RotationAngle(_MeanOverSamples):
    """Mean angle between rotations [..., J, 3, 3] in radians; see `rotation_angle`."""

    sample_rank = 3

    def __init__(self, name: str = "rotation_angle_rad", dtype: str | None = None):
        """Makes the metric."""
        super().__init__(name, dtype)

    def errors(self, y_true: tf.Tensor, y_pred: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        """Returns [...] radians."""
        return rotation_angle(y_true, y_pred, mask)


@keras.saving.register_keras_serializable("smpl_tf")
class BoneError(_MeanOverSamples):
    """Mean error of bone lengths in mm, of points [..., N, 3] in metres; see `bone_error`."""

    scale = 1000.0

    def __init__(
        self, parents: Sequence[int], name: str = "bone_error_mm", dtype: str | None = None
    ):
        """Makes the metric; `parents` [N] holds each point's parent, -1 for the root."""
        super().__init__(name, dtype)
        self.parents = tuple(int(parent) for parent in parents)

    def errors(self, y_true: tf.Tensor, y_pred: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        """Returns [...] metres."""
        return bone_error(y_true, y_pred, self.parents, mask)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "parents": self.parents}
