"""Reads the pickles of body models without chumpy, and without running any code they name.

A pickle is a program that calls classes and sets their state. Here each of the few names in the
files of bodies and poses maps to a function of ours, which accepts exactly the arguments and state
of those files. NumPy and SciPy are never called with arguments from a file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import partial
from typing import IO, Any, Literal

import numpy as np

from smpl_tf import bounds
from smpl_tf.model_data import pickle_machine
from smpl_tf.model_data.pickle_machine import ForbiddenClassError, Name, Unbuilt
from smpl_tf.model_data.stand_ins import ChumpyArray, ChumpySelect, SparseMatrix, StandIn

# Numbers, truth values, texts of a length, Python objects; no fields, sub-arrays, dates or raw
# bytes.
_PLAIN_TYPE = re.compile(r"[<>=|]?(b1|[iu][1248]|f[248]|c8|c16|O8?|[SU]\d{1,6}|[?bBhHiIlLqQefd])")


def load(file: IO[bytes]) -> Any:
    """Reads one pickled object, without calling anything that it names.

    Args:
      file: open for binary reading. Python 2's byte strings are read as Latin-1.

    Returns:
      The object: lists, dicts, texts, numbers, NumPy's arrays; `to_plain` turns the chumpy and
      sparse arrays inside it into NumPy's. With all references expanded, it has at most
      MOST_NUMBERS entries and depth MOST_DEPTH.

    Raises:
      ForbiddenClassError: if the pickle names any other class or function, or calls one with other
        arguments; no code was run.
      ValueError: if it is damaged, or declares more than `smpl_tf.bounds` allows.
    """
    reader = _Reader()
    result = pickle_machine.run(file, _find, reader.call, reader.build)
    _check_size(result)
    return result


def to_plain(value: Any) -> Any:
    """Returns a chumpy or sparse array as a NumPy array, and anything else as it is."""
    return value.value() if isinstance(value, StandIn) else value


def _find(module: str, name: str) -> Name:
    found = Name(module, name)
    if found not in _KNOWN:
        raise ForbiddenClassError(str(found))
    return found


class _Type:
    """Replaces numpy.dtype: a plain type whose byte order alone may be set."""

    def __init__(self, text: Any, *flags: Any):
        if not isinstance(text, str) or not _PLAIN_TYPE.fullmatch(text):
            raise ForbiddenClassError(f"the array type {_shown(text)}")
        self.dtype = np.dtype(text)
        if not self.dtype.itemsize:
            raise ForbiddenClassError("an array type without size")

    def with_state(self, state: Any) -> _Type:
        """Returns the type with the byte order of a state, which may contain nothing else."""
        if (
            not isinstance(state, tuple)
            or not 5 <= len(state) <= 9
            or state[1] not in tuple("<>=|")
        ):
            raise ForbiddenClassError("the state of an array type")
        size = state[5] if len(state) > 5 else -1
        if any(one is not None for one in (*state[2:5], *state[8:])) or (
            size not in (-1, self.dtype.itemsize)
        ):
            raise ForbiddenClassError("fields or a new size for an array type")
        result = _Type(self.dtype.str.lstrip("<>=|"))
        result.dtype = self.dtype.newbyteorder(state[1])
        return result


class _Reader:
    """Creates the objects of a pickle; counts the bytes of its arrays."""

    def __init__(self) -> None:
        self._bytes = 0

    def call(self, name: Name, arguments: tuple, makes_instance: bool) -> Any:
        """See `pickle_machine.run`."""
        if name in _STAND_INS:
            if arguments:
                raise ForbiddenClassError(f"{name} with arguments")
            return _STAND_INS[name]()
        function, fewest, most = _FUNCTIONS.get(name, (None, 0, 0))
        if function is None or makes_instance or not fewest <= len(arguments) <= most:
            raise ForbiddenClassError(f"{name}, called with unexpected arguments")
        return function(self, *arguments)

    def build(self, target: Any, state: Any) -> Any:
        """See `pickle_machine.run`."""
        if isinstance(target, _Type):
            return target.with_state(state)
        if isinstance(target, StandIn):
            target.set_state(state)
            return target
        if isinstance(target, Unbuilt):
            if not isinstance(state, tuple) or len(state) != 5:
                raise ForbiddenClassError("the state of an array")
            _, shape, dtype, is_fortran, content = state
            return self._array(shape, dtype, "F" if is_fortran else "C", content)
        raise ForbiddenClassError(f"a state for {_shown(target)}")

    def _array(self, shape: Any, dtype: Any, order: Literal["C", "F"], content: Any) -> np.ndarray:
        """An array of checked bytes, or of a checked list of objects."""
        if not isinstance(dtype, _Type):
            raise ForbiddenClassError("an array of an unknown type")
        sizes = shape if isinstance(shape, tuple) else (shape,)
        if len(sizes) > 32 or not all(type(one) is int and 0 <= one < 2**31 for one in sizes):
            raise ValueError("an array whose shape is not a tuple of sizes")
        count, plain = math.prod(sizes), dtype.dtype
        if plain.hasobject:
            if not isinstance(content, list) or len(content) != count:
                raise ValueError(f"an array of {count} objects from something else")
            objects = np.empty(count, object)
            for place, one in enumerate(content):  # otherwise NumPy would convert lists inside
                objects[place] = one
            return objects.reshape(sizes, order=order)
        content = content.encode("latin1") if isinstance(content, str) else content
        if not isinstance(content, bytes) or len(content) != count * plain.itemsize:
            size = len(content) if isinstance(content, bytes) else 0
            raise ValueError(f"an array of {count * plain.itemsize} bytes from {size}")
        self._bytes += len(content)
        bounds.check(self._bytes, 8 * bounds.MOST_NUMBERS, "bytes of arrays")
        array = np.frombuffer(content, plain) if content else np.zeros(count, plain)
        return array.astype(plain.newbyteorder("=")).reshape(sizes, order=order)

    def _reconstruct(self, cls: Any, shape: Any, dtype: Any) -> Unbuilt:
        if cls != _NDARRAY:
            raise ForbiddenClassError("numpy's _reconstruct of an unexpected class")
        return Unbuilt()

    def _from_buffer(self, content: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
        if isinstance(dtype, _Type) and dtype.dtype.hasobject:
            raise ForbiddenClassError("objects from bytes")
        if order not in ("C", "F"):
            raise ForbiddenClassError("an array of an unknown order")
        return self._array(shape, dtype, order, content)

    def _scalar(self, dtype: Any, content: Any) -> Any:
        if isinstance(dtype, _Type) and dtype.dtype.hasobject:
            raise ForbiddenClassError("an object from bytes")
        return self._array((), dtype, "C", content)[()]

    def _dtype(self, *arguments: Any) -> _Type:
        return _Type(*arguments)

    def _latin1_bytes(self, text: Any, encoding: Any) -> bytes:
        """Python 3 writes bytes this way in old protocols."""
        if encoding != "latin1" or not isinstance(text, str):
            raise ForbiddenClassError(f"_codecs.encode to {_shown(encoding)}")
        self._bytes += len(text)
        bounds.check(self._bytes, 16 * bounds.MOST_NUMBERS, "bytes of arrays")
        return text.encode("latin1")

    def _no_bytes(self) -> bytes:
        return b""

    def _set(self, items: Any = ()) -> set:
        if not isinstance(items, list | tuple):
            raise ForbiddenClassError(f"a set of a {type(items).__name__}")
        return {pickle_machine.checked_key(item) for item in items}

    def _ordered_dict(self, items: Any = ()) -> dict:
        if not isinstance(items, list | tuple) or not all(
            isinstance(one, list | tuple) and len(one) == 2 for one in items
        ):
            raise ForbiddenClassError("an OrderedDict of something else than pairs")
        return {pickle_machine.checked_key(key): value for key, value in items}

    def _new_instance(self, cls: Any, base: Any, state: Any) -> StandIn:
        """Protocols 0 and 1 create instances this way, by copy_reg._reconstructor."""
        if cls not in _STAND_INS or base not in _OBJECT or state is not None:
            raise ForbiddenClassError("copy_reg._reconstructor of an unexpected class")
        return _STAND_INS[cls]()


_NDARRAY = Name("numpy", "ndarray")
_BUILTINS = ("__builtin__", "builtins")
_OBJECT = tuple(Name(module, "object") for module in _BUILTINS)
_STAND_INS: dict[Any, Callable[[], StandIn]] = {
    Name("chumpy.ch", "Ch"): ChumpyArray,
    Name("chumpy.reordering", "Select"): ChumpySelect,
    **{
        Name(f"scipy.sparse.{module}", name): partial(SparseMatrix, layout)
        for layout in ("csc", "csr")
        for module in (layout, f"_{layout}")
        for name in (f"{layout}_matrix", f"{layout}_array")
    },
}
# Name -> function, fewest and most arguments.
_FUNCTIONS: dict[Name, tuple[Callable[..., Any], int, int]] = {
    Name("numpy", "dtype"): (_Reader._dtype, 1, 3),
    Name("collections", "OrderedDict"): (_Reader._ordered_dict, 0, 1),
    Name("_codecs", "encode"): (_Reader._latin1_bytes, 2, 2),
    **{Name(module, "bytes"): (_Reader._no_bytes, 0, 0) for module in _BUILTINS},
    **{Name(module, "set"): (_Reader._set, 0, 1) for module in _BUILTINS},
    **{
        Name(module, "_reconstructor"): (_Reader._new_instance, 3, 3)
        for module in ("copy_reg", "copyreg")
    },
    **{
        Name(f"numpy.{core}.{module}", name): (function, count, count)
        for core in ("core", "_core")
        for module, name, function, count in (
            ("multiarray", "_reconstruct", _Reader._reconstruct, 3),
            ("multiarray", "scalar", _Reader._scalar, 2),
            ("numeric", "_frombuffer", _Reader._from_buffer, 4),
        )
    },
}

_KNOWN = {_NDARRAY, *_OBJECT, *_STAND_INS, *_FUNCTIONS}


def _shown(value: Any) -> str:
    """Returns a few words for a message; an object of a pickle may be endless in full."""
    return repr(str(value)[:60]) if isinstance(value, str | Name) else f"a {type(value).__name__}"


def _check_size(result: Any) -> None:
    """Rejects objects that are small in memory and endless when expanded.

    A list that holds one list ten times, which holds another ten times, and so on, takes a
    kilobyte; but code that walks through it, such as NumPy or an error message, takes forever.
    """
    sizes: dict[int, tuple[float, int]] = {}  # id -> size written out, depth
    on_way: set[int] = set()
    waiting = [result]
    while waiting:
        value = waiting[-1]
        if id(value) in sizes:
            waiting.pop()
            continue
        parts = _parts(value)
        unknown = [part for part in parts if id(part) not in sizes]
        if unknown:
            if id(value) in on_way:
                raise ForbiddenClassError("an object that contains itself")
            on_way.add(id(value))
            waiting.extend(unknown)
            continue
        depth = 1 + max((sizes[id(part)][1] for part in parts), default=0)
        size = _own_size(value) + sum(sizes[id(part)][0] for part in parts)
        bounds.check(size, bounds.MOST_NUMBERS, "numbers")
        bounds.check(depth, bounds.MOST_DEPTH, "levels")
        sizes[id(value)] = size, depth
        on_way.discard(id(value))
        waiting.pop()


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list | tuple) and not isinstance(value, Name):
        return list(value)
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        return value.ravel().tolist()
    return value.parts() if isinstance(value, StandIn) else []


def _own_size(value: Any) -> int:
    if isinstance(value, Unbuilt):
        raise ValueError("an array without a state")
    if isinstance(value, Name | _Type):
        raise ForbiddenClassError(f"{_shown(value)} as a value")
    if isinstance(value, StandIn):
        return value.own_size()
    return value.size if isinstance(value, np.ndarray) else 1
