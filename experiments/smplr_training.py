"""The training of one stage of SMPLR, from the data to the finished model."""

from __future__ import annotations

import sys
from typing import Any

import keras
import tensorflow as tf
from absl import flags

from experiments import callbacks, checkpoints, common, smplr_data, smplr_runs, synthetic_people
from experiments.run_folder import RunFolder, written_aside
from experiments.smplr_flags import POINT_STAGES
from smplr import PointBody
from smplr.bones import split_points
from smplr.targets import shape_vector


def train(run: RunFolder, values: flags.FlagValues) -> tuple[keras.Model, dict[str, Any]]:
    """Trains a stage, from its newest checkpoint if there is one, and saves the model.

    Args:
      run: where checkpoints and logs go.
      values: the flags of the run.

    Returns:
      The trained model, and the state of its last checkpoint.

    Raises:
      UserError: networks or data are missing or do not fit, or a loss is not finite.
      RecordError: the data is missing or damaged.
    """
    common.prepare_keras(values.seed, values.mixed_precision)
    model = smplr_runs.build_model(values)
    body = PointBody(smplr_runs.bodies(values), dtype="float32")
    checkpoint = checkpoints.latest(run.checkpoints)
    epoch = checkpoint.epoch if checkpoint else 0
    batches, steps, watched = _batches(values, body, epoch)
    smplr_runs.compile_model(model, values, steps * values.epochs)
    earlier: dict[str, Any] = {"history": {}, "seconds": 0.0}
    if checkpoint:
        checkpoints.restore(checkpoint, model)
        earlier = checkpoint.state
        print(f"{run.path}: goes on after epoch {epoch} of {values.epochs}")
    if epoch < values.epochs:
        facts = {"bodies": [one.fingerprint for one in body.bodies]}
        watchers = [
            keras.callbacks.TensorBoard(run.tensorboard, write_graph=False),
            callbacks.SaveEpochs(run.checkpoints, earlier, facts),
        ]
        if values.stage == "end_to_end":
            watchers.insert(0, LogGradientRatio(next(iter(watched))))
        model.fit(
            batches,
            initial_epoch=epoch,
            epochs=values.epochs,
            steps_per_epoch=steps,
            validation_data=watched,
            callbacks=watchers,
            shuffle=False,  # the batches come in their seeded order
            verbose=1 if sys.stdout.isatty() else 2,
        )
    with written_aside(smplr_runs.model_file(run)) as aside:
        model.save(aside)
    return model, checkpoints.latest(run.checkpoints).state


def _batches(values, body, epoch):
    """Returns the batches of `fit` from an epoch on, steps per epoch, and validation batches."""
    if values.stage in POINT_STAGES:
        steps = values.steps_per_epoch

        def convert(batch):
            return smplr_data.inputs_and_targets(batch, values.stage)

        batches = smplr_data.training_bodies(values, body, epoch * steps)
        return batches.map(convert), steps, None
    synthetic_people.generate(values)
    for split in {"train", "val", values.test_split}:
        smplr_runs.check_manifest(values, split)

    def convert(batch):
        return batch["pictures"], picture_targets(batch, values)

    batches, steps = smplr_data.training_pictures(values, body, epoch)
    watched = smplr_data.held_out_pictures(values, body, "val").map(convert)
    return batches.map(convert), steps, watched


def picture_targets(batch: smplr_data.Batch, values: flags.FlagValues) -> smplr_data.Batch:
    """Lays out what a picture stage is to answer.

    Args:
      batch: from `training_pictures`.
      values: the flags of the run.

    Returns:
      Targets by output of the model. Volumes are drawn from the points by their loss.
    """
    joints, landmarks = split_points(batch["points"])
    points = batch["points"] if values.landmarks else joints
    answers = {"volumes": points, "points": points}
    if values.stage == "hourglass":
        return answers
    shape = shape_vector(batch["betas"], batch["gender"])
    body = {"joints": joints, "landmarks": landmarks, "rotations": batch["rotations"]}
    return {**answers, **body, "shape": shape, "denoised": points}


class LogGradientRatio(keras.callbacks.Callback):
    """Logs how strongly SMPLR pulls at the hourglass, beside its own loss, after each epoch.

    Args:
      batch: (pictures, targets) to measure on.

    Source: paper 4.5: without a proper balance the hourglass's weights vanish.
    """

    def __init__(self, batch):
        """Keeps the batch."""
        super().__init__()
        self._batch = batch

    def on_epoch_end(self, epoch, logs=None):
        """Adds `gradient_ratio`: SMPLR's norm by that of the hourglass's own losses."""
        own, other = gradient_norms(self.model, *self._batch)
        logs["gradient_ratio"] = float(other / own)


def gradient_norms(model: keras.Model, pictures: tf.Tensor, targets) -> tuple[float, float]:
    """Measures what pulls at the hourglass of an end-to-end model.

    Args:
      model: compiled, with losses and weights by output.
      pictures: `[B, S, S, 3]`.
      targets: by output.

    Returns:
      Norms of the weighted gradients with respect to the hourglass's weights: of its own losses,
      and of all others.
    """
    weights = model.hourglass.trainable_weights
    # Keras keeps them here alone.
    factors = model.get_compile_config()["loss_weights"]
    with tf.GradientTape(persistent=True) as tape:
        outputs = model(pictures, training=False)
        terms = {
            name: model.loss[name](targets[name], outputs[name]) * factors[name]
            for name in model.loss
        }
        own = tf.add_n([terms.pop(name) for name in smplr_runs.OF_HOURGLASS if name in terms])
        others = tf.add_n(list(terms.values()))
    return tuple(
        float(tf.linalg.global_norm([g for g in tape.gradient(term, weights) if g is not None]))
        for term in (own, others)
    )
