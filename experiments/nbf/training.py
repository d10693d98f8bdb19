"""The training of either NBF network, from the data to the last checkpoint."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
from absl import flags

from datasets.splits import Split
from experiments.nbf import data as nbf_data
from experiments.nbf import networks
from experiments.nbf.stages import Stage
from experiments.runs import (
    callbacks,
    checkpoints,
    common,
    distribution,
    epochs,
    synthetic_people,
    training,
)
from experiments.runs.common import UserError
from experiments.runs.run_folder import RunFolder
from experiments.runs.training import Training
from smpl_tf.files import written_aside


def train(
    opened: Training, values: flags.FlagValues, stage: Stage
) -> tuple[keras.Model, dict[str, Any], Split]:
    """Trains a network, from its newest checkpoint if there is one, and saves it.

    Args:
      opened: the folder of the run, and the strategy.
      values: the flags of the run.
      stage: of the network.

    Returns:
      The trained network, facts about its training, and the split to evaluate on.

    Raises:
      UserError: the data or a checkpoint belongs to another body, or a loss is not finite.
      RecordError: the data is missing or damaged.
    """
    run, strategy = opened.run, opened.strategy
    common.prepare_keras(values.seed, values.mixed_precision)
    body = networks.load_body(values)
    with strategy.scope():
        network = stage.build(values, body)
    feed = stage.feed(values)
    needed = {**checkpoints.OF_TRAINING, "people": int, "data": dict}
    if body is not None:
        needed["body"] = str
    checkpoint = checkpoints.latest(run.checkpoints, needed)
    if checkpoint is None and values.initial_run:
        # Before the network is compiled, without the earlier run's optimiser.
        networks.start_from(RunFolder.existing(values.initial_run, "NBF"), network)
    made = {}
    if opened.is_chief:
        of = networks.people_of(values)
        made = synthetic_people.generate(values, of, values.synthetic_part_cut)
    epoch = distribution.agree(strategy, checkpoint.epoch if checkpoint else 0, str(run.path))
    read = epochs.open_splits(values, made)
    for split in read.every:
        nbf_data.check_body_of(split, body)
    nbf_data.check_part_cut(feed, [*read.train.splits, read.val])
    train_set, val, data = read.train, read.val, read.fingerprints
    steps = epochs.steps_per_epoch(train_set, values.batch_size)
    with strategy.scope():
        stage.compile(network, values, steps * values.epochs)
    if checkpoint:
        if body is not None:
            nbf_data.check_body(body, checkpoint.state["body"], str(checkpoint.weights))
        if checkpoint.state["data"] != data:
            raise UserError(
                f"{values.data}: not the people that {checkpoint.weights} was trained on; restore "
                "them, or give another --run_name, or --overwrite to start again"
            )
        checkpoints.restore(checkpoint, network)
    elif not values.initial_run:
        with nbf_data.naming_damage(*train_set.splits):
            stage.prepare(network, values, train_set)
    held_out_feed = stage.feed(values, held_out=True)
    watched = nbf_data.held_out_batches(values, val, held_out_feed)
    distribution.prepare_fit(strategy, network, watched.element_spec)
    drawers = []
    if opened.is_chief:
        draw = stage.drawer(network, watched)
        drawers = [callbacks.LogPictures(run.tensorboard / "pictures", draw)]

    def train_batches(reader):
        return nbf_data.training_batches(values, train_set, epoch, feed, reader)[0]

    def val_batches(reader):
        return nbf_data.held_out_batches(values, val, held_out_feed, reader)

    with nbf_data.naming_damage(*train_set.splits, val):
        training.fit(
            opened,
            values,
            network,
            distribution.spread(strategy, train_batches),
            steps,
            distribution.spread(strategy, val_batches),
            checkpoint,
            {"body": body and body.fingerprint, "data": data, "people": train_set.count},
            partial(epochs.example_ids, values, train_set, cache=values.cache),
            drawers,
        )
    if opened.is_chief:
        with written_aside(run.model_file) as aside:
            network.save(aside)
    if values.strategy != "none":
        network = stage.load(run, values.body_model)  # without the strategy
    trained = checkpoints.facts(checkpoints.latest(run.checkpoints))
    return network, trained, read.test
