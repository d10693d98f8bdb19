"""Epochs of whole batches, the same after a resume and for any number of readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import tensorflow as tf
from absl import flags

from datasets import manifests, pipelines
from datasets.splits import Mixture, Split, mixture, open_split
from experiments.runs.common import UserError

# The one reader of a training on one device.
ALONE = tf.distribute.InputContext()


class OpenedData(NamedTuple):
    """What a training reads.

    Attributes:
      train: the training set, of one data set or mixed of several.
      val: watched while training; of the first data set.
      test: of the evaluation; of the first data set.
      fingerprints: of what was read -> of its bytes.
      every: all opened splits.
    """

    train: Mixture
    val: Split
    test: Split
    fingerprints: dict[str, str]
    every: list[Split]


def data_folders(values: flags.FlagValues) -> list[str]:
    """The folders that --data names; the first is watched and evaluated.

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
      made: name -> split, of those of the only data set that are open already.

    Returns:
      The opened splits: val is watched while training, or that of --test_split where the data
      has no val or val is trained on.

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
    # What is trained on is not watched.
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
    """How many whole batches a training set fills.

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
    """Batches endless Examples so that no batch reaches into the next epoch.

    The Examples that do not fill a last batch are left out; so a resumed run has the same batches.

    Args:
      examples: epoch after epoch, what `pipelines.load` gives this reader.
      count: Examples per epoch, of all readers together.
      batch_size: Examples per batch, of all replicas together.
      reader: which of several.

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
    # Said, because nobody can count what passes a filter.
    return batches.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))


def share_of_batches(
    batches: tf.data.Dataset, batch_size: int, reader: tf.distribute.InputContext
) -> tf.data.Dataset:
    """Cuts a reader's share out of every batch, where batches are drawn and not read.

    Args:
      batches: of all replicas together, the same for every reader.
      batch_size: of them.
      reader: which of several.

    Returns:
      The dataset of batches, each for one replica.
    """
    own = slice(reader.input_pipeline_id, None, reader.num_input_pipelines)
    shares = batches.map(lambda *batch: tf.nest.map_structure(lambda rows: rows[own], batch))
    return shares.rebatch(reader.get_per_replica_batch_size(batch_size))


def example_ids(
    values: flags.FlagValues, train: Mixture, epoch: int, step: int, cache: bool = False
) -> list[str]:
    """Finds out again which Examples were in a batch.

    Args:
      values: the flags of the run.
      train: the training set.
      epoch: counted from 0.
      step: of that epoch, counted from 0.
      cache: whether the training keeps the Examples in memory, and so shuffles all of them.

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
