"""Epochs of whole batches, equal after a resume and for any number of readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import tensorflow as tf
from absl import flags

from datasets import manifests, pipelines
from datasets.splits import Mixture, Split, mixture, open_split
from experiments.runs.common import UserError

# The only reader of a training on one device.
ALONE = tf.distribute.InputContext()


class OpenedData(NamedTuple):
    """The data of a training.

    Attributes:
      train: the training set, from one data set or several.
      val: validation split of the first data set.
      test: evaluation split of the first data set.
      fingerprints: name of the data -> fingerprint of its bytes.
      every: all open splits.
    """

    train: Mixture
    val: Split
    test: Split
    fingerprints: dict[str, str]
    every: list[Split]


def data_folders(values: flags.FlagValues) -> list[str]:
    """Returns the folders of --data; the first one is used for validation and evaluation.

    Args:
      values: the flags of the run.

    Returns:
      The folders.
    """
    return values.data.split(",")


def open_splits(values: flags.FlagValues, made: Mapping[str, Split]) -> OpenedData:
    """Opens every split that a training needs, once.

    Args:
      values: the flags of the run.
      made: name -> already open split of the only data set.

    Returns:
      The open splits; for validation val, or --test_split if the data has no val or trains on it.

    Raises:
      RecordError: a split is missing or damaged.
      UserError: --mix does not fit --data.
    """
    folders = data_folders(values)
    opened: dict[tuple[str, str], Split] = {}

    def split(folder, name):
        if (folder, name) not in opened:
            known = made.get(name) if len(folders) == 1 else None
            opened[folder, name] = known or open_split(folder, name)
        return opened[folder, name]

    sets = [[split(folder, name) for name in values.train_splits] for folder in folders]
    has_val = "val" in made or tf.io.gfile.exists(manifests.path_of(folders[0], "val"))
    # Training splits are not used for validation.
    watched = "val" if has_val and "val" not in values.train_splits else values.test_split
    try:
        weights = [float(weight) for weight in values.mix] or None
        train = mixture(sets, weights)
    except ValueError as error:
        raise UserError(
            f"--mix={','.join(values.mix)} with --data={values.data}: {error}"
        ) from None
    if values.mirrored_copies:
        train = Mixture(train.splits * 2, train.amounts * 2)
    return OpenedData(
        train,
        split(folders[0], watched),
        split(folders[0], values.test_split),
        {
            (name if folder == folders[0] else f"{folder}/{name}"): one.fingerprint
            for (folder, name), one in opened.items()
        },
        list(opened.values()),
    )


def other_tests(values: flags.FlagValues) -> list[Split]:
    """Opens the test splits of the data sets that `OpenedData.test` is not of.

    Args:
      values: the flags of the run.

    Returns:
      The splits, of the sets that have one.

    Raises:
      RecordError: a split is damaged.
    """
    name = values.test_split
    others = [
        folder
        for folder in data_folders(values)[1:]
        if tf.io.gfile.exists(manifests.path_of(folder, name))
    ]
    return [open_split(folder, name) for folder in others]


def metrics_by_set(
    values: flags.FlagValues, make_record: Callable[[Split], Mapping[str, Any]]
) -> dict[str, Any]:
    """Measures a network on each further data set of a run.

    Args:
      values: the flags of the run.
      make_record: a test split -> the record of an evaluation on it.

    Returns:
      What a run record has of it: `metrics_by_set`, folder -> metrics; nothing where the run has
      one data set.
    """
    found = {split.directory: make_record(split)["metrics"] for split in other_tests(values)}
    for folder, metrics in found.items():
        print(f"{folder}: " + ", ".join(f"{name} {metrics[name]:.4g}" for name in metrics))
    return {"metrics_by_set": found} if found else {}


def steps_per_epoch(split: Split | Mixture, batch_size: int) -> int:
    """Returns the number of whole batches in a training set.

    Args:
      split: the set.
      batch_size: Examples per batch.

    Returns:
      The number of batches.

    Raises:
      UserError: there are fewer Examples than a batch holds.
    """
    if split.count < batch_size:
        raise UserError(
            f"{split.directory}: {split.count} training Examples do not fill a batch; "
            f"lower --batch_size={batch_size}"
        )
    return split.count // batch_size


def whole_batches(
    examples: tf.data.Dataset,
    count: int,
    batch_size: int,
    reader: tf.distribute.InputContext = ALONE,
) -> tf.data.Dataset:
    """Batches endless Examples so that no batch crosses an epoch.

    The Examples of an incomplete last batch are left out, so that a resumed run has the same
    batches.

    Args:
      examples: endless, from `pipelines.load` for this reader.
      count: Examples per epoch, of all readers together.
      batch_size: Examples per batch, of all replicas together.
      reader: index of the reader.

    Returns:
      The endless dataset of batches, each for one replica.
    """
    readers = reader.num_input_pipelines
    own = len(range(reader.input_pipeline_id, count, readers))
    used = count // batch_size * batch_size // readers
    whole = examples.enumerate().filter(lambda i, _: i % own < used)
    batches = whole.map(lambda _, example: example).batch(
        reader.get_per_replica_batch_size(batch_size), drop_remainder=True
    )
    # Set explicitly, since the cardinality is unknown after a filter.
    return batches.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))


def share_of_batches(
    batches: tf.data.Dataset, batch_size: int, reader: tf.distribute.InputContext
) -> tf.data.Dataset:
    """Takes a reader's share of every batch, for generated batches.

    Args:
      batches: of all replicas together, the same for every reader.
      batch_size: of these batches.
      reader: index of the reader.

    Returns:
      The dataset of batches, each for one replica.
    """
    own = slice(reader.input_pipeline_id, None, reader.num_input_pipelines)
    shares = batches.map(lambda *batch: tf.nest.map_structure(lambda rows: rows[own], batch))
    return shares.rebatch(reader.get_per_replica_batch_size(batch_size))


def example_ids(
    values: flags.FlagValues, train: Mixture, epoch: int, step: int, cache: bool = False
) -> list[str]:
    """Determines which Examples were in a batch.

    Args:
      values: the flags of the run.
      train: the training set.
      epoch: counted from 0.
      step: of that epoch, counted from 0.
      cache: whether the training caches the Examples, and so shuffles all of them.

    Returns:
      Their ids, in order.
    """
    examples = pipelines.load_mixture(
        train,
        seed=values.seed,
        epoch=epoch,
        features=("id",),
        decode=False,
        cache=cache,
    )
    batch = examples.skip(step * values.batch_size).take(values.batch_size)
    return [example["id"].numpy().decode() for example in batch]
