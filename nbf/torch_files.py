"""Reads arrays from PyTorch's files of weights of before 1.6, without PyTorch and running nothing.

Such a file is five pickles (magic number, version, system, the arrays by name, and the order of
their storages) and then the numbers of each storage.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import IO, Any, NamedTuple

import numpy as np

from smpl_tf import bounds, file_kinds
from smpl_tf.model_data import pickle_machine
from smpl_tf.model_data.pickle_machine import ForbiddenClassError, Name

_MAGIC = 0x1950A86A20F9469CFC6C
_TYPES: dict[Name, np.dtype] = {
    Name("torch", "FloatStorage"): np.dtype("<f4"),
    Name("torch", "LongStorage"): np.dtype("<i8"),
}
_ORDERED = Name("collections", "OrderedDict")
_TENSOR = Name("torch._utils", "_rebuild_tensor_v2")


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype
    size: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads the arrays of a file of weights.

    Args:
      path: the .pth file, of a PyTorch before 1.6 (or of one that was asked for that layout).

    Returns:
      Name -> array, as PyTorch lays it out.

    Raises:
      ValueError: it is no such file, is damaged, or names anything else than arrays of float32
        and int64.
      OSError: it cannot be read.
    """
    with file_kinds.open_file(path) as file:
        try:
            if file.read(2) == b"PK":
                raise ValueError(
                    "a zip, as PyTorch writes since 1.6; save it with "
                    "_use_new_zipfile_serialization=False"
                )
            file.seek(0)
            return _read(file)
        except (ValueError, ForbiddenClassError) as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from None


def _read(file: IO[bytes]) -> dict[str, np.ndarray]:
    if _plain(file) != _MAGIC:
        raise ValueError("no file of PyTorch's weights")
    _plain(file), _plain(file)  # version and system: little-endian, as all machines of today
    tensors = pickle_machine.run(file, _find, _call, lambda target, state: target, _storage)
    order = _plain(file)
    if not isinstance(tensors, dict) or not all(isinstance(t, _Tensor) for t in tensors.values()):
        raise ValueError("expected arrays by their names")
    storages: dict[str, _Storage] = {}
    for tensor in tensors.values():
        if storages.setdefault(tensor.storage.key, tensor.storage) != tensor.storage:
            raise ValueError(f"describes storage {tensor.storage.key} in two ways")
    if not isinstance(order, list) or {*map(str, order)} != {*storages}:
        raise ValueError("its list of storages does not fit its arrays")
    if sum(storage.size for storage in storages.values()) > bounds.MOST_NUMBERS:
        raise bounds.TooLargeError(f"claims more than {bounds.MOST_NUMBERS} numbers")
    numbers = {key: _numbers(file, storages[key]) for key in map(str, order)}
    return {str(name): _array(tensor, numbers) for name, tensor in tensors.items()}


def _plain(file: IO[bytes]) -> Any:
    """Runs a pickle that may name nothing."""

    def forbidden(*named: Any) -> Any:
        raise ForbiddenClassError(f"{named[0]!s:.40}")

    return pickle_machine.run(file, forbidden, forbidden, forbidden)


def _find(module: str, name: str) -> Name:
    found = Name(module, name)
    if found not in (_ORDERED, _TENSOR, *_TYPES):
        raise ForbiddenClassError(str(found))
    return found


def _call(named: Name, arguments: tuple, makes: bool) -> Any:
    del makes
    if named == _ORDERED and not arguments:
        return {}
    if named == _TENSOR and len(arguments) in (6, 7):
        storage, offset, shape, strides = arguments[:4]
        whole = all(isinstance(one, tuple) and _whole(one) for one in (shape, strides))
        if isinstance(storage, _Storage) and _whole([offset]) and whole:
            tensor = _Tensor(storage, offset, shape, strides)
            if len(shape) == len(strides) <= bounds.MOST_DEPTH and _fits(tensor):
                return tensor
    raise ForbiddenClassError(f"{named} of {arguments!s:.60}")


def _storage(named: Any) -> _Storage:
    if isinstance(named, tuple) and len(named) == 6 and named[0] == "storage":
        _, kind, key, _, size, view = named
        known = isinstance(kind, Name) and kind in _TYPES
        if known and isinstance(key, str) and _whole([size]) and view is None:
            return _Storage(key, _TYPES[kind], size)
    raise ForbiddenClassError(f"the storage {named!s:.60}")


def _whole(values: Any) -> bool:
    return all(type(value) is int and 0 <= value <= bounds.MOST_NUMBERS for value in values)


def _fits(tensor: _Tensor) -> bool:
    """Whether all numbers of an array are in its storage, which has each of them once."""
    if 0 in tensor.shape:
        return False
    steps = zip(tensor.shape, tensor.strides, strict=True)
    last = tensor.offset + sum((count - 1) * stride for count, stride in steps)
    return last < tensor.storage.size and math.prod(tensor.shape) <= tensor.storage.size


def _numbers(file: IO[bytes], storage: _Storage) -> np.ndarray:
    size = int.from_bytes(file.read(8), "little")
    if size != storage.size:
        raise ValueError(f"a storage of {size} numbers, expected {storage.size}; get a whole copy")
    content = file.read(size * storage.dtype.itemsize)
    if len(content) != size * storage.dtype.itemsize:
        raise ValueError("truncated; get a whole copy")
    return np.frombuffer(content, storage.dtype)


def _array(tensor: _Tensor, numbers: Mapping[str, np.ndarray]) -> np.ndarray:
    values = numbers[tensor.storage.key][tensor.offset :]
    steps = [values.itemsize * stride for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(values, tensor.shape, steps).copy()
