"""Shards as tf.data: parallel reads, decoding, seeded order, mixing, sharding over workers.

The order depends only on (seed, epoch): a training that was killed in epoch k continues with
`load(..., epoch=k)` and gets the same Examples as without the interruption.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from datasets import example as example_lib
from datasets.splits import Mixture, Split, open_split

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
    """Loads a split as a dataset of Examples; add batching, and prefetching at the end.

    Args:
      directory: folder of the shards.
      split: its name, or the result of `open_split` for this folder, which is not checked again.
      seed: None = stored order; otherwise each epoch has its own order, drawn from (seed, epoch).
      epoch: the first epoch to give, counted from 0.
      epochs: number of epochs from there; None = endless.
      features: keys of `EXAMPLE_FEATURES` to keep; None = all. Fewer are faster.
      decode: whether to decode pictures and labels, see `example.decode`.
      cache: whether to keep the parsed (and decoded) Examples in memory after the first epoch.
      transform: random transform of decoded Examples. Its seed depends only on the order's seed (0
        for None), the epoch and the Example's id, not on restarts or the number of workers.
      shuffle_buffer: number of Examples that are shuffled together, after the shards; with
        `cache`, or in a smaller split, all are shuffled.
      worker: index of this input worker.
      num_workers: workers that share each epoch: the i-th Example goes to worker i mod n, so that
        a global batch has the same Examples for any number of workers.
      checksums: whether to check every byte of the shards now, not only their sizes, if the split
        is given by name. If reading fails later, `records.diagnose` names the record.
      deterministic: whether the order is exactly that of (seed, epoch). If not, Examples may come
        in the order in which they are decoded, so that no core waits for a slow one.

    Returns:
      Dataset of dicts, see `example.parse` and `example.decode`; its cardinality is known.

    Raises:
      RecordError: see `records.check`.
      ValueError: several workers without a common order, so that Examples would be lost; or an
        opened split of another folder.
    """
    if isinstance(split, str):
        split = open_split(directory, split, checksums=checksums)
    elif split.directory != directory:
        raise ValueError(f"expected a split of {directory}, got one of {split.directory}")
    return load_mixture(
        Mixture((split,), (split.count,)),
        seed=seed,
        epoch=epoch,
        epochs=epochs,
        features=features,
        decode=decode,
        cache=cache,
        transform=transform,
        shuffle_buffer=shuffle_buffer,
        worker=worker,
        num_workers=num_workers,
        deterministic=deterministic,
    )


def load_mixture(
    mixture: Mixture,
    *,
    seed: int | None = None,
    epoch: int = 0,
    epochs: int | None = 1,
    features: Sequence[str] | None = None,
    decode: bool = True,
    cache: bool = False,
    fixed: Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]] | None = None,
    transform: Transform | None = None,
    origin: bool = False,
    shuffle_buffer: int = 4096,
    worker: int = 0,
    num_workers: int = 1,
    deterministic: bool = True,
) -> tf.data.Dataset:
    """Loads several splits as one dataset; every epoch has exactly the amounts of the mixture.

    Args:
      mixture: see `splits.mixture`.
      seed: as in `load`; it also determines how the splits alternate. None: one split after the
        other.
      epoch: as `load`'s.
      epochs: as `load`'s.
      features: as `load`'s.
      decode: as `load`'s.
      cache: as `load`'s, of every split.
      fixed: a transform of decoded Examples that is the same in every epoch, applied before
        `transform`; `cache` keeps what it returns.
      transform: as in `load`; a repeated Example is transformed differently.
      origin: whether to add each Example's split as "mixture/index", int64, also for the
        transform.
      shuffle_buffer: as `load`'s, of each split.
      worker: as `load`'s.
      num_workers: as `load`'s.
      deterministic: as `load`'s.

    Returns:
      As `load`.

    Raises:
      ValueError: several workers without a common order, so that Examples would be lost.
    """
    if num_workers > 1 and not deterministic:
        raise ValueError("num_workers > 1 needs deterministic=True: workers share one order")
    keep = tuple(example_lib.EXAMPLE_FEATURES if features is None else features)
    alone = len(mixture.splits) == 1

    def prepare(serialized):
        parsed = example_lib.parse(serialized, tuple({*keep, "id"}))
        # The keys that distinguish Examples in `transformed`.
        key = tf.strings.to_hash_bucket_fast(parsed["id"], 1 << 31)
        parsed = {name: parsed[name] for name in keep}
        decoded = example_lib.decode(parsed) if decode else parsed
        return (decoded if fixed is None else fixed(decoded)), key

    def transformed(dataset):
        def one(element, index, turn):
            example, key = element
            if origin:
                example = {**example, "mixture/index": index}
            if transform is None:
                return example
            return transform(
                example, tf.stack([key + index * (1 << 31), (seed or 0) + turn * (1 << 32)])
            )

        return dataset.map(one, num_parallel_calls=tf.data.AUTOTUNE, deterministic=deterministic)

    def read(files_in_order):
        files_in_order = tf.convert_to_tensor(files_in_order)
        return tf.data.Dataset.from_tensor_slices(files_in_order).interleave(
            lambda file: tf.data.TFRecordDataset(file, buffer_size=_READ_BYTES),
            cycle_length=min(_INTERLEAVED_SHARDS, files_in_order.shape[0]),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=deterministic,
        )

    def prepare_all(dataset):
        return dataset.map(
            lambda element, index, turn: (prepare(element), index, turn),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=deterministic,
        )

    caches = [
        read(split.files)
        .map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=deterministic)
        .cache()
        if cache
        else None
        for split in mixture.splits
    ]

    def one_turn(number, turn):
        """Reads one split once, in the order of this pass."""
        # Seeds only this function's graph: the order must not depend on the global seed.
        tf.random.set_seed(_GRAPH_SEED)
        split, cached = mixture.splits[number], caches[number]
        if cached is not None:
            dataset, buffer = cached, split.count
        else:
            buffer = min(shuffle_buffer, split.count)
            order = tf.constant(split.files)
            if seed is not None:
                order = tf.random.experimental.stateless_shuffle(order, seed=[seed, turn])
            dataset = read(order)
        if seed is not None:
            dataset = dataset.shuffle(
                buffer,
                seed=tf.random.stateless_uniform(
                    [], [seed, turn], minval=0, maxval=1 << 40, dtype=tf.int64
                ),
                reshuffle_each_iteration=False,
            )
        index = tf.constant(number, tf.int64)
        return dataset.map(lambda *element: (*_as_one(element), index, turn))

    def share_of_epoch(number, epoch_index):
        """Reads one epoch's amount of a split, continuing where the previous epoch stopped."""
        amount, count = mixture.amounts[number], mixture.splits[number].count
        start = epoch_index * amount
        turns = tf.data.Dataset.range(start // count, (start + amount - 1) // count + 1)
        return turns.flat_map(lambda turn: one_turn(number, turn)).skip(start % count).take(amount)

    def one_epoch(epoch_index):
        if alone:
            dataset = one_turn(0, epoch_index)
        else:
            used = [number for number, amount in enumerate(mixture.amounts) if amount]
            choice = tf.repeat(
                tf.range(len(used), dtype=tf.int64), [mixture.amounts[number] for number in used]
            )
            if seed is not None:
                choice = tf.random.experimental.stateless_shuffle(choice, seed=[seed, epoch_index])
            dataset = tf.data.Dataset.choose_from_datasets(
                [share_of_epoch(number, epoch_index) for number in used],
                tf.data.Dataset.from_tensor_slices(choice),
                stop_on_empty_dataset=False,
            )
        if num_workers > 1:
            dataset = dataset.shard(num_workers, worker)
        return transformed(dataset if cache else prepare_all(dataset))

    last = tf.int64.max if epochs is None else epoch + epochs
    dataset = tf.data.Dataset.range(epoch, last).flat_map(one_epoch)
    per_epoch = len(range(worker, mixture.count, num_workers))
    return dataset.apply(
        tf.data.experimental.assert_cardinality(
            tf.data.INFINITE_CARDINALITY if epochs is None else per_epoch * epochs
        )
    )


def _as_one(element: tuple) -> tuple:
    """Packs the arguments that tf.data makes from a dataset of tuples."""
    return element if len(element) == 1 else (element,)
