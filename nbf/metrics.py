"""NBF's error measures (paper 4.3), one value per Example: for fits and for segmentations."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from nbf.landmarks import landmark_body
from nbf.parameters import split_parameters
from smpl_tf import SMPL, SMPLModelData, kinematics, metrics
from smpl_tf.camera import Camera
from smpl_tf.skeleton import LSP_14, SMPL_24
from smpl_tf.tensor_like import TensorLike

Batch = Mapping[str, tf.Tensor]


class HeadSize:
    """Measures the size of heads in pictures, the unit of PCKh.

    Source: paper 4.3 uses the head's size per example without defining it; here it is the
      projected distance between the true top of the head and the neck.
    """

    def __init__(self, model_data: SMPLModelData):
        """Prepares the body's two vertices.

        Raises:
          ValueError: if the body does not have these landmarks.
        """
        # These vertices are the two LSP points that are not SMPL joints.
        self._body = landmark_body(model_data, LSP_14)

    def __call__(self, inputs: Batch, targets: Batch) -> tf.Tensor:
        """Returns the sizes of a batch of `fitting_targets`, `[B]`, in units of `joints_2d`.

        The size is NaN for a person whose true body is unknown; see `annotated_head_size`.
        """
        betas, global_rotations = split_parameters(targets["parameters"])
        relative = kinematics.global_to_relative(global_rotations, SMPL_24.parents)
        points = self._body(betas=betas, pose=relative, translation=inputs["translation"]).vertices
        points = Camera(inputs["intrinsics"], 2, 2).project(points)
        sizes = tf.norm(points[..., 0, :] - points[..., 1, :], axis=-1)
        known = tf.reduce_all(targets["parameters_valid"] > 0, -1)
        return tf.where(known, sizes, float("nan"))


class SurfaceErrors:
    """Measures surfaces: the mean distance of vertices.

    Args:
      model_data: the body of predictions and truth.

    Source: paper Table 3's caption, "average vertex to vertex distance"; not aligned, like
      err_joints3D. Absent from the released code.
    """

    def __init__(self, model_data: SMPLModelData):
        self._body = SMPL(model_data)

    def __call__(self, targets: Batch, predictions: Batch) -> dict[str, tf.Tensor]:
        """Measures a batch.

        Args:
          targets: of `nbf.targets.fitting_targets`.
          predictions: of `FittingNetwork`.

        Returns:
          dict of `surface_mm` `[B]`, NaN where the true body is not known.
        """
        betas, global_rotations = split_parameters(targets["parameters"])
        true = self._vertices(betas, global_rotations)
        found = self._vertices(predictions["betas"], predictions["global_rotations"])
        known = tf.reduce_all(targets["parameters_valid"] > 0, -1)
        errors = 1000 * metrics.surface_error(true, found)
        return {"surface_mm": tf.where(known, errors, float("nan"))}

    def _vertices(self, betas, global_rotations):
        relative = kinematics.global_to_relative(global_rotations, SMPL_24.parents)
        return self._body(betas=betas, pose=relative).vertices


def annotated_head_size(example: Batch) -> tf.Tensor:
    """Measures heads from annotated points alone.

    Args:
      example: a batch of Examples with `lsp/2d`, `lsp/2d/valid`, `image/height`, `image/width`.

    Returns:
      `[B]` in units of `joints_2d`, half pictures: from neck to head top where both are known;
      else half of the torso, from a shoulder to the other side's hip; else NaN.

    Source: for LSP and COCO the torso is commonly used where no head is annotated; on the open
      body at rest the head is half of it.
    """
    size = tf.cast(tf.stack([example["image/width"], example["image/height"]], -1), tf.float32)
    points = example["lsp/2d"] / (size[..., tf.newaxis, :] / 2.0)
    valid = example["lsp/2d/valid"] > 0

    def length(start, end):
        a, b = LSP_14.index(start), LSP_14.index(end)
        found = tf.norm(points[..., a, :] - points[..., b, :], axis=-1)
        return tf.where(valid[..., a] & valid[..., b], found, float("nan"))

    head = length("lsp_neck", "head_top")
    for start, end in (("left_shoulder", "right_hip"), ("right_shoulder", "left_hip")):
        head = tf.where(tf.math.is_finite(head), head, 0.5 * length(start, end))
    return head


def fitting_errors(targets: Batch, predictions: Batch, head_sizes: tf.Tensor) -> dict:
    """Measures the fits of a batch, person by person.

    Args:
      targets: of `nbf.targets.fitting_targets`.
      predictions: of `FittingNetwork`.
      head_sizes: `[B]`, of `HeadSize`; NaN where a head's size is not known.

    Returns:
      dict of `[B]` tensors, NaN where an Example lacks the labels: `err_joints3d_mm` (no
      alignment), `pa_mpjpe_mm` (similarity), `pa_mpjpe_rigid_mm`, `pckh_percent` (half a head),
      `err_quat_rad` (angle between global rotations).

    Source: paper 4.3 and 4.4, and the released evaluation.
    """
    joints, mask = targets["joints_3d"], targets["joints_3d_valid"]
    predicted = predictions["joints_3d"]
    _, global_rotations = split_parameters(targets["parameters"])
    angles = metrics.rotation_angle(global_rotations, predictions["global_rotations"])
    has_rotations = targets["parameters_valid"][..., -1] > 0
    pckh = metrics.pckh(
        targets["joints_2d"], predictions["joints_2d"], head_sizes, targets["joints_2d_valid"]
    )
    return {
        "err_joints3d_mm": 1000 * metrics.mpjpe(joints, predicted, mask),
        "pa_mpjpe_mm": 1000 * metrics.pa_mpjpe(joints, predicted, mask),
        "pa_mpjpe_rigid_mm": 1000 * metrics.pa_mpjpe(joints, predicted, mask, with_scale=False),
        "pckh_percent": 100 * tf.where(tf.math.is_finite(head_sizes), pckh, float("nan")),
        "err_quat_rad": tf.where(has_rotations, angles, float("nan")),
    }


def confusion(labels: tf.Tensor, predicted: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Counts pixels by true and predicted class, for each picture.

    Args:
      labels: `[..., H, W]` integers, the truth; labels outside 0..num_classes - 1 are ignored.
      predicted: `[..., H, W]` integers 0..num_classes - 1.
      num_classes: number of classes, background included.

    Returns:
      `[..., C, C]` float32 counts; rows are true classes.
    """
    true = tf.one_hot(tf.cast(labels, tf.int32), num_classes)
    predicted = tf.one_hot(tf.cast(predicted, tf.int32), num_classes)
    return tf.einsum("...hwi,...hwj->...ij", true, predicted)


