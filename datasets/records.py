"""Sharded TFRecords with a manifest: written in parallel, resumable, checked on reading.

A finished split is `<split>-00000.tfrecord`, `<split>-00001.tfrecord`, ... and its manifest. A
shard file is renamed to its final name only when complete.
"""

import concurrent.futures
import contextlib
import dataclasses
import glob
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
import tqdm

from datasets import example as example_lib
from datasets import frames, manifests, processes
from datasets.frames import RecordError
from datasets.manifests import Manifest, Shard
from smpl_tf import file_kinds, locks
from smpl_tf.files import full_disk_named

# TensorFlow quotes unparsable bytes in its message, which then may not be valid text.
NO_EXAMPLE = (tf.errors.InvalidArgumentError, UnicodeDecodeError)


# (start, stop) -> Examples of the source items start, ..., stop - 1. Pickled into the workers.
MakeExamples = Callable[[int, int], Iterable[Mapping[str, Any]]]


def write_shards(
    make_examples: MakeExamples,
    manifest: Manifest,
    directory: str,
    *,
    workers: int | None = None,
    progress: bool = True,
    pool: concurrent.futures.Executor | None = None,
) -> Manifest:
    """Writes a split, or its missing shards, in parallel; the bytes do not depend on how many.

    Args:
      make_examples: picklable; returns the Examples of a range of source items.
      manifest: description of the split, without shards.
      directory: any path that `tf.io.gfile` knows; created if missing.
      workers: processes; None = one per core, 0 = this process, only for debugging: TensorFlow's
        rounding differs from that of the single-threaded workers.
      progress: whether to show a bar of source items.
      pool: an open `processes.process_pool` to reuse, since new processes take seconds to start;
        None opens one with `workers`.

    Returns:
      The finished manifest. A finished split of the same description is not changed; an unfinished
      one continues with its missing shards.

    Raises:
      RecordError: the directory already has this split with another description.
      ValueError: the manifest has no items_per_shard.
    """
    if (step := manifest.items_per_shard) is None:
        raise ValueError("Expected a manifest with items_per_shard, got None.")
    with being_written(directory, manifest.split):
        split = SplitWriter(manifest, directory)
        if split.finished is not None:
            return split.finished
        ranges = {}
        for index, start in enumerate(range(0, manifest.num_items, step)):
            if index not in split.done:
                ranges[index] = (start, min(start + step, manifest.num_items))
        with split.progress_bar(progress) as bar:
            for index, shard in _run(make_examples, manifest, directory, ranges, workers, pool):
                split.add(index, shard)
                bar.update(shard.items)
        return split.finish()


@contextlib.contextmanager
def being_written(directory: str, split: str) -> Iterator[None]:
    """Locks a split that is being written; removes its unfinished files at the end.

    Whatever ended the work: an error, Ctrl-C, or a process that was killed earlier.

    Args:
      directory: folder of the shards. Folders of other file systems, such as gs://, have no
        locks, and a finished split needs none.
      split: its name.

    Yields:
      Nothing.

    Raises:
      InUseError: another process writes it; the one-line message says which.
    """
    if "://" in directory or tf.io.gfile.exists(manifests.path_of(directory, split)):
        yield
        return
    what = f"{os.path.join(directory, split)} (a split of data)"
    with locks.locked(Path(directory), f".{split}.lock", what):
        try:
            yield
        finally:
            _remove_unfinished(directory, split)


