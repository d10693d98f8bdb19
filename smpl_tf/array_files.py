"""Reads untrusted `.npy` and `.npz` files: the sizes that they declare are checked first."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import IO, Any

import numpy as np

from smpl_tf import bounds, file_kinds

_PLAIN_KINDS = "biufcSU"
# Other methods, such as LZMA, allocate what the archive asks for, whatever size it declares.
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_HEADERS: dict[tuple[int, int], Callable[[IO[bytes]], Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

# The function that reads the pickle of an array of objects; None rejects such arrays.
ReadObjects = Callable[[IO[bytes]], Any] | None


def read_npz(
    path: str | os.PathLike,
    wanted: Collection[str] | None = None,
    most_numbers: int = bounds.MOST_NUMBERS,
    read_objects: ReadObjects = None,
) -> dict[str, Any]:
    """Reads arrays of an archive.

    Args:
      path: the archive.
      wanted: names of the arrays to read; missing ones are left out. None reads all.
      most_numbers: limit for all wanted arrays together.
      read_objects: function that reads the pickle of an array of Python objects; None rejects such
        arrays.

    Returns:
      Name -> array, or the result of `read_objects`.

    Raises:
      ValueError: an array holds anything but numbers and texts, declares too large a size, or is
        compressed by a method that NumPy does not use.
      Exception: whatever a damaged archive makes zipfile raise.
    """
    with file_kinds.open_file(path) as file, zipfile.ZipFile(file) as archive:
        members = {
            one.filename.removesuffix(".npy"): one
            for one in archive.infolist()
            if one.filename.endswith(".npy")
        }
        if wanted is not None:
            members = {name: members[name] for name in wanted if name in members}
        for name, member in members.items():
            if member.compress_type not in _COMPRESSIONS:
                raise ValueError(
                    f"array {name[:40]!r} is compressed by method {member.compress_type}, "
                    "expected 0 or 8 (stored, deflated); write the file with np.savez or "
                    "np.savez_compressed"
                )
        claimed = sum(one.file_size for one in members.values())
        bounds.check(claimed, 8 * most_numbers, "bytes of arrays")
        arrays = {}
        for name, member in members.items():
            with archive.open(member) as array:
                try:
                    arrays[name] = _read(array, member.file_size, most_numbers, read_objects)
                except ValueError as error:
                    raise type(error)(f"array {name[:40]!r} {error}") from None
        return arrays


def read_npy(path: str | os.PathLike, most_numbers: int = bounds.MOST_NUMBERS) -> np.ndarray:
    """Reads the array of a `.npy` file.

    Args:
      path: the file.
      most_numbers: how many numbers it may hold.

    Returns:
      The array.

    Raises:
      ValueError: it holds anything but numbers and texts, or declares too large a size.
    """
    with file_kinds.open_file(path) as file:
        return _read(file, Path(path).stat().st_size, most_numbers, None)


def names(path: str | os.PathLike) -> list[str]:
    """Lists the arrays of an archive.

    Args:
      path: the archive.

    Returns:
      Their names, at most a thousand.
    """
    with file_kinds.open_file(path) as file, zipfile.ZipFile(file) as archive:
        return [one.removesuffix(".npy")[:60] for one in archive.namelist()[:1000]]


def is_archive(path: str | os.PathLike) -> bool:
    """Whether a file begins like an `.npz` archive."""
    with file_kinds.open_file(path) as file:
        return file.read(2) == b"PK"


def _read(file: IO[bytes], size: int, most_numbers: int, read_objects: ReadObjects) -> Any:
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"has version {version} of the format; 1.0 and 2.0 are read")
    shape, is_fortran, dtype = _HEADERS[version](file)
    if dtype == np.dtype(object) and read_objects is not None:
        return read_objects(file)
    if dtype.kind not in _PLAIN_KINDS or dtype.fields or dtype.subdtype or not dtype.itemsize:
        raise ValueError(f"holds {str(dtype)[:60]}, expected numbers or texts")
    if not all(type(one) is int and one >= 0 for one in shape) or len(shape) > 32:
        raise ValueError("has a shape that is not a tuple of sizes")
    count = math.prod(shape)
    bounds.check(max(count, *shape, 0), most_numbers, "numbers")
    claimed, left = count * dtype.itemsize, size - file.tell()
    if claimed > left:
        raise ValueError(f"declares {claimed} bytes, but the file has {left}; is it truncated?")
    content = file.read(claimed)
    if len(content) != claimed:
        raise ValueError("is truncated")
    # A copy, since arrays that share the bytes of a file cannot be written to.
    array = np.frombuffer(content, dtype).copy() if content else np.zeros(count, dtype)
    return array.reshape(shape, order="F" if is_fortran else "C")
