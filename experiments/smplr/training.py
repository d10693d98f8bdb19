"""Training of one stage of SMPLR, from the data to the finished model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from absl import flags

from datasets.splits import Split, open_split
from experiments.runs import checkpoints, common, distribution, epochs, synthetic_people, training
from experiments.runs.common import UserError
from experiments.runs.training import Training
from experiments.smplr import data as smplr_data
from experiments.smplr import networks
from experiments.smplr.flags import POINT_STAGES
from smpl_tf.files import written_aside
from smplr import PointBody
from smplr.bones import split_points
from smplr.targets import shape_vector


def train(
    opened: Training, values: flags.FlagValues
) -> tuple[keras.Model, dict[str, Any], Split | None]:
    """Trains a stage, from its newest checkpoint if there is one, and saves the model.

    Args:
      opened: the folder of the run, and the strategy.
      values: the flags of the run.

    Returns:
      The trained model, the state of its last checkpoint, and the split of pictures to evaluate
      on; None for a stage whose input is points.

    Raises:
      UserError: networks or data are missing or do not fit, or a loss is not finite.
      RecordError: the data is missing or damaged.
    """
    run, strategy = opened.run, opened.strategy
    common.prepare_keras(values.seed, values.mixed_precision)
    with strategy.scope():
        model = networks.build_model(values)
    body = PointBody(networks.bodies(values), dtype="float32")
    checkpoint = checkpoints.latest(run.checkpoints, checkpoints.OF_TRAINING)
    made = {}
    if values.stage not in POINT_STAGES and opened.is_chief:
        made = synthetic_people.generate(values, networks.people_of(values))
    epoch = distribution.agree(strategy, checkpoint.epoch if checkpoint else 0, str(run.path))
    supply = _supply(values, body, epoch, strategy.num_replicas_in_sync, made)
    with strategy.scope():
        networks.compile_model(model, values, supply.steps * values.epochs)
    if checkpoint:
        if checkpoint.state.get("data", supply.data) != supply.data:
            raise UserError(
                f"not the data that {checkpoint.weights} was trained on; restore it, or give "
                "another --run_name, or --overwrite to start again"
            )
        checkpoints.restore(checkpoint, model)
    distribution.prepare_fit(strategy, model, supply.spec)
    loggers = []
    if values.stage == "end_to_end" and opened.is_chief:
        loggers = [LogGradientRatio(next(iter(supply.watched)))]
    training.fit(
        opened,
        values,
        model,
        distribution.spread(strategy, supply.share),
        supply.steps,
        supply.watched and distribution.spread(strategy, supply.share_watched),
        checkpoint,
        {"bodies": [one.fingerprint for one in body.bodies], "data": supply.data},
        supply.name_batch,
        loggers,
    )
    checkpoint = checkpoints.latest(run.checkpoints)
    if opened.is_chief:
        if values.strategy != "none":
            model = networks.build_model(values)  # without the strategy
            checkpoints.restore(checkpoint, model)
        with written_aside(run.model_file) as aside:
            model.save(aside)
    return model, checkpoint.state, supply.test


class _Supply(NamedTuple):
    """The training data of a stage.

    Attributes:
      share: reader -> its batches, from the first epoch.
      spec: of one batch.
      steps: batches per epoch.
      watched: validation batches for each epoch, or None.
      share_watched: reader -> its share of the validation batches.
      data: name of the data -> fingerprint of its bytes.
      name_batch: (epoch, step) -> names of the Examples of a batch.
      test: the split of pictures to evaluate on, or None.
    """

    share: Callable
    spec: Any
    steps: int
    watched: tf.data.Dataset | None
    share_watched: Callable | None
    data: dict[str, str]
    name_batch: Callable
    test: Split | None


def _supply(values, body, epoch, replicas, made):
    if values.stage in POINT_STAGES:
        return _drawn_bodies(values, body, epoch)

    def convert(batch):
        return batch["pictures"], picture_targets(batch, values)

    def share(reader):
        return smplr_data.training_pictures(values, body, train, epoch, reader)[0].map(convert)

    def share_watched(reader):
        if replicas == 1:
            return watched
        # Whole batches, since Keras' mean over a replica's empty share would be NaN.
        whole = min(values.batch_size, val.count // replicas * replicas)
        batches = smplr_data.held_out_pictures(values, body, val, batch_size=whole)
        batches = batches.take(val.count // whole).map(convert)
        return epochs.share_of_batches(batches, whole, reader)

    read = epochs.open_splits(values, made)
    for split in read.every:
        networks.check_bodies_of(split, body.bodies)
        smplr_data.check_known_bodies(split, body)
    train, val = read.train, read.val
    watched = smplr_data.held_out_pictures(values, body, val).map(convert)
    steps = epochs.steps_per_epoch(train, values.batch_size)
    return _Supply(
        share,
        watched.element_spec,
        steps,
        watched,
        share_watched,
        data=read.fingerprints,
        name_batch=partial(epochs.example_ids, values, train, cache=values.cache),
        test=read.test,
    )


def _drawn_bodies(values, body, epoch):
    steps = values.steps_per_epoch
    if values.motion and values.noise != "hourglass":
        open_split(values.motion, values.test_split)  # for the evaluation; checked before training
    bodies, source = smplr_data.training_bodies(values, body, epoch * steps)

    def sort(batch):
        return smplr_data.inputs_and_targets(batch, values.stage, values.train_autoencoder)

    batches = bodies.map(sort)

    def share(reader):
        if reader.num_replicas_in_sync == 1:
            return batches
        return epochs.share_of_batches(batches, values.batch_size, reader)

    def name_batch(epoch, step):
        return [f"of the motion's batch {epoch * steps + step}, seed {values.seed}"]

    data = {}
    if source is not None:
        data["train" if values.noise == "hourglass" else "motion"] = source.fingerprint
    return _Supply(share, batches.element_spec, steps, None, None, data, name_batch, None)


def picture_targets(batch: smplr_data.Batch, values: flags.FlagValues) -> smplr_data.Batch:
    """Returns the targets of a picture stage.

    Args:
      batch: from `training_pictures`.
      values: the flags of the run.

    Returns:
      Targets by output of the model. The loss computes volumes from the points.
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
    """Logs the ratio of SMPLR's gradient at the hourglass to that of its own loss, per epoch.

    Args:
      batch: (pictures, targets) to measure on.

    Source: paper 4.5: without a proper balance the hourglass's weights vanish.
    """

    def __init__(self, batch):
        """Stores the batch."""
        super().__init__()
        self._batch = batch

    def on_epoch_end(self, epoch, logs=None):
        """Adds `gradient_ratio`: norm of SMPLR's gradient over that of the hourglass's losses."""
        own, other = gradient_norms(self.model, *self._batch)
        logs["gradient_ratio"] = float(other / own)


def gradient_norms(model: keras.Model, pictures: tf.Tensor, targets) -> tuple[float, float]:
    """Measures the gradients at the hourglass of an end-to-end model.

    Args:
      model: compiled, with losses and weights by output.
      pictures: `[B, S, S, 3]`.
      targets: by output.

    Returns:
      Norms of the weighted gradients with respect to the hourglass's weights: from its own losses,
      and from all others.
    """
    weights = model.hourglass.trainable_weights
    # the only place where Keras stores them
    factors = model.get_compile_config()["loss_weights"]
    with tf.GradientTape(persistent=True) as tape:
        outputs = model(pictures, training=False)
        terms = {
            name: model.loss[name](targets[name], outputs[name]) * factors[name]
            for name in model.loss
        }
        own = tf.add_n([terms.pop(name) for name in networks.OF_HOURGLASS if name in terms])
        others = tf.add_n(list(terms.values()))
    return tuple(
        float(tf.linalg.global_norm([g for g in tape.gradient(term, weights) if g is not None]))
        for term in (own, others)
    )