def iou(confusion_matrix: tf.Tensor) -> tf.Tensor:
    """Returns each class's intersection over union, `[..., C]`, NaN for one that never occurs.

    Args:
      confusion_matrix: `[..., C, C]`; summed over a data set, as is usual, or of one picture.

    Source: paper 4.3; classner/up's evaluation sums over the data set.
    """
    hits = tf.linalg.diag_part(confusion_matrix)
    union = tf.reduce_sum(confusion_matrix, -1) + tf.reduce_sum(confusion_matrix, -2) - hits
    return hits / union


def f1_scores(confusion_matrix: tf.Tensor) -> tf.Tensor:
    """Returns the F1 score of each picture: the mean over the body parts that are in it.

    Args:
      confusion_matrix: `[..., C, C]` of single pictures.

    Returns:
      `[...]` in 0..1, NaN for a picture without any part.

    Source: paper figure 3 does not say what it averages over.
    """
    hits = tf.linalg.diag_part(confusion_matrix)
    true, predicted = tf.reduce_sum(confusion_matrix, -1), tf.reduce_sum(confusion_matrix, -2)
    scores = tf.math.divide_no_nan(2 * hits, true + predicted)[..., 1:]
    present = tf.cast(true[..., 1:] > 0, scores.dtype)
    return tf.reduce_sum(scores * present, -1) / tf.reduce_sum(present, -1)


@keras.saving.register_keras_serializable(package="nbf")
class PartIoU(keras.metrics.Metric):
    """Mean IoU over classes and over the data set so far: all classes, and without background.

    Source: paper 4.3 does not say whether its 67.1 includes the background, so both are kept.
    """

    def __init__(self, num_classes: int, name: str = "iou", **kwargs: Any):
        """Makes the metric; `num_classes` counts the background."""
        super().__init__(name=name, **kwargs)
        self.num_classes = num_classes
        self.confusion = self.add_weight(
            name="confusion", shape=(num_classes, num_classes), initializer="zeros"
        )

    def update_state(
        self, labels: tf.Tensor, logits: tf.Tensor, sample_weight: TensorLike | None = None
    ) -> None:
        """Adds pictures: labels `[B, H, W]`, logits `[B, H, W, C]`, a weight per picture `[B]`."""
        counts = confusion(labels, tf.argmax(logits, -1), self.num_classes)
        if sample_weight is not None:
            counts *= tf.cast(sample_weight, counts.dtype)[:, tf.newaxis, tf.newaxis]
        self.confusion.assign_add(tf.reduce_sum(counts, 0))

    def result(self) -> dict[str, tf.Tensor]:
        """Returns `iou` and `iou_parts`; classes that never occurred do not count."""
        scores = iou(tf.convert_to_tensor(self.confusion))

        def mean(values):
            known = tf.math.is_finite(values)
            return tf.math.divide_no_nan(
                tf.reduce_sum(tf.where(known, values, 0.0)),
                tf.reduce_sum(tf.cast(known, values.dtype)),
            )

        return {"iou": mean(scores), "iou_parts": mean(scores[1:])}

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "num_classes": self.num_classes}
