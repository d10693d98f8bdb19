"""Examples as WebDataset tars, the exchange format of many training codes (extra `webdataset`).

A sample has the picture (`jpg` or `png`), the label maps that exist (`parts.png`, `mask.png`,
`objects.png`), and `json`: all other features of the Example, `id` among them, as nested lists.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from datasets.example import EXAMPLE_FEATURES, blank
from smpl_tf import bounds
from smpl_tf.errors import one_line
from smpl_tf.file_kinds import is_file, open_file
from smpl_tf.files import written_aside
from smpl_tf.json_files import parse

_MAPS = {f"{name}.png": f"{name}/encoded" for name in ("parts", "mask", "objects")}
_PICTURES = ("jpg", "jpeg", "png")
_REMEDY = "install the extra: pip install 'neural-body-fitting[webdataset]'"


class TarError(ValueError):
    """A tar has no Examples of this form; the one-line message says why."""


def write(path: str | Path, examples: Iterable[Mapping[str, Any]]) -> int:
    """Writes Examples as one tar; call it several times for several shards.

    Args:
      path: the file, ending in .tar.
      examples: complete Examples, for example from `datasets.records.read_examples`.

    Returns:
      The number of written Examples.

    Raises:
      ImportError: the package webdataset is not installed.
      OSError: the file cannot be written.
    """
    writer = _webdataset("writer")
    count = 0
    with written_aside(Path(path)) as aside, writer.TarWriter(str(aside), mtime=0) as tar:
        for example in examples:
            tar.write({"__key__": f"{count:08d}", **_sample(example)})
            count += 1
    return count


def read(path: str | Path) -> Iterator[dict[str, Any]]:
    """Yields the Examples of a tar that `write` or another program wrote.

    Args:
      path: the file; a compressed tar is not read.

    Yields:
      Examples for `datasets.write`: the features in `json`, the picture and the label maps. A
      sample without an `id` gets its key.

    Raises:
      ImportError: the package webdataset is not installed.
      TarError: the file is damaged, too large, or a sample has no picture and no features.
    """
    iterators = _webdataset("tariterators")
    _check(Path(path))
    with open_file(path) as file:
        members = ({**one, "__url__": str(path)} for one in iterators.tar_file_iterator(file))
        for sample in iterators.group_by_keys(members):
            yield _example(sample, path)


def _webdataset(module: str) -> Any:
    try:
        import webdataset  # noqa: F401
        from webdataset import tariterators, writer
    except ImportError as error:
        raise ImportError(f"tars need the package webdataset; {_REMEDY}") from error
    return {"tariterators": tariterators, "writer": writer}[module]


def _sample(example: Mapping[str, Any]) -> dict[str, bytes]:
    """Returns the members of an Example: name -> bytes."""
    members: dict[str, bytes] = {}
    picture = bytes(example["image/encoded"])
    if picture:
        members["png" if picture.startswith(b"\x89PNG") else "jpg"] = picture
    for name, key in _MAPS.items():
        if example[key]:
            members[name] = bytes(example[key])
    rest = {}
    for key, feature in EXAMPLE_FEATURES.items():
        if key in _MAPS.values() or key == "image/encoded":
            continue
        value = example[key]
        if feature.dtype == "string":
            rest[key] = value.decode() if isinstance(value, bytes) else str(value)
        else:
            rest[key] = np.asarray(value, feature.dtype).tolist()
    return members | {"json": json.dumps(rest, allow_nan=False).encode()}


def _check(path: Path) -> None:
    """Rejects members that declare too large a size, and everything but ordinary files."""
    if not is_file(path):
        raise TarError(f"{path}: no such file; expected a WebDataset tar")
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if not member.isdir() and (not member.isreg() or member.issparse()):
                    raise TarError(f"{path}: member {member.name[:60]!r} is not an ordinary file")
                bounds.check(member.size, bounds.MOST_RECORD_BYTES, "bytes of a member")
    except (tarfile.TarError, bounds.TooLargeError, EOFError) as error:
        raise TarError(
            f"{path}: not an uncompressed tar, or damaged ({one_line(error)}); get a whole copy"
        ) from error


def _example(sample: Mapping[str, Any], path: str | Path) -> dict[str, Any]:
    """Returns the Example of a sample's members."""
    name = f"{path}: sample {str(sample['__key__'])[:60]!r}"
    try:
        features = parse(sample["json"]) if "json" in sample else {}
    except ValueError as error:
        raise TarError(f"{name}: {one_line(error)}") from error
    if not isinstance(features, dict):
        raise TarError(f"{name}: expected an object in its json, got a {type(features).__name__}")
    empty = blank()
    example: dict[str, Any] = {"id": str(sample["__key__"])}
    for key in features.keys() & EXAMPLE_FEATURES.keys():
        try:
            example[key] = np.asarray(features[key], np.asarray(empty[key]).dtype)
        except (TypeError, ValueError, OverflowError) as error:
            raise TarError(f"{name}: {key}: {one_line(error)}") from error
        if EXAMPLE_FEATURES[key].dtype == "string":
            example[key] = str(features[key])
    example |= {key: sample[member] for member, key in _MAPS.items() if member in sample}
    picture = next((sample[ending] for ending in _PICTURES if ending in sample), None)
    if picture is not None:
        example["image/encoded"] = picture
    elif not features:
        raise TarError(f"{name}: expected json or a picture ({', '.join(_PICTURES)})")
    return example
