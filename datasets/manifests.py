"""The manifest of a split: its contents, its shards, and its origin.

A finished split has `<split>.manifest.json`; while it is being written the file is called
`<split>.manifest.partial.json` and lists the shards done so far.
"""

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from datasets import example as example_lib
from datasets import whole_files
from datasets.frames import RecordError
from smpl_tf import json_files

_SHARD = re.compile(r".*-\d{5,9}\.tfrecord", re.DOTALL)
# Fields of a manifest that do not describe the data.
_PROGRESS = ("shards", "skipped", "source")


@dataclasses.dataclass(frozen=True)
class Shard:
    """One file of a split."""

    file: str
    count: int  # Examples in it
    bytes: int
    sha256: str
    items: int  # source items it was made from


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The contents and origin of a split."""

    dataset: str
    split: str
    num_items: int  # source items; a bad item gives no Example
    items_per_shard: int | None  # None: as many as fit
    bodies: dict[str, str]  # gender -> fingerprint of the body the parameters belong to
    config: dict[str, Any]  # everything that the Examples depend on, as JSON
    shards: tuple[Shard, ...] = ()
    source: str = ""  # where the raw data were
    skipped: int = 0  # bad items
    spec_version: int = example_lib.SPEC_VERSION

    @property
    def count(self) -> int:
        """Number of Examples."""
        return sum(shard.count for shard in self.shards)


def read(directory: str, split: str) -> Manifest:
    """Reads the manifest of a finished split.

    Args:
      directory: folder of the shards.
      split: its name, e.g. "train".

    Returns:
      The manifest.

    Raises:
      RecordError: the folder or split is missing, unfinished, unreadable, or of another spec
        version.
    """
    if not tf.io.gfile.isdir(directory):
        raise RecordError(
            f"{directory}: no such folder; give the folder that convert_dataset.py wrote"
        )
    path = path_of(directory, split)
    if not tf.io.gfile.exists(path):
        if tf.io.gfile.exists(path_of(directory, split, partial=True)):
            raise RecordError(
                f"{path}: the split is unfinished; run its conversion again, which continues "
                "where it stopped"
            )
        raise RecordError(f"{path}: not found; convert or generate the split '{split}' first")
    return _read_json(path)


def read_same(path: str, manifest: Manifest) -> Manifest:
    """Reads a manifest, finished or not, and requires that it describes the same data as another.

    Args:
      path: of the file.
      manifest: the other manifest.

    Returns:
      The content of the file.

    Raises:
      RecordError: it cannot be read, or describes other data.
    """
    found = _read_json(path)
    changed = [
        field.name
        for field in dataclasses.fields(manifest)
        if field.name not in _PROGRESS
        and getattr(found, field.name) != getattr(manifest, field.name)
    ]
    if changed:
        raise RecordError(
            f"{path}: describes data with another {', '.join(changed)}; choose another folder or "
            "delete this file"
        )
    return found


def with_shards(manifest: Manifest, done: Mapping[int, Shard]) -> Manifest:
    """Adds shards to a manifest.

    Args:
      manifest: of the split.
      done: index -> shard.

    Returns:
      The manifest with these shards, in order.
    """
    return dataclasses.replace(manifest, shards=tuple(done[index] for index in sorted(done)))


def path_of(directory: str, split: str, partial: bool = False) -> str:
    """Returns the path of a manifest.

    Args:
      directory: folder of the shards.
      split: its name.
      partial: whether the split is being written.

    Returns:
      The path.
    """
    return os.path.join(directory, f"{split}.manifest{'.partial' if partial else ''}.json")


def write(path: str, manifest: Manifest) -> None:
    """Writes a manifest under a temporary name and renames it.

    Args:
      path: of the file.
      manifest: the content.
    """
    whole_files.write(path, to_json(manifest))


def to_json(manifest: Manifest) -> str:
    """Writes a manifest as text.

    Args:
      manifest: any.

    Returns:
      JSON, with the number of Examples.
    """
    return json.dumps({"count": manifest.count, **dataclasses.asdict(manifest)}, indent=1)


def from_json(content: str | bytes) -> Manifest:
    """Reads a manifest; tuples of its config come back as lists.

    Args:
      content: JSON, as `to_json` writes it.

    Returns:
      The manifest.

    Raises:
      ValueError, KeyError, TypeError, AttributeError: it is not a manifest.
    """
    fields = json_files.parse(content)
    del fields["count"]
    fields["shards"] = tuple(Shard(**shard) for shard in fields["shards"])
    for shard in fields["shards"]:
        if not isinstance(shard.file, str) or os.path.basename(shard.file) != shard.file:
            raise ValueError(f"shard {str(shard.file)[:60]!r} is in another folder")
        if not _SHARD.fullmatch(shard.file):
            raise ValueError(f"shard {shard.file[:60]!r} is not called <split>-<number>.tfrecord")
        if not all(isinstance(n, int) and n >= 0 for n in (shard.count, shard.bytes, shard.items)):
            raise ValueError(f"shard {shard.file} has a size that is not a number")
    return Manifest(**fields)


def _read_json(path: str) -> Manifest:
    remedy = "delete the folder, then convert or generate again"
    content = whole_files.read(path)
    try:
        version = json_files.parse(content)["spec_version"]
        if version == example_lib.SPEC_VERSION:
            return from_json(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise RecordError(f"{path}: not a manifest ({reason}); {remedy}") from error
    raise RecordError(
        f"{path}: written with Example spec version {version}, but this library reads version "
        f"{example_lib.SPEC_VERSION}; {remedy}"
    )
