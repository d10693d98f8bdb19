"""Epochs of whole batches, the same after a resume and for any number of readers."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf
from absl import flags

from datasets import manifests, pipelines
from datasets.splits import Split, open_split
from experiments.runs.common import UserError

# The one reader of a training on one device.
ALONE = tf.distribute.InputContext()


def open_splits(values: flags.FlagValues, made: Mapping[str, Split]) -> dict[str, Split]:
    """Opens every split that a training needs, once.

    Args:
      values: the flags of the run.
      made: name -> split, of those that are open already.

    Returns:
      Name -> split: train, val and that of --test_split, which is also watched while training
      where the data has no val.

    Raises:
      RecordError: a split is missing or damaged.
    """
    splits = {
        name: made.get(name) or open_split(values.data, name)
        for name in ("train", values.test_split)
    }
    has_val = "val" in made or tf.io.gfile.exists(manifests.path_of(values.data, "val"))
    watched = "val" if has_val else values.test_split
    splits["val"] = made.get("val") or splits.get(watched) or open_split(values.data, "val")
    return splits


def steps_per_epoch(split: Split, batch_size: int) -> int:
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
    values: flags.FlagValues, split: Split, epoch: int, step: int, cache: bool = False
) -> list[str]:
    """Finds out again which Examples were in a batch.

    Args:
      values: the flags of the run.
      split: the training set.
      epoch: counted from 0.
      step: of that epoch, counted from 0.
      cache: whether the training keeps the Examples in memory, and so shuffles all of them.

    Returns:
      Their ids, in order.
    """
    examples = pipelines.load(
        split.directory,
        split,
        seed=values.seed,
        epoch=epoch,
        features=("id",),
        decode=False,
        cache=cache,
    )
    batch = examples.skip(step * values.batch_size).take(values.batch_size)
    return [example["id"].numpy().decode() for example in batch]
