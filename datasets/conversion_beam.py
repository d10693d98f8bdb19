"""The conversion as an Apache Beam pipeline, for data too large for one machine.

The shards equal those of `conversion.convert`, byte for byte: items are read and encoded on any
worker, their sizes determine the shards, and each shard is written by one worker. Needs the extra
`beam`; on one machine the process pool is faster.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from datasets import conversion, manifests, records
from datasets.conversion import Converted
from datasets.sources import Source

# An item's position in the order of the shards, and its result.
Placed = tuple[int, Converted]


def convert(
    source: Source,
    directory: str,
    *,
    runner: str,
    options: Sequence[str] = (),
    shard_bytes: int = conversion.SHARD_BYTES,
    max_skipped: int = conversion.MAX_SKIPPED,
    allow_incomplete: bool = False,
) -> manifests.Manifest:
    """Converts a split on a Beam runner, which must have access to the raw data and the output.

    Args:
      source: the split.
      directory: folder of the shards, any path `tf.io.gfile` knows.
      runner: of Beam, such as "DirectRunner" or "DataflowRunner".
      options: additional pipeline options, such as "--project=...".
      shard_bytes: size at which a shard is closed.
      max_skipped: how many bad items are tolerated.
      allow_incomplete: whether to convert a tree that holds less than the official data set.

    Returns:
      The finished manifest.

    Raises:
      SourceError, ConversionError, RecordError: see `conversion.convert`. Too many bad items raise
        an error only at the end.
    """
    manifest, items = conversion.plan(source, shard_bytes, allow_incomplete)
    with records.being_written(directory, manifest.split):
        split = records.SplitWriter(manifest, directory)
        if split.finished is not None:
            return split.finished
        with beam.Pipeline(options=PipelineOptions([f"--runner={runner}", *options])) as pipeline:
            converted = (
                pipeline
                | "Items" >> beam.Create(list(enumerate(items)))
                | "Spread" >> beam.Reshuffle()
                | "Convert" >> beam.Map(_convert, source)
                | "Keep" >> beam.Reshuffle()  # the sizes and the shards read the same results
            )
            shards = beam.pvalue.AsSingleton(
                converted
                | "Sizes" >> beam.Map(_size)
                | "All sizes" >> beam.combiners.ToList()
                | "Shards" >> beam.Map(_shard_of_each, shard_bytes)
            )
            _ = (
                converted
                | "Shard" >> beam.Map(_by_shard, shards)
                | "Group" >> beam.GroupByKey()
                | "Write" >> beam.Map(_write, directory, manifest.split)
                | "All shards" >> beam.combiners.ToList()
                | "Note" >> beam.Map(_note, manifest, directory)
            )
        split = records.SplitWriter(manifest, directory)
        skipped = conversion.SkipList(directory, manifest.split, len(items), max_skipped)
        skipped.check(of=len(items))
        return conversion.finish(source, split, skipped)


# Not annotated as a Source: Beam checks types by issubclass, which fails for a Protocol.
def _convert(element: tuple[int, Any], source: Any) -> Placed:
    place, item = element
    return place, conversion.convert_item(source, item)


def _size(placed: Placed) -> tuple[int, int]:
    return placed[0], placed[1].size


def _by_shard(placed: Placed, shard_of_each: list[int]) -> tuple[int, Placed]:
    return shard_of_each[placed[0]], placed


def _shard_of_each(sizes: Iterable[tuple[int, int]], shard_bytes: int) -> list[int]:
    in_order = [size for _, size in sorted(sizes)]
    return list(conversion.shard_of_each(in_order, 0, shard_bytes))


def _write(
    group: tuple[int, Iterable[Placed]], directory: str, split: str
) -> tuple[int, manifests.Shard | None, list[Converted]]:
    """Writes a shard and returns it with the skipped parts of its items."""
    index, results = group
    converted = [one for _, one in sorted(results, key=lambda placed: placed[0])]
    shard = None
    if any(one.examples for one in converted):
        writer = records.ShardWriter(directory, split, index)
        for one in converted:
            for serialized in one.examples:
                writer.write(serialized)
        shard = writer.close(len(converted))
    return index, shard, [one for one in converted if one.skips]


def _note(
    shards: list[tuple[int, manifests.Shard | None, list[Converted]]],
    manifest: manifests.Manifest,
    directory: str,
) -> None:
    """Writes the manifest and the list of skipped items of all workers."""
    split = records.SplitWriter(manifest, directory)
    skipped = conversion.SkipList(directory, manifest.split, 0, 0)
    for index, shard, results in sorted(shards, key=lambda one: one[0]):
        if shard is not None:
            split.add(index, shard)
        for result in results:
            skipped.extend(index, result)
    skipped.save()
