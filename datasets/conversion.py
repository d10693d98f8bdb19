"""Converts a raw data set to shards: on all cores, resumable; bad items are listed, not fatal.

Items are processed in a fixed shuffled order, so that every shard is a sample of the whole split
and the remaining time is estimated well. A shard is closed after the item that fills it, so its
bytes depend only on the raw data, not on the number of processes or on where an earlier run was
killed.

Next to the shards and their manifest is `<split>.skipped.jsonl`: one line per item, or per
reason in an item, for which Examples are missing.
"""

import collections
import contextlib
import functools
import itertools
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from datasets import example as example_lib
from datasets import frames, manifests, processes, records, whole_files
from datasets.bodies import MissingBodyError
from datasets.sources import BadItemError, Skip, Source, SourceError
from smpl_tf import json_files
from smpl_tf.errors import one_line
from smpl_tf.model_data import ModelFileError

SHARD_BYTES = 130_000_000  # size at which a shard is closed
MAX_SKIPPED = 100  # items


class ConversionError(ValueError):
    """A conversion cannot continue; the one-line message says why and what to do."""


class Converted(NamedTuple):
    """The result of one item."""

    examples: tuple[bytes, ...]  # encoded
    skips: tuple[dict[str, Any], ...]  # lines of the list of skips

    @property
    def size(self) -> int:
        """Size of its records in a shard, bytes."""
        return sum(len(one) + frames.RECORD_OVERHEAD for one in self.examples)


def convert(
    source: Source,
    directory: str,
    *,
    shard_bytes: int = SHARD_BYTES,
    max_skipped: int = MAX_SKIPPED,
    allow_incomplete: bool = False,
    workers: int | None = None,
    progress: bool = True,
) -> manifests.Manifest:
    """Converts a split, or the rest of a split that an earlier run began.

    Args:
      source: the split.
      directory: folder of the shards, any path that `tf.io.gfile` knows; created if missing.
      shard_bytes: size at which a shard is closed.
      max_skipped: how many bad items, which give no Example, are tolerated.
      allow_incomplete: whether to convert a tree that has less than the official data set.
      workers: processes; None = one per core, 0 = this process.
      progress: whether to show a bar with rate and time left.

    Returns:
      The finished manifest.

    Raises:
      SourceError: the tree is not as distributed.
      ConversionError: it is incomplete, or has too many bad items.
      MissingBodyError, ModelFileError: a body that the data set needs is missing.
      RecordError: the directory already has this split with another description.
    """
    manifest, items = plan(source, shard_bytes, allow_incomplete)
    with records.being_written(directory, manifest.split):
        return _convert(
            source, manifest, items, directory, shard_bytes, max_skipped, workers, progress
        )


def _convert(source, manifest, items, directory, shard_bytes, max_skipped, workers, progress):
    """Converts the missing shards of a split that is locked for this process."""
    split = records.SplitWriter(manifest, directory)
    if split.finished is not None:
        return split.finished
    _keep_leading_shards(split.done)
    skipped = SkipList(directory, manifest.split, len(split.done), max_skipped)
    rest = items[sum(shard.items for shard in split.done.values()) :]
    count = sum(shard.count for shard in split.done.values())
    convert_one = functools.partial(convert_item, source)
    with (
        contextlib.closing(processes.map_in_order(convert_one, rest, workers)) as results,
        split.progress_bar(progress) as bar,
    ):
        for index, group in itertools.groupby(
            _numbered(results, len(split.done), shard_bytes), key=lambda pair: pair[0]
        ):
            shard = None
            num_items = 0
            for _, result in group:
                for one in result.examples:
                    shard = shard or records.ShardWriter(directory, manifest.split, index)
                    shard.write(one)
                skipped.extend(index, result)
                skipped.check(of=len(items))
                num_items += 1
                count += len(result.examples)
                bar.set_postfix(examples=count, skipped=skipped.lost, refresh=False)
                bar.update()
            skipped.save()
            if shard is not None:
                split.add(index, shard.close(num_items))
    return finish(source, split, skipped)


def finish(source: Source, split: records.SplitWriter, skipped: "SkipList") -> manifests.Manifest:
    """Finishes a split whose shards are all written.

    Args:
      source: of the split.
      split: the manifest of the written shards.
      skipped: the list of skipped items.

    Returns:
      The finished manifest.

    Raises:
      ConversionError: it has no Example.
    """
    if not split.done:
        raise ConversionError(
            f"{source.root}: no Example in split '{source.split}'; see {skipped.path} for reasons"
        )
    return split.finish(skipped=skipped.lost)


def plan(
    source: Source, shard_bytes: int, allow_incomplete: bool
) -> tuple[manifests.Manifest, list[Any]]:
    """Describes the output of a conversion, after checking that the raw data are complete.

    Args:
      source: the split.
      shard_bytes: size at which a shard is closed.
      allow_incomplete: whether to accept less than the official data set.

    Returns:
      The manifest without shards, and the items in the order of the shards.

    Raises:
      SourceError: the tree is not as distributed.
      ConversionError: it is incomplete.
      MissingBodyError, ModelFileError: a body that the data set needs is missing.
    """
    check_complete(source, allow_incomplete)
    items = list(source.items())
    if not items:
        raise SourceError(f"{source.root}: contains nothing of split '{source.split}'")
    bodies = {} if source.bodies is None else source.bodies.fingerprints(source.genders)
    manifest = manifests.Manifest(
        dataset=source.dataset,
        split=source.split,
        num_items=len(items),
        items_per_shard=None,
        bodies=bodies,
        config={**source.config(), "shard_bytes": shard_bytes},
        source=source.root,
    )
    order = np.random.default_rng(0).permutation(len(items))
    return manifest, [items[index] for index in order]


