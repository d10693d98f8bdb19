"""Training on several devices or machines: the strategy, and what Keras' fit needs under it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf
from absl import flags

from experiments.runs.common import UsageError, UserError
from experiments.runs.workers import Task

# What TensorFlow raises in a worker when another one has ended.
_LOST_WORKER = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)


@contextmanager
def joined(values: flags.FlagValues, task: Task) -> Iterator[tf.distribute.Strategy]:
    """Makes the strategy of a run; several workers begin and end the block together.

    Args:
      values: the flags of the run.
      task: which of them this process is.

    Yields:
      The strategy; TensorFlow's default one for --strategy=none.

    Raises:
      UserError: the batch does not divide among the replicas, or another worker is gone.
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
            f"{task.name}: another worker is gone; start all workers again; they continue from "
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
    """Waits until every worker has come here.

    Args:
      strategy: of the run.
      number: that each brings.

    Returns:
      The mean of the numbers.
    """
    brought = strategy.run(tf.function(lambda: tf.constant(number, tf.float64)))
    return float(strategy.reduce("MEAN", brought, axis=None))


def agree(strategy: tf.distribute.Strategy, epoch: int, folder: str) -> int:
    """Waits for all workers, and checks that they see the same checkpoint.

    Args:
      strategy: of the run.
      epoch: of the newest checkpoint that this worker sees.
      folder: of the run, for the message.

    Returns:
      The epoch.

    Raises:
      UserError: another worker sees another one.
    """
    if meet(strategy, epoch) != epoch:
        raise UserError(
            f"{folder}: not all workers see epoch {epoch} as its newest checkpoint; --runs_dir "
            "must be one folder that all workers share"
        )
    return epoch


def spread(
    strategy: tf.distribute.Strategy,
    make: Callable[[tf.distribute.InputContext], tf.data.Dataset],
) -> tf.data.Dataset:
    """Lets every worker read its share of a data set.

    Args:
      strategy: of the run.
      make: reader -> dataset of batches, each for one replica.

    Returns:
      What `fit` takes.
    """
    return strategy.distribute_datasets_from_function(make)


def prepare_fit(strategy: tf.distribute.Strategy, model: keras.Model, batch_spec: Any) -> None:
    """Makes a compiled model's `fit` and `evaluate` work under a strategy.

    Batch normalisation then takes its statistics over the replicas of the whole batch: what is
    learnt does not depend on the number of replicas.

    Keras 3 itself fails with several workers: it reduces dicts of the first batch, in order to
    build the model, and scalar logs along an axis that they do not have.

    Args:
      strategy: of the run; TensorFlow's default one leaves the model as it is.
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
    """Returns what `fit` calls with its iterator: one step on every replica, mean logs."""

    @tf.function(reduce_retracing=True)
    def run(batch):
        logs = strategy.run(step, args=(batch,))
        return {name: strategy.reduce("MEAN", log, axis=None) for name, log in logs.items()}

    @tf.function
    def run_next(iterator):
        return run(iterator.get_next())

    return run_next
