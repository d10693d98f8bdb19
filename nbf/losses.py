"""NBF's losses: on the body parameters, on 3D joints, on projected joints (paper 3.3).

Each loss returns one value per sample, or per point, without masking; only `masked_batch_mean`
masks and reduces them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nbf.landmarks import MESH
from nbf.parameters import join_parameters
from smpl_tf.skeleton import LSP_14, SMPL_24, UP_91, Skeleton
from smpl_tf.tensor_like import TensorLike

# The constant that makes Tukey's estimator 95 % efficient on normal residuals.
_TUKEY_CUT = 4.6851

# Elementwise penalties of a residual; the robust ones need a scale.
ELEMENTWISE = ("l1", "l2", "geman_mcclure", "tukey")
# Penalties of a point's whole residual vector.
POINTWISE = ("euclidean", "squared_euclidean", "euclidean_margin")


def penalty(residual: tf.Tensor, kind: str, scale: float | tf.Tensor = 1.0) -> tf.Tensor:
    """Penalises residuals.

    Args:
      residual: `[..., N]` entries, or `[..., N, D]` points for a pointwise kind.
      kind: one of `ELEMENTWISE` (mean over the last axis stays with the caller) or `POINTWISE`
        (the norm over the last axis is taken here).
      scale: scale of the robust kinds, in the residual's unit, broadcast against the residual
        (against the norm for `euclidean_margin`); unused by the other kinds.

    Returns:
      `[..., N]` for elementwise and for pointwise kinds alike.

    Raises:
      ValueError: if the kind is unknown.

    Source: paper appendix B names L1, L2, Geman-McClure and Tukey; their forms are the released
    code's. `euclidean_margin` is its `euclidist_robust_v1`.
    """
    scale = tf.cast(scale, residual.dtype)
    if kind == "l1":
        return tf.abs(residual)
    if kind == "l2":
        return tf.square(residual)
    if kind == "geman_mcclure":
        squared = tf.square(residual)
        return squared / (tf.square(scale) + squared)
    if kind == "tukey":
        inside = 1.0 - tf.square(tf.minimum(tf.abs(residual / (scale * _TUKEY_CUT)), 1.0))
        return _TUKEY_CUT**2 / 6.0 * (1.0 - inside**3)
    if kind == "squared_euclidean":
        return tf.reduce_sum(tf.square(residual), -1)
    if kind == "euclidean":
        return _norm(residual)
    if kind == "euclidean_margin":
        return tf.nn.relu(_norm(residual) - scale)
    raise ValueError(
        f"Unknown loss kind {kind!r}: expected one of {', '.join(ELEMENTWISE + POINTWISE)}."
    )


@tf.custom_gradient
def _norm(vectors: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Returns lengths over the last axis; the gradient of a zero vector is zero, not NaN."""
    lengths = tf.sqrt(tf.reduce_sum(tf.square(vectors), -1))

    def gradient(upstream):
        return tf.math.divide_no_nan(upstream, lengths)[..., tf.newaxis] * vectors

    return lengths, gradient