class SplitWriter:
    """A split that is being written; keeps track of finished shards across runs.

    Attributes:
      finished: the manifest of an earlier run that finished, or None.
      done: index -> shard, for those that this or an earlier run wrote.
    """

    def __init__(self, manifest: Manifest, directory: str):
        """Creates the folder and reads the state of an earlier run.

        Raises:
          RecordError: the folder has this split with another description.
        """
        self._manifest = manifests.from_json(manifests.to_json(manifest))  # lists, no tuples
        self._directory = directory
        self._path = manifests.path_of(directory, manifest.split)
        self._partial = manifests.path_of(directory, manifest.split, partial=True)
        self.done: dict[int, Shard] = {}
        self.finished = None
        tf.io.gfile.makedirs(directory)
        if tf.io.gfile.exists(self._path):
            found = manifests.read_same(self._path, self._manifest)
            self.finished = check_shards(directory, found)
        elif tf.io.gfile.exists(self._partial):
            self.done = _shards_done(manifests.read_same(self._partial, self._manifest), directory)
        else:
            manifests.write(self._partial, self._manifest)

    def add(self, index: int, shard: Shard) -> None:
        """Records that a shard is done."""
        self.done[index] = shard
        manifests.write(self._partial, manifests.with_shards(self._manifest, self.done))

    def finish(self, skipped: int = 0) -> Manifest:
        """Writes the manifest of the finished split, and returns it.

        Args:
          skipped: bad items.
        """
        manifest = manifests.with_shards(self._manifest, self.done)
        manifest = dataclasses.replace(manifest, skipped=skipped)
        manifests.write(self._path, manifest)
        if tf.io.gfile.exists(self._partial):
            tf.io.gfile.remove(self._partial)
        _remove_unfinished(self._directory, manifest.split)
        return manifest

    def progress_bar(self, progress: bool) -> tqdm.tqdm:
        """Returns a bar of source items that begins where an earlier run stopped."""
        return tqdm.tqdm(
            total=self._manifest.num_items,
            initial=sum(shard.items for shard in self.done.values()),
            desc=f"{self._manifest.dataset} {self._manifest.split}",
            unit="item",
            disable=not progress,
        )


class ShardWriter:
    """Writes one shard under a temporary name; `close` renames it."""

    def __init__(self, directory: str, split: str, index: int):
        """Opens the file."""
        self._file = f"{split}-{index:05d}.tfrecord"
        self._path = os.path.join(directory, self._file)
        self._writer = tf.io.TFRecordWriter(f"{self._path}.writing")
        self._count = 0

    def write(self, serialized: bytes) -> None:
        """Appends an encoded Example."""
        with full_disk_named(self._path):
            self._writer.write(serialized)
        self._count += 1

    def close(self, items: int) -> Shard:
        """Renames the complete file to its final name and describes it.

        Args:
          items: source items it was made from.
        """
        aside = f"{self._path}.writing"
        with full_disk_named(self._path):
            self._writer.close()
        size, digest = tf.io.gfile.stat(aside).length, _sha256(aside)
        tf.io.gfile.rename(aside, self._path, overwrite=True)
        return Shard(self._file, self._count, size, digest, items)


def check(directory: str, split: str, *, checksums: bool = False) -> Manifest:
    """Checks that every shard of a split exists and is complete.

    Args:
      directory: folder of the shards.
      split: its name.
      checksums: whether to read every byte instead of comparing sizes only.

    Returns:
      The manifest.

    Raises:
      RecordError: names the first bad shard and the remedy.
    """
    return check_shards(directory, manifests.read(directory, split), checksums=checksums)


def check_shards(directory: str, manifest: Manifest, *, checksums: bool = False) -> Manifest:
    """Checks the shards of a manifest; see `check`."""
    remedy = _remedy(manifest.split)
    for shard in manifest.shards:
        path = os.path.join(directory, shard.file)
        try:
            size = tf.io.gfile.stat(path).length
        except tf.errors.NotFoundError:
            raise RecordError(f"{path}: the shard is missing; {remedy}") from None
        if "://" not in path and not file_kinds.is_file(Path(path)):
            raise RecordError(f"{path}: the shard is {file_kinds.NOT_ORDINARY}; {remedy}")
        if size != shard.bytes:
            raise RecordError(
                f"{path}: the shard has {size} bytes, its manifest says {shard.bytes}; {remedy}"
            )
        if checksums:
            if _sha256(path) != shard.sha256:
                where = _first_bad_record(path, shard)
                raise RecordError(f"{path}: the shard is damaged{where}; {remedy}")
            frames.check(path)
    if manifest.count == 0:
        path = manifests.path_of(directory, manifest.split)
        raise RecordError(f"{path}: the split has no Example")
    return manifest


