"""The training of either NBF network, from the data to the last checkpoint."""

from __future__ import annotations

import sys
from typing import Any

import keras
from absl import flags

from datasets import records
from experiments import callbacks, checkpoints, common, nbf_data, nbf_runs, synthetic_people
from experiments.common import UserError
from experiments.nbf_stages import Stage
from experiments.run_folder import RunFolder


def train(
    run: RunFolder, values: flags.FlagValues, stage: Stage
) -> tuple[keras.Model, checkpoints.Checkpoint]:
    """Trains a network, from its newest checkpoint if there is one.

    Args:
      run: where checkpoints and logs go.
      values: the flags of the run.
      stage: what is trained.

    Returns:
      The trained network and its last checkpoint.

    Raises:
      UserError: the data or a checkpoint belongs to another body, or a loss is not finite.
      RecordError: the data is missing or damaged.
    """
    common.prepare_keras(values.seed, values.mixed_precision)
    body = nbf_runs.load_body(values)
    network, feed = stage.build(values, body), stage.feed(values)
    checkpoint = checkpoints.latest(run.checkpoints)
    if checkpoint is None and values.initial_run:
        # Before the network is compiled: the earlier run's optimiser stays behind.
        nbf_runs.start_from(RunFolder.existing(values.initial_run), network)
    synthetic_people.generate(values)
    data = nbf_data.check_data(values, body)
    epoch = checkpoint.epoch if checkpoint else 0
    batches, steps = nbf_data.training_batches(values, epoch, feed)
    stage.compile(network, values, steps * values.epochs)
    earlier: dict[str, Any] = {"history": {}, "seconds": 0.0}
    if checkpoint:
        if body is not None:
            nbf_data.check_body(body, checkpoint.state["body"], str(checkpoint.weights))
        if checkpoint.state["data"] != data:
            raise UserError(
                f"{values.data}: not the people that {checkpoint.weights} was trained on; bring "
                "them back, or give another --run_name, or --overwrite to start anew"
            )
        checkpoints.restore(checkpoint, network)
        earlier = checkpoint.state
        print(f"{run.path}: goes on after epoch {epoch} of {values.epochs}")
    elif not values.initial_run:
        with nbf_data.naming_damage(values.data, "train"):
            stage.prepare(network, values)
    if epoch < values.epochs:
        people = records.read_manifest(values.data, "train").count
        facts = {"body": body and body.fingerprint, "data": data, "people": people}
        watched = nbf_data.held_out_batches(values, "val", feed)
        with nbf_data.naming_damage(values.data, "train", "val"):
            pictures = callbacks.LogPictures(
                run.tensorboard / "pictures", stage.drawer(network, watched)
            )
            network.fit(
                batches,
                initial_epoch=epoch,
                epochs=values.epochs,
                steps_per_epoch=steps,
                validation_data=watched,
                callbacks=[
                    callbacks.SaveEpochs(run.checkpoints, earlier, facts),
                    keras.callbacks.TensorBoard(run.tensorboard, write_graph=False),
                    pictures,
                ],
                shuffle=False,  # the batches come in their seeded order
                verbose=1 if sys.stdout.isatty() else 2,
            )
    return network, checkpoints.latest(run.checkpoints)
