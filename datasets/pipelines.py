"""From shards to tf.data: parallel reads, decoding, seeded order, mixing, sharding over workers.

The order is a function of (seed, epoch) alone: a training that was killed in epoch k goes on with
`load(..., epoch=k)` and sees what it would have seen.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from datasets import example as example_lib
from datasets.splits import Split, open_split

_INTERLEAVED_SHARDS = 8
_READ_BYTES = 1 << 20
_GRAPH_SEED = 1

# (decoded Example, seed [2]) -> decoded Example; see `transforms`.
Transform = Callable[[dict[str, tf.Tensor], tf.Tensor], dict[str, tf.Tensor]]


def load(
    directory: str,
    split: str | Split,
    *,
    seed: int | None = None,
    epoch: int = 0,
    epochs: int | None = 1,
    features: Sequence[str] | None = None,
    decode: bool = True,
    cache: bool = False,
    transform: Transform | None = None,
    shuffle_buffer: int = 4096,
    worker: int = 0,
    num_workers: int = 1,
    checksums: bool = False,
    deterministic: bool = True,
) -> tf.data.Dataset:
    """Loads a split as a dataset of Examples; batch it, and prefetch it last, yourself.

    Args:
      directory: folder of the shards.
      split: its name; or what `open_split` gave for this folder, which is not checked again.
      seed: None = stored order; otherwise each epoch has its own order, drawn from (seed, epoch).
      epoch: the first epoch to give, counted from 0.
      epochs: how many epochs to give from there; None = without end.
      features: keys of `EXAMPLE_FEATURES` to keep; None = all. Fewer are faster.
      decode: whether to decode pictures and labels, see `example.decode`.
      cache: whether to keep the parsed (and decoded) Examples in memory after the first epoch.
      transform: random transform of decoded Examples, the seed of which depends on the order's
        seed (0 for None), the epoch and the Example's id alone: neither a restart nor the number
        of workers changes it.
      shuffle_buffer: Examples among which the order is drawn after that of the shards; with
        `cache`, or in a split that is smaller, all are shuffled.
      worker: index of this input worker.
      num_workers: workers that share each epoch: the i-th Example goes to worker i mod n, so that
        a global batch holds the same Examples for any number of workers.
      checksums: whether to check every byte of the shards now, and not only their sizes, of a
        split given by name. Where reading fails all the same, `records.diagnose` names the
        record.
      deterministic: whether the order is exactly that of (seed, epoch). If not, Examples that are
        read or decoded sooner may come sooner: no core waits for a slow one.

    Returns:
      Dataset of dicts, see `example.parse` and `example.decode`; its cardinality is known.

    Raises:
      RecordError: see `records.check`.
      ValueError: several workers without a common order, so that Examples would be lost; or an
        opened split of another folder.
    """
    if num_workers > 1 and not deterministic:
        raise ValueError("num_workers > 1 needs deterministic=True: workers share one order")
    if isinstance(split, str):
        split = open_split(directory, split, checksums=checksums)
    elif split.directory != directory:
        raise ValueError(f"expected a split of {directory}, got one of {split.directory}")
    files, count = split.files, split.count
    keep = tuple(example_lib.EXAMPLE_FEATURES if features is None else features)

    def prepare(serialized):
        parsed = example_lib.parse(serialized, tuple({*keep, "id"}))
        # What tells Examples apart in `transformed`.
        key = tf.strings.to_hash_bucket_fast(parsed["id"], 1 << 31)
        parsed = {name: parsed[name] for name in keep}
        return (example_lib.decode(parsed) if decode else parsed), key

    def transformed(dataset, index):
        if transform is None:
            return dataset.map(lambda example, key: example)

        def one(example, key):
            return transform(example, tf.stack([key, (seed or 0) + index * (1 << 32)]))

        return dataset.map(one, num_parallel_calls=tf.data.AUTOTUNE, deterministic=deterministic)

    def read(files_in_order):
        return tf.data.Dataset.from_tensor_slices(files_in_order).interleave(
            lambda file: tf.data.TFRecordDataset(file, buffer_size=_READ_BYTES),
            cycle_length=min(_INTERLEAVED_SHARDS, len(files)),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=deterministic,
        )

    def prepare_all(dataset):
        return dataset.map(
            prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=deterministic
        )

    cached = prepare_all(read(files)).cache() if cache else None

    def one_epoch(index):
        # Seeds this function's graph alone: the order must not depend on the global seed.
        tf.random.set_seed(_GRAPH_SEED)
        if cached is not None:
            dataset, buffer = cached, count
        else:
            buffer = min(shuffle_buffer, count)
            order = tf.constant(files)
            if seed is not None:
                order = tf.random.experimental.stateless_shuffle(order, seed=[seed, index])
            dataset = read(order)
        if seed is not None:
            dataset = dataset.shuffle(
                buffer,
                seed=tf.random.stateless_uniform(
                    [], [seed, index], minval=0, maxval=1 << 40, dtype=tf.int64
                ),
                reshuffle_each_iteration=False,
            )
        if num_workers > 1:
            dataset = dataset.shard(num_workers, worker)
        return transformed(dataset if cache else prepare_all(dataset), index)

    last = tf.int64.max if epochs is None else epoch + epochs
    dataset = tf.data.Dataset.range(epoch, last).flat_map(one_epoch)
    per_epoch = len(range(worker, count, num_workers))
    return dataset.apply(
        tf.data.experimental.assert_cardinality(
            tf.data.INFINITE_CARDINALITY if epochs is None else per_epoch * epochs
        )
    )


def mix(
    datasets: Sequence[tf.data.Dataset], weights: Sequence[float], seed: int
) -> tf.data.Dataset:
    """Draws each Example from one of several endless datasets, by weight and seed.

    Args:
      datasets: of equal structure, e.g. from `load(..., decode=False, epochs=None)`.
      weights: one per dataset, positive; they are normalised.
      seed: of the draw.

    Returns:
      The endless mixture; the same datasets and seed give the same order.

    Raises:
      ValueError: the numbers of datasets and weights differ, or a weight is not positive.
    """
    if len(weights) != len(datasets) or min(weights) <= 0:
        raise ValueError(
            f"{len(datasets)} datasets need as many positive weights, got {list(weights)}"
        )
    total = sum(weights)
    return tf.data.Dataset.sample_from_datasets(
        datasets, [weight / total for weight in weights], seed=seed
    )
