"""Reads MATLAB files up to version 7, the format of SURREAL and HumanEva."""

from __future__ import annotations

import io
import math
import os
import struct
import zlib
from typing import Any

import scipy.io

from smpl_tf import bounds, file_kinds

_HEADER = 128  # bytes before the first element
_MATRIX, _COMPRESSED = 14, 15  # types of elements
_SIZES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
_CELL, _STRUCT, _CHARS, _SPARSE = 1, 2, 4, 5  # classes of matrices
_NUMBERS = range(6, 16)
_BYTES = {4: 4, 6: 8, 7: 4, 8: 1, 9: 1, 10: 2, 11: 2, 12: 4, 13: 4, 14: 8, 15: 8}  # of a class
_MOST_CELLS = 1 << 20  # cells and fields of structs; the largest of our data sets has a thousand


def load(path: os.PathLike | str) -> dict[str, Any]:
    """Reads the variables of a `.mat` file.

    SciPy allocates the declared sizes before it reads the data, and follows nested cells until the
    stack overflows. So the file is checked first.

    Args:
      path: of the file.

    Returns:
      Variable -> array, as from `scipy.io.loadmat`.

    Raises:
      FileNotFoundError: it does not exist; SciPy's own error hides the name.
      OSError: it is no ordinary file.
      ValueError: it declares more than it contains or than `smpl_tf.bounds` allows, or contains
        anything but numbers, texts, cells and structs.
      Exception: SciPy raises many kinds of errors on damaged files.
    """
    content = file_kinds.read_bytes(path, bounds.MOST_MAT_BYTES)
    _check(content)
    return scipy.io.loadmat(io.BytesIO(content))


def _check(content: bytes) -> None:
    """Checks a file."""
    mark = content[126:128]
    if len(content) < _HEADER or mark not in (b"IM", b"MI"):
        raise ValueError("expected a .mat file of MATLAB 5 to 7; is it truncated?")
    order = "<" if mark == b"IM" else ">"
    walk = _Walk(order)
    view, place = memoryview(content), _HEADER
    while place < len(content):
        kind, start, size, place = _element(view, place, order, padded=False)
        element = view[start : start + size]
        if kind == _COMPRESSED:
            unpacked = zlib.decompressobj()
            inner = memoryview(unpacked.decompress(element, walk.left() + 1))
            bounds.check(len(inner), walk.left(), "bytes")
            kind, start, size, _ = _element(inner, 0, order)
            element = inner[start : start + size]
        if kind != _MATRIX:
            raise ValueError(f"has an element of type {kind} where a variable is expected")
        walk.matrix(element, 0)


class _Walk:
    """Counts the declared sizes of a file's matrices.

    Args:
      order: of the bytes, "<" or ">".
    """

    def __init__(self, order: str):
        self._order = order
        self._bytes = 0
        self._cells = 0

    def left(self) -> int:
        """Bytes of arrays that the rest of the file may contain."""
        return bounds.MOST_MAT_BYTES - self._bytes

    def matrix(self, view: memoryview, depth: int) -> None:
        """Checks a matrix and its contents."""
        bounds.check(depth, bounds.MOST_DEPTH, "levels")
        if not len(view):
            return  # an empty cell
        kind, start, _, place = _element(view, 0, self._order)
        flags = struct.unpack_from(f"{self._order}I", view, start)[0] if kind == 6 else 0
        cls, is_complex = flags & 0xFF, bool(flags & 0x800)
        _, start, size, place = _element(view, place, self._order)
        sides = struct.unpack_from(f"{self._order}{size // 4}i", view, start)
        if not 1 < len(sides) <= 32 or min(sides) < 0:
            raise ValueError("has an array whose shape is not a list of sizes")
        count = math.prod(sides)
        _, _, _, place = _element(view, place, self._order)  # the name
        if cls in (_CELL, _STRUCT):
            self._check_cells(view, place, cls, count, depth)
        elif cls == _CHARS or cls in _NUMBERS:
            self._bytes += _BYTES[cls] * count * (1 + is_complex)
            bounds.check(self._bytes, bounds.MOST_MAT_BYTES, "bytes of arrays")
            for _ in range(1 + is_complex):
                kind, _, size, place = _element(view, place, self._order)
                if kind not in _SIZES or size < count * (1 if cls == _CHARS else _SIZES[kind]):
                    if cls != _CHARS or kind != 16:  # UTF-8 is shorter only then
                        raise ValueError(f"declares {count} numbers, but has {size} bytes of them")
        elif cls == _SPARSE:
            raise ValueError("has a sparse array, which none of the data sets uses")
        else:
            raise ValueError(f"has an object of class {cls}, which none of the data sets uses")

    def _check_cells(self, view: memoryview, place: int, cls: int, count: int, depth: int) -> None:
        fields = 1
        if cls == _STRUCT:
            _, start, _, place = _element(view, place, self._order)
            length = max(struct.unpack_from(f"{self._order}i", view, start)[0], 1)
            _, _, size, place = _element(view, place, self._order)
            fields = size // length
        self._cells += max(count * fields, count)
        bounds.check(self._cells, _MOST_CELLS, "cells and fields")
        for _ in range(count * fields):
            kind, start, size, place = _element(view, place, self._order)
            if kind != _MATRIX:
                raise ValueError(f"has a cell of type {kind}, expected a matrix")
            self.matrix(view[start : start + size], depth + 1)


def _element(
    view: memoryview, place: int, order: str, padded: bool = True
) -> tuple[int, int, int, int]:
    """Reads a tag: the element's type, the start and size of its content, and its end."""
    if place + 8 > len(view):
        raise ValueError("is truncated")
    kind, size = struct.unpack_from(f"{order}II", view, place)
    if kind >> 16:  # a small one, inside its tag
        return kind & 0xFFFF, place + 4, min(kind >> 16, 4), place + 8
    start, end = place + 8, place + 8 + size
    if end > len(view):
        raise ValueError(f"declares {size} bytes, the file has {len(view) - start}; truncated?")
    if padded and kind != _COMPRESSED:
        end = min(end + -size % 8, len(view))
    return kind, start, size, end