def masked_batch_mean(values: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """Averages values over the valid entries of the whole batch, across all replicas.

    Under a distribution strategy every replica gets the mean over the global batch, however
    unevenly masks or Examples are spread.

    Args:
      values: `[B]` or `[B, N]`, per sample or per point.
      valid: the same shape or a prefix of it; nonzero counts, zero does not.

    Returns:
      A scalar; 0 if nothing is valid, since it is a loss (`smpl_tf.metrics.masked_mean`, an error
      per sample, is NaN then).

    Source: replaces the released code's mask, which counts sample 0 once per flagged sample and
      divides by zero without any.
    """
    valid = tf.cast(tf.cast(valid, tf.bool), values.dtype)
    valid = tf.reshape(valid, tf.concat([tf.shape(valid), [1] * (values.ndim - valid.ndim)], 0))
    valid = tf.broadcast_to(valid, tf.shape(values))
    total = tf.reduce_sum(tf.math.multiply_no_nan(values, valid))
    count = tf.reduce_sum(valid)
    replica = tf.distribute.get_replica_context()
    if replica is not None and replica.num_replicas_in_sync > 1:
        sums = replica.all_reduce(tf.distribute.ReduceOp.SUM, tf.stack([total, count]))
        total, count = tf.unstack(sums)
    return tf.math.divide_no_nan(total, count)


@keras.saving.register_keras_serializable(package="nbf")
class FittingLoss:
    """The weighted sum of L_lat, L_3D and L_2D, and their masks.

    For `FittingNetwork.compile(loss=...)`. All terms are means, not sums; the weights are 1 as
    released.

    Source: paper 3.3, eqs. 6-9.
    """

    def __init__(
        self,
        parameters_weight: float = 1.0,
        joints_3d_weight: float = 1.0,
        joints_2d_weight: float = 1.0,
        parameters_loss: str = "l1",
        joints_3d_loss: str = "euclidean",
        joints_2d_loss: str = "euclidean",
        parameters_scale: TensorLike = 1.0,
        joints_3d_scale: float = 0.1,
        joints_2d_scale: float = 0.05,
        loss_points: int | str = 24,
        projected_rotations: bool = False,
        center_2d: str | None = None,
        weight_decay: float = 1e-4,
    ):
        """Configures the loss.

        Args:
          parameters_weight: weight of L_lat, the loss on 10 betas and 24 rotation matrices.
          joints_3d_weight: weight of L_3D, in metres.
          joints_2d_weight: weight of L_2D, in normalised image coordinates (-1 to 1).
          parameters_loss: an elementwise penalty.
          joints_3d_loss: a pointwise penalty, or an elementwise one on the coordinates.
          joints_2d_loss: same choices as `joints_3d_loss`.
          parameters_scale: scale of a robust `parameters_loss`, a number or 226 of them.
          joints_3d_scale: scale of a robust `joints_3d_loss`, metres.
          joints_2d_scale: scale of a robust `joints_2d_loss`, normalised image coordinates.
          loss_points: points that L_3D and L_2D compare: SMPL's 24 joints, or the 14 (LSP's) or 91
            (UP's) landmarks, or "mesh" for all vertices, with which the network was built.
          projected_rotations: compare rotations after their projection (the paper's text) rather
            than the network's raw matrices (the released code).
          center_2d: None, "neck" or "hips": the point that is subtracted from both sides of L_2D
            (the released code's `simtrans` forms).
          weight_decay: factor of half the squared norm of all convolution and dense kernels.

        Raises:
          ValueError: if a penalty, `loss_points` or `center_2d` is unknown.
        """
        if parameters_loss not in ELEMENTWISE:
            raise ValueError(
                f"parameters_loss={parameters_loss!r}: expected one of {', '.join(ELEMENTWISE)}."
            )
        for name, kind in (("joints_3d", joints_3d_loss), ("joints_2d", joints_2d_loss)):
            if kind not in ELEMENTWISE + POINTWISE:
                raise ValueError(
                    f"{name}_loss={kind!r}: expected one of {', '.join(ELEMENTWISE + POINTWISE)}."
                )
        if loss_points not in (*_SKELETON_OF_COUNT, MESH):
            raise ValueError(
                f"loss_points={loss_points!r}: expected 24 (SMPL's joints), 14 (LSP's landmarks), "
                f"91 (UP's) or {MESH!r}."
            )
        if center_2d not in (None, "neck", "hips"):
            raise ValueError(f"center_2d={center_2d!r}: expected None, 'neck' or 'hips'.")
        if center_2d and loss_points == MESH:
            raise ValueError(f"center_2d={center_2d!r}: a mesh has no such point; expected None.")
        self.parameters_weight = parameters_weight
        self.joints_3d_weight = joints_3d_weight
        self.joints_2d_weight = joints_2d_weight
        self.parameters_loss = parameters_loss
        self.joints_3d_loss = joints_3d_loss
        self.joints_2d_loss = joints_2d_loss
        # A list, so that the config can be written as JSON.
        self.parameters_scale = np.asarray(parameters_scale, np.float64).tolist()
        self.joints_3d_scale = joints_3d_scale
        self.joints_2d_scale = joints_2d_scale
        self.loss_points = loss_points
        self.projected_rotations = projected_rotations
        self.center_2d = center_2d
        self.weight_decay = weight_decay

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return dict(vars(self))

    @classmethod
    def from_config(cls, config: dict) -> "FittingLoss":
        """Rebuilds the loss from `get_config`."""
        return cls(**config)

    def terms(
        self, targets: Mapping[str, tf.Tensor], predictions: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Computes the unweighted terms of one batch.

        Args:
          targets: what `nbf.targets.fitting_targets` makes: `parameters` `[B, 226]`, `joints_3d`
            `[B, P, 3]` metres, `joints_2d` `[B, P, 2]` normalised, and for each the mask
            `<name>_valid`.
          predictions: what `FittingNetwork` returns.

        Returns:
          Scalars `L_lat`, `L_3D` and `L_2D`; only those whose weight is not 0.

        Raises:
          ValueError: if the network does not predict the compared points.
        """
        terms = {}
        if self.parameters_weight:
            parameters = predictions["parameters"]
            if self.projected_rotations:
                parameters = join_parameters(predictions["betas"], predictions["global_rotations"])
            residual = parameters - tf.cast(targets["parameters"], parameters.dtype)
            values = penalty(residual, self.parameters_loss, self.parameters_scale)
            terms["L_lat"] = masked_batch_mean(values, targets["parameters_valid"])
        if self.joints_3d_weight:
            name = f"{self._compared(predictions)}_3d"
            residual = predictions[name] - tf.cast(targets[name], predictions[name].dtype)
            values = penalty(residual, self.joints_3d_loss, self.joints_3d_scale)
            terms["L_3D"] = masked_batch_mean(values, targets[f"{name}_valid"])
        if self.joints_2d_weight:
            name = f"{self._compared(predictions)}_2d"
            residual = predictions[name] - tf.cast(targets[name], predictions[name].dtype)
            if self.center_2d:
                residual -= _center(residual, self.center_2d)
            values = penalty(residual, self.joints_2d_loss, self.joints_2d_scale)
            terms["L_2D"] = masked_batch_mean(values, targets[f"{name}_valid"])
        return terms

    def _compared(self, predictions: Mapping[str, tf.Tensor]) -> str:
        """Returns whether joints or landmarks are compared, if they are predicted."""
        if self.loss_points == len(SMPL_24):
            return "joints"
        landmarks = predictions.get("landmarks_3d")
        predicted = None if landmarks is None else landmarks.shape[-2]
        of_mesh = predicted is not None and predicted not in _SKELETON_OF_COUNT
        if predicted != self.loss_points and not (of_mesh and self.loss_points == MESH):
            raise ValueError(
                f"loss_points={self.loss_points}: the network predicts {predicted or 'no'} "
                f"landmarks; build it with landmarks={self.loss_points!r}."
            )
        return "landmarks"

    def total(self, terms: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns the weighted sum of `terms`, without weight decay."""
        return tf.add_n([self.weights[name] * value for name, value in terms.items()])

    @property
    def weights(self) -> dict[str, float]:
        """The nonzero weights, by the name of the term."""
        weights = {
            "L_lat": self.parameters_weight,
            "L_3D": self.joints_3d_weight,
            "L_2D": self.joints_2d_weight,
        }
        return {name: weight for name, weight in weights.items() if weight}


def _center(points: tf.Tensor, center: str) -> tf.Tensor:
    """Returns the neck, or the middle of the hips, of `[B, P, D]` points, as `[B, 1, D]`."""
    skeleton = _SKELETON_OF_COUNT[points.shape[-2]]
    names: tuple[str, ...]
    if center == "neck":
        names = ("neck",) if "neck" in skeleton.names else ("lsp_neck",)
    else:
        names = ("left_hip", "right_hip")
    return tf.reduce_mean(tf.gather(points, skeleton.indices(names), axis=-2), -2, keepdims=True)


_SKELETON_OF_COUNT: Mapping[int, Skeleton] = {len(s): s for s in (SMPL_24, LSP_14, UP_91)}


def kernel_norms(weights: list) -> tf.Tensor:
    """Sums half the squared norm of all kernels.

    Args:
      weights: variables of a model; biases, scales and offsets are ignored.

    Returns:
      A scalar.

    Source: the released code's weight decay: L2 in the loss, under Adam, not
      AdamW's decoupled decay.
    """
    kernels = [weight for weight in weights if weight.name.endswith("kernel")]
    return tf.add_n([tf.nn.l2_loss(tf.convert_to_tensor(kernel)) for kernel in kernels])


def refuse_sample_weight(sample_weight: Any) -> None:
    """Rejects the sample weights of Keras' `fit`, which NBF's losses would ignore.

    Args:
      sample_weight: what Keras passes to `compute_loss`.

    Raises:
      ValueError: if it is not None.
    """
    if sample_weight is not None:
        raise ValueError(
            "sample_weight: expected None, since NBF's losses are masked and not weighted; leave "
            "it out, and set the masks `<name>_valid` of the targets to 0 for entries to ignore."
        )
