"""Training on several devices or machines: the strategy, and support for Keras' fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf
from absl import flags

from experiments.runs.common import UsageError, UserError
from experiments.runs.workers import Task

# TensorFlow's errors in a worker when another one has ended.
_LOST_WORKER = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)


@contextmanager
def joined(values: flags.FlagValues, task: Task) -> Iterator[tf.distribute.Strategy]:
    """Makes the strategy of a run; several workers enter and leave the block together.

    Args:
      values: the flags of the run.
      task: of this process.

    Yields:
      The strategy; TensorFlow's default one for --strategy=none.

    Raises:
      UserError: the batch does not divide among the replicas, or another worker has ended.
    """
    if values.strategy != "none":
        _check(values)
    try:
        strategy = _make_strategy(values.strategy)
        replicas = strategy.num_replicas_in_sync
        if values.batch_size % replicas:
            raise UserError(
                f"--batch_size={values.batch_size} is the batch of all replicas together and does "
                f"not divide among {replicas}; give a multiple of {replicas}"
            )
        yield strategy
        meet(strategy)
    except _LOST_WORKER as error:
        if values.strategy != "multi_worker":
            raise
        raise UserError(
            f"{task.name}: another worker has ended; start all workers again; they continue from "
            "the last checkpoint"
        ) from error


def _check(values):
    if values.jit_compile:
        raise UsageError(
            f"--strategy={values.strategy} with --jit_compile: XLA compiles for one device; leave "
            "one of them out"
        )
    if values.mixed_precision == "mixed_float16":
        # Keras' loss scaling looks for overflow on one replica only.
        raise UsageError(
            f"--strategy={values.strategy} with mixed_float16: an overflow on one replica would "
            "spoil the weights; give --mixed_precision=mixed_bfloat16"
        )


def _make_strategy(name: str) -> tf.distribute.Strategy:
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    if name == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.get_strategy()


def meet(strategy: tf.distribute.Strategy, number: int = 0) -> float:
    """Waits until every worker reaches this point.

    Args:
      strategy: of the run.
      number: of this worker.

    Returns:
      The mean over the workers.
    """
    brought = strategy.run(tf.function(lambda: tf.constant(number, tf.float64)))
    return float(strategy.reduce("MEAN", brought, axis=None))


def agree(strategy: tf.distribute.Strategy, epoch: int, folder: str) -> int:
    """Waits for all workers, and checks that they have the same newest checkpoint.

    Args:
      strategy: of the run.
      epoch: of this worker's newest checkpoint.
      folder: of the run, for the message.

    Returns:
      The epoch.

    Raises:
      UserError: another worker has a different one.
    """
    if meet(strategy, epoch) != epoch:
        raise UserError(
            f"{folder}: not all workers find epoch {epoch} as the newest checkpoint; --runs_dir "
            "must be one folder that all workers share"
        )
    return epoch


def spread(
    strategy: tf.distribute.Strategy,
    make: Callable[[tf.distribute.InputContext], tf.data.Dataset],
) -> tf.data.Dataset:
    """Distributes a data set to the workers.

    Args:
      strategy: of the run.
      make: reader -> dataset of batches for one replica.

    Returns:
      An input for `fit`.
    """
    return strategy.distribute_datasets_from_function(make)


def prepare_fit(strategy: tf.distribute.Strategy, model: keras.Model, batch_spec: Any) -> None:
    """Makes a compiled model's `fit` and `evaluate` work under a strategy.

    Batch normalisation then computes its statistics over all replicas, so that the training does
    not depend on their number.

    Keras 3 itself fails with several workers: it reduces dicts of the first batch to build the
    model, and scalar logs along an axis that they lack.

    Args:
      strategy: of the run; with TensorFlow's default one the model is not changed.
      model: built and compiled in the scope of the strategy.
      batch_spec: element_spec of a dataset of batches.
    """
    if strategy is tf.distribute.get_strategy():
        return
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True

    def build(**_):
        with strategy.scope():
            model._symbolic_build(data_batch=batch_spec)

    model._maybe_symbolic_build = build
    model.train_function = _distributed(strategy, model.train_step)
    model.test_function = _distributed(strategy, model.test_step)


def _distributed(strategy, step) -> Callable:
    """Returns the training function of `fit`: one step on every replica, mean logs."""

    @tf.function(reduce_retracing=True)
    def run(batch):
        logs = strategy.run(step, args=(batch,))
        return {name: strategy.reduce("MEAN", log, axis=None) for name, log in logs.items()}

    @tf.function
    def run_next(iterator):
        return run(iterator.get_next())

    return run_next
