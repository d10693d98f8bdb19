"""Reads untrusted HDF5 files: no link out of the file is followed, sizes are checked first.

HDF5 lets a file refer to others: by external and soft links, external storage (a FIFO blocks, any
    file is read as numbers) and virtual datasets. A dataset without data can declare any size, a
    compressed chunk can grow far beyond its own, and groups that contain a group twice are walked
    twice as long at each level.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from smpl_tf import bounds

_PLAIN_KINDS = "biufS"
_FILTERS = {
    h5py.h5z.FILTER_DEFLATE: "gzip",
    h5py.h5z.FILTER_SHUFFLE: "shuffle",
    h5py.h5z.FILTER_FLETCHER32: "fletcher32",
}
_CHECKSUM = 4  # bytes that fletcher32 adds
_POINTER = 16  # bytes of a text of any length: its length and place


def check_tree(group: h5py.Group, most_numbers: int) -> int:
    """Checks everything in a file or group.

    Args:
      group: the file, open for reading.
      most_numbers: in all datasets together.

    Returns:
      How many numbers its datasets hold.

    Raises:
      ValueError: see `dataset`; or groups that are deeper than MOST_DEPTH.
    """
    count = 0
    for one in _walk(group, 0):
        count += one.size or 0
        bounds.check(count, most_numbers, "numbers")
    return count


def dataset(group: h5py.Group, name: str) -> h5py.Dataset:
    """Finds a dataset that may be read.

    Args:
      group: that holds it.
      name: its name there, without a slash.

    Returns:
      The dataset: inside this file, of numbers or texts, no larger than MOST_NUMBERS.

    Raises:
      ValueError: it is something else.
    """
    found = _child(group, name)
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"{name[:60]} is a {type(found).__name__}, expected a dataset")
    return checked(found)


def read(group: h5py.Group, name: str) -> np.ndarray:
    """Reads a dataset of numbers.

    Args:
      group: that holds it.
      name: its name there.

    Returns:
      The array.

    Raises:
      ValueError: see `dataset`; or it holds texts.
    """
    found = dataset(group, name)
    if found.dtype.kind not in _PLAIN_KINDS:
        raise ValueError(f"{name[:60]} holds {str(found.dtype)[:60]}, expected numbers")
    return np.asarray(found[()])


def read_texts(group: h5py.Group, name: str) -> list[str]:
    """Reads a list of texts.

    Args:
      group: that holds it.
      name: its name there.

    Returns:
      The texts.

    Raises:
      ValueError: see `dataset`; or they are more than MOST_TEXTS or MOST_TEXT_BYTES.
    """
    found = dataset(group, name)
    bounds.check(found.size or 0, bounds.MOST_TEXTS, "texts")
    texts, length = [], 0
    for index in range(found.size or 0):  # one by one, since all may point to the same long text
        texts.append(str(found.asstr()[index]))
        length += len(texts[-1])
        bounds.check(length, bounds.MOST_TEXT_BYTES, "letters")
    return texts


def _walk(group: h5py.Group, depth: int) -> Iterator[h5py.Dataset]:
    bounds.check(depth, bounds.MOST_DEPTH, "levels")
    for name in group:
        found = _child(group, name)
        if isinstance(found, h5py.Group):
            if h5py.h5o.get_info(found.id).rc > 1:
                raise ValueError(f"{name[:60]} is a group in several places, expected one")
            yield from _walk(found, depth + 1)
        elif isinstance(found, h5py.Dataset):
            yield checked(found)
        else:
            raise ValueError(f"{name[:60]} is neither a group nor a dataset")


def _child(group: h5py.Group, name: str) -> Any:
    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise ValueError(f"{name[:60]} is a link to another object, which is not followed")
    return group[name]


def checked(found: h5py.Dataset) -> h5py.Dataset:
    """Checks a dataset before it is read.

    Args:
      found: the dataset.

    Returns:
      The same.

    Raises:
      ValueError: see `dataset`.
    """
    name = str(found.name)[-60:]
    if found.external or found.is_virtual:
        raise ValueError(f"{name} is stored in another file, which is not read")
    pipeline = found.id.get_create_plist()
    filters = [pipeline.get_filter(i)[0] for i in range(pipeline.get_nfilters())]
    if not set(filters) <= set(_FILTERS) or len(set(filters)) < len(filters):
        raise ValueError(f"{name} has other filters than {', '.join(_FILTERS.values())}, once")
    bounds.check(found.size or 0, bounds.MOST_NUMBERS, "numbers")
    for size in (found.size or 0, math.prod(found.chunks or (0,))):  # a chunk may be larger
        bounds.check(size * found.dtype.itemsize, 8 * bounds.MOST_NUMBERS, "bytes")
    if h5py.h5z.FILTER_DEFLATE in filters:
        found.id.chunk_iter(lambda chunk: _check_chunk(found, chunk))
    return found


def _check_chunk(found: h5py.Dataset, chunk: Any) -> None:
    """Rejects a compressed chunk that is larger than it declares: HDF5 would unpack all of it."""
    item = _POINTER if found.dtype.kind == "O" else found.dtype.itemsize
    most = math.prod(found.chunks) * item + _CHECKSUM
    _, content = found.id.read_direct_chunk(chunk.chunk_offset)
    try:
        size = len(zlib.decompressobj().decompress(content, most + 1))
    except zlib.error:
        size = len(content)  # not compressed, or damaged: HDF5 will say so
    if size > most:
        raise ValueError(f"{str(found.name)[-60:]} has a chunk that is larger than it declares")