def read_examples(directory: str, split: str) -> Iterator[dict[str, Any]]:
    """Yields the Examples of a split in their stored order, as plain NumPy values and bytes.

    Args:
      directory: folder of the shards.
      split: its name.

    Yields:
      dicts with the keys of `EXAMPLE_FEATURES`.

    Raises:
      RecordError: see `check`; also for the first unreadable record, with shard and offset.
    """
    for shard in check(directory, split).shards:
        path = os.path.join(directory, shard.file)
        for offset, serialized in frames.read(path):
            try:
                example = example_lib.parse(serialized)
            except NO_EXAMPLE as error:
                raise RecordError(
                    f"{path}: the record at offset {offset} is not an Example; {_remedy(split)}"
                ) from error
            yield {key: value.numpy() for key, value in example.items()}


def diagnose(directory: str, split: str) -> None:
    """Finds the record that made reading fail, after a `tf.errors.OpError`.

    tf.data's error names neither file nor record if one is corrupt or a picture does not decode.

    Args:
      directory: folder of the shards.
      split: its name.

    Raises:
      RecordError: see `check`; also for the first record that is corrupt, is not an Example, or
        whose picture or labels do not decode, with shard and offset; and for a shard with a wrong
        number of records.
    """
    for shard in check(directory, split).shards:
        path = os.path.join(directory, shard.file)
        count = 0
        for offset, serialized in frames.read(path):
            count += 1
            what = "is not an Example"
            try:
                example = example_lib.parse(serialized)
                name = example["id"].numpy().decode(errors="replace")
                what = f"({' '.join(name.split())}) has a picture or labels that do not decode"
                example_lib.decode(example)
            except NO_EXAMPLE as error:
                raise RecordError(
                    f"{path}: the record at offset {offset} {what}; {_remedy(split)}"
                ) from error
        if count != shard.count:
            raise RecordError(
                f"{path}: has {count} records, its manifest says {shard.count}; {_remedy(split)}"
            )


def _remove_unfinished(directory: str, split: str) -> None:
    """Removes unfinished files of killed processes from a split that nobody else writes."""
    # Not those of a split whose name only begins with this one's.
    own = re.compile(rf"{re.escape(split)}(-\d+\.tfrecord|(\.[a-z]+)+\.jsonl?)\.writing")
    for path in tf.io.gfile.glob(os.path.join(glob.escape(directory), "*.writing")):
        if own.fullmatch(os.path.basename(path)):
            with contextlib.suppress(tf.errors.OpError):
                tf.io.gfile.remove(path)


def _remedy(split: str) -> str:
    return f"delete it and {split}.manifest.json, then convert or generate again"


def _run(
    make_examples: MakeExamples,
    manifest: Manifest,
    directory: str,
    ranges: Mapping[int, tuple[int, int]],
    workers: int | None,
    pool: concurrent.futures.Executor | None,
) -> Iterator[tuple[int, Shard]]:
    """Writes the shards in `ranges` and yields each when done, in no particular order."""
    tasks = {
        index: (make_examples, *items, directory, manifest.split, index)
        for index, items in ranges.items()
    }
    if workers == 0 and pool is None:
        for index, task in tasks.items():
            yield index, _write_shard(*task)
        return
    with contextlib.ExitStack() as stack:
        if pool is None:
            pool = stack.enter_context(processes.process_pool(workers, len(tasks)))
        futures = {pool.submit(_write_shard, *task): index for index, task in tasks.items()}
        for future in concurrent.futures.as_completed(futures):
            yield futures[future], future.result()


def _write_shard(
    make_examples: MakeExamples, start: int, stop: int, directory: str, split: str, index: int
) -> Shard:
    shard = ShardWriter(directory, split, index)
    for one in make_examples(start, stop):
        shard.write(example_lib.encode(one))
    return shard.close(stop - start)


def _shards_done(found: Manifest, directory: str) -> dict[int, Shard]:
    """Returns index -> shard, for those that an earlier run finished and that are unchanged."""
    done = {}
    for shard in found.shards:
        path = os.path.join(directory, shard.file)
        if tf.io.gfile.exists(path) and tf.io.gfile.stat(path).length == shard.bytes:
            done[int(shard.file.removesuffix(".tfrecord").rsplit("-", 1)[1])] = shard
    return done


def _first_bad_record(path: str, shard: Shard) -> str:
    try:
        count = sum(1 for _ in frames.read(path))
    except RecordError as error:
        return str(error).removeprefix(path).split(";")[0].replace(":", ",", 1)
    return f", {count} records where {shard.count} were written" if count != shard.count else ""


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with tf.io.gfile.GFile(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