def check_complete(source: Source, allow_incomplete: bool) -> None:
    """Compares the found data with the official data set.

    Args:
      source: the split.
      allow_incomplete: whether to accept less than that.

    Raises:
      SourceError: the tree is not as distributed.
      ConversionError: it is incomplete.
    """
    found, official, unit = source.inventory()
    if official is not None and found != official and not allow_incomplete:
        raise ConversionError(
            f"{source.root}: found {found} {unit} of split '{source.split}', the official "
            f"{source.dataset} has {official}; complete it, or convert the available part with "
            "allow_incomplete"
        )


def convert_item(source: Source, item: Any) -> Converted:
    """Reads an item and encodes its Examples.

    Args:
      source: the split.
      item: one of its items.

    Returns:
      All its Examples; none if any part cannot be read, since a damaged file cannot be trusted.

    Raises:
      SourceError, MissingBodyError, ModelFileError: errors that concern every item.
    """
    examples = []
    reasons: collections.Counter[str] = collections.Counter()
    try:
        for one in source.read(item):
            if isinstance(one, Skip):
                reasons[one.reason] += 1
            else:
                examples.append(example_lib.encode(one))
    except (SourceError, MissingBodyError, ModelFileError, MemoryError):
        raise
    except Exception as error:  # decoders raise many kinds of errors on damaged files
        return Converted((), ({"item": str(item), "reason": _reason(error)},))
    if not examples and not reasons:
        reasons["no frame to use"] = 0
    return Converted(
        tuple(examples),
        tuple(
            {"item": str(item), "reason": reason, "frames": frames}
            for reason, frames in reasons.items()
        ),
    )


def shard_of_each(sizes: Iterable[int], first: int, shard_bytes: int) -> Iterator[int]:
    """Yields the shard of each item; a new shard begins after an item has filled the last one.

    Args:
      sizes: bytes of each item.
      first: number of the first shard.
      shard_bytes: size at which a shard is full.
    """
    shard, filled = first, 0
    for size in sizes:
        yield shard
        filled += size
        if filled >= shard_bytes:
            shard, filled = shard + 1, 0


class SkipList:
    """The list of skipped items, kept consistent with the finished shards.

    Attributes:
      path: of the list file.
      lost: items that gave no Example.
    """

    def __init__(self, directory: str, split: str, num_shards: int, max_skipped: int):
        """Reads back the lines of an earlier run's first `num_shards` shards."""
        self.path = os.path.join(directory, f"{split}.skipped.jsonl")
        self._max_skipped = max_skipped
        self._lines: list[dict[str, Any]] = []
        self.lost = 0
        if tf.io.gfile.exists(self.path):
            try:
                content = whole_files.read(self.path)
                lines = [json_files.parse(line) for line in content.splitlines()]
                self._lines = [line for line in lines if line["shard"] < num_shards]
                self.lost = len({line["item"] for line in self._lines if line["lost"]})
                if not all(isinstance(line["reason"], str) for line in self._lines):
                    raise TypeError("a reason that is not a text")
            except (ValueError, KeyError, TypeError) as error:
                raise ConversionError(
                    f"{self.path}: damaged ({type(error).__name__}: {one_line(error)}); delete it "
                    "and the split, then convert again"
                ) from error

    def extend(self, shard: int, result: Converted) -> None:
        """Adds the skipped parts of an item that belongs to a shard."""
        lost = not result.examples
        self._lines += [{"shard": shard, **skip, "lost": lost} for skip in result.skips]
        self.lost += lost

    def check(self, of: int) -> None:
        """Raises if too many items are lost.

        Args:
          of: number of all items, for the message.

        Raises:
          ConversionError: too many items are lost; the list was saved.
        """
        if self.lost > self._max_skipped:
            self.save()
            raise ConversionError(
                f"{self.lost} of {of} items gave no Example, which is more than "
                f"max_skipped={self._max_skipped}; the last: {self._lines[-1]['reason']}; see "
                f"{self.path}"
            )

    def save(self) -> None:
        """Writes the list."""
        whole_files.write(self.path, "".join(f"{json.dumps(line)}\n" for line in self._lines))


def _numbered(
    results: Iterable[Converted], first: int, shard_bytes: int
) -> Iterator[tuple[int, Converted]]:
    ours, theirs = itertools.tee(results)
    return zip(shard_of_each((one.size for one in theirs), first, shard_bytes), ours, strict=True)


def _keep_leading_shards(done: dict[int, manifests.Shard]) -> None:
    """Drops the shards after the first missing one, since their first items are unknown."""
    leading = next(index for index in itertools.count() if index not in done)
    for index in [index for index in done if index > leading]:
        del done[index]


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{os.path.basename(error.filename)}: {error.strerror}"
    kind = "" if isinstance(error, (ValueError, BadItemError)) else f"{type(error).__name__}: "
    return " ".join(f"{kind}{error}".split())
