"""Shared code of both trainings: the folder and its workers, and Keras' fit from an epoch on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from absl import flags

from experiments.runs import common, workers
from experiments.runs.run_folder import RunFolder

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from experiments.runs.checkpoints import Checkpoint


class Training(NamedTuple):
    """An open training.

    Attributes:
      run: its folder.
      strategy: distribution over devices.
      is_chief: whether this process writes; the others only train.
    """

    run: RunFolder
    strategy: tf.distribute.Strategy
    is_chief: bool


@contextmanager
def opened(values: flags.FlagValues) -> Iterator[Training]:
    """Opens the folder of a run and loads TensorFlow; only the chief changes the folder.

    Args:
      values: the flags of the run.

    Yields:
      The training.

    Raises:
      UserError: the folder is in use or was made with other flags, or another worker has ended.
    """
    run = RunFolder(Path(values.runs_dir) / values.run_name)
    task = workers.own_task(values)
    with run.locked() if task.is_chief else nullcontext():
        if task.is_chief:
            if values.overwrite:
                run.clear()
            run.adopt_flags(values)
        common.load_tensorflow(values.deterministic)
        from experiments.runs import distribution  # loads TensorFlow

        with distribution.joined(values, task) as strategy:
            if not task.is_chief:  # all have joined, so the chief's flags exist
                run.check_flags(values)
                print(f"{task.name}: trains; the chief writes {run.path}")
            yield Training(run, strategy, task.is_chief)


def fit(
    training: Training,
    values: flags.FlagValues,
    model: keras.Model,
    batches: tf.data.Dataset,
    steps: int,
    watched: tf.data.Dataset | None,
    checkpoint: Checkpoint | None,
    facts: dict[str, Any],
    name_batch: Callable[[int, int], Sequence[str]],
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Trains to the last epoch, with a checkpoint after each.

    Args:
      training: the run.
      values: its flags.
      model: compiled, restored from the checkpoint.
      batches: from the checkpoint's epoch on.
      steps: batches per epoch.
      watched: validation batches for each epoch.
      checkpoint: to continue from; None: from the start.
      facts: JSON values for every checkpoint.
      name_batch: (epoch, step) -> names of the Examples of that batch.
      callbacks: additional ones, only for the chief.
    """
    import keras

    from experiments.runs.callbacks import LeaveOutUnknown, SaveEpochs, StopAtNonFinite

    run, epoch = training.run, checkpoint.epoch if checkpoint else 0
    if checkpoint and training.is_chief:
        print(f"{run.path}: continues after epoch {epoch} of {values.epochs}")
    if epoch == values.epochs:
        return
    own: list[keras.callbacks.Callback] = [LeaveOutUnknown(), StopAtNonFinite(run, name_batch)]
    if training.is_chief:
        earlier = checkpoint.state if checkpoint else {"history": {}, "seconds": 0.0}
        facts = {**facts, "replicas": training.strategy.num_replicas_in_sync}
        own += [
            *callbacks,
            SaveEpochs(run.checkpoints, earlier, facts),
            keras.callbacks.TensorBoard(run.tensorboard, write_graph=False),
        ]
    verbose = 1 if sys.stdout.isatty() else 2
    model.fit(
        batches,
        initial_epoch=epoch,
        epochs=values.epochs,
        steps_per_epoch=steps,
        validation_data=watched,
        callbacks=own,
        shuffle=False,  # the batches already have their seeded order
        verbose=verbose if training.is_chief else 0,
    )
