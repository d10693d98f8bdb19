"""Training, metrics and weight loading that all models that predict bodies share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from nbf.losses import FittingLoss, kernel_norms, refuse_sample_weight
from smpl_tf import SMPLModelData, metrics

if TYPE_CHECKING:  # imports this module
    from nbf.fitting import FittingNetwork


class BodyFittingModel(keras.Model):
    """Base of the models that are trained with `FittingLoss`: FittingNetwork, NeuralBodyFitting.

    Keras' own handling of dicts of outputs has no masks per point; this class has.
    """

    def __init__(self, **kwargs: Any):
        """Makes the metrics; the arguments are those of `keras.Model`."""
        # Each layer casts its own inputs; cameras and translations stay float32.
        super().__init__(autocast=False, **kwargs)
        self._term_means = {
            name: keras.metrics.Mean(name=name) for name in ("L_lat", "L_3D", "L_2D")
        }
        self._joint_errors = [metrics.MPJPE(name="err_joints3d_mm"), metrics.PAMPJPE()]

    def get_fitting_network(self) -> FittingNetwork:
        """Returns the FittingNetwork in the model, or the model itself."""
        raise NotImplementedError

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Computes the sum of the loss terms and of weight decay.

        Raises:
          ValueError: if the model was compiled with another loss, or there is a sample weight.
        """
        refuse_sample_weight(sample_weight)
        loss = self.loss
        if not isinstance(loss, FittingLoss):
            raise ValueError(f"compile: expected loss=FittingLoss(...), got {loss!r}.")
        terms = loss.terms(y, y_pred)
        for name, value in terms.items():
            self._term_means[name].update_state(value)
        total = loss.total(terms)
        if loss.weight_decay:
            total += loss.weight_decay * kernel_norms(self.trainable_variables)
        # Keras sums gradients over replicas; the terms are means over the global batch already.
        return total / tf.distribute.get_strategy().num_replicas_in_sync

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Updates and returns the errors and the loss terms."""
        for error in self._joint_errors:
            error.update_state(y["joints_3d"], y_pred["joints_3d"], y["joints_3d_valid"])
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        """Returns the metrics, and the loss terms that have a weight.

        A joint error without any labelled Example is NaN (unknown), not 0.
        """
        unused = set(self._term_means) - set(self.loss.weights)
        results = super().get_metrics_result()
        for error in self._joint_errors:
            counted = tf.convert_to_tensor(error.count) > 0
            results[error.name] = tf.where(counted, results[error.name], float("nan"))
        return {name: value for name, value in results.items() if name not in unused}

    def load_weights(self, filepath: str | os.PathLike, **kwargs: Any) -> None:
        """Loads weights; weights for another body raise a one-line ValueError."""
        super().load_weights(filepath, **kwargs)
        # Checked here, since Keras swallows exceptions that are raised while it loads.
        network = self.get_fitting_network()
        check_body(network.body.model_data, network.loaded_fingerprint, str(filepath))


def check_body(body: SMPLModelData, fingerprint: str, where: str) -> None:
    """Rejects a body other than the one that weights or labels were made with.

    Args:
      body: the body in use.
      fingerprint: of the body that they were made with.
      where: name of the weights or labels.

    Raises:
      ValueError: if the fingerprints differ.
    """
    if body.fingerprint != fingerprint:
        raise ValueError(
            f"{where}: made with the body {fingerprint}, not with {body.name} ({body.gender}, "
            f"{body.fingerprint}), whose betas have another meaning; give that body, or train "
            "again with this one."
        )
