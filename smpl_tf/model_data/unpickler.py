"""Reads the pickles of body models without chumpy, and without running what they name.

A pickle is a program. This one may call nothing but the few constructors that body model files
are known to hold, each replaced by ours where the original is gone (chumpy, old SciPy, Python 2).
"""

import collections
import math
import pickle
import pickletools
from typing import IO, Any, NoReturn

import numpy as np
import scipy.sparse

MOST_NUMBERS = 1 << 26  # in all arrays of a file; SMPL-X's largest has 28 million
_MOST_PLACES = 1 << 20  # that a pickle remembers objects in; body models need some hundreds


class ForbiddenClassError(pickle.UnpicklingError):
    """A pickle names something that no body model file holds."""


class _Sealed(type):
    """Keeps a pickle from rewriting the classes that stand in for others."""

    def __setattr__(cls, name: str, value: Any) -> NoReturn:
        raise ForbiddenClassError(f"a new {name} for {cls.__name__}")


class _ChumpyArray(metaclass=_Sealed):
    """Stands for chumpy.ch.Ch, whose value is `x`."""

    x: Any

    def value(self) -> np.ndarray:
        return np.asarray(to_plain(self.x))


class _ChumpySelect(metaclass=_Sealed):
    """Stands for chumpy.reordering.Select: chosen entries of another array."""

    a: Any
    idxs: Any

    def value(self) -> np.ndarray:
        chosen = np.ravel(to_plain(self.a))[np.asarray(to_plain(self.idxs))]
        shape = getattr(self, "preferred_shape", None)
        return chosen if shape is None else chosen.reshape(shape)


class _SparseMatrix(metaclass=_Sealed):
    """Stands for a SciPy sparse matrix of any age."""

    layout: Any = None
    shape: Any
    data: Any
    indices: Any
    indptr: Any

    def value(self) -> np.ndarray:
        shape = getattr(self, "_shape", None) or self.shape
        matrix = self.layout((self.data, self.indices, self.indptr), shape=shape)
        matrix.check_format(full_check=True)  # SciPy writes where the indices say
        if math.prod(matrix.shape) > MOST_NUMBERS:
            raise ValueError(f"a sparse matrix of shape {matrix.shape}")
        return matrix.toarray()


class _CscMatrix(_SparseMatrix):
    layout = scipy.sparse.csc_matrix


class _CsrMatrix(_SparseMatrix):
    layout = scipy.sparse.csr_matrix


class _Array(metaclass=_Sealed):
    """Stands for numpy.ndarray: to be named by a pickle, but not called with a size."""

    def __new__(cls, *args: Any) -> NoReturn:
        raise ForbiddenClassError("numpy.ndarray, called")


_STAND_INS = (_ChumpyArray, _ChumpySelect, _SparseMatrix)


def _reconstruct(cls: type, shape: Any, dtype: Any) -> np.ndarray:
    """Stands for numpy's _reconstruct, by which pickles make the array that they then fill."""
    if cls is not _Array:
        raise ForbiddenClassError("numpy's _reconstruct of an unexpected class")
    return _RECONSTRUCT(np.ndarray, (0,), b"b")


def _latin1_bytes(text: str, encoding: str) -> bytes:
    """Stands for _codecs.encode, by which Python 3 writes bytes in old protocols."""
    if encoding != "latin1":
        raise ForbiddenClassError(f"_codecs.encode to {encoding}")
    return text.encode("latin1")


def _new_instance(cls: type, base: type, state: Any) -> Any:
    """Stands for copy_reg._reconstructor, by which protocols 0 and 1 make instances."""
    if not issubclass(cls, _STAND_INS) or base is not object or state is not None:
        raise ForbiddenClassError("copy_reg._reconstructor of an unexpected class")
    return cls()


# How NumPy itself restores arrays and scalars; the functions have no public names.
_RECONSTRUCT: Any = np.zeros(1).__reduce__()[0]
_SCALAR = np.float64(0.0).__reduce__()[0]
_FROMBUFFER = np.zeros(1).__reduce_ex__(5)[0]

_ALLOWED = {
    ("chumpy.ch", "Ch"): _ChumpyArray,
    ("chumpy.reordering", "Select"): _ChumpySelect,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): np.dtype,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("_codecs", "encode"): _latin1_bytes,
    **{(module, "object"): object for module in ("__builtin__", "builtins")},
    **{(module, "set"): set for module in ("__builtin__", "builtins")},
    **{(module, "_reconstructor"): _new_instance for module in ("copy_reg", "copyreg")},
    **{
        (f"numpy.{core}.{module}", name): function
        for core in ("core", "_core")
        for module, name, function in (
            ("multiarray", "_reconstruct", _reconstruct),
            ("multiarray", "scalar", _SCALAR),
            ("numeric", "_frombuffer", _FROMBUFFER),
        )
    },
    **{
        (f"scipy.sparse.{module}", name): stand_in
        for layout, stand_in in (("csc", _CscMatrix), ("csr", _CsrMatrix))
        for module in (layout, f"_{layout}")
        for name in (f"{layout}_matrix", f"{layout}_array")
    },
}


class _BodyUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise ForbiddenClassError(f"{module}.{name}") from None

    def persistent_load(self, pid: Any) -> NoReturn:
        raise ForbiddenClassError("a persistent id")


def load(file: IO[bytes]) -> Any:
    """Reads one pickled object, calling nothing but known constructors of arrays.

    Args:
      file: open for binary reading. Python 2's byte strings are read as Latin-1.

    Returns:
      The object; `to_plain` turns the arrays inside it into NumPy's.

    Raises:
      ForbiddenClassError: if the pickle names any other class or function; it was not run.
      Exception: whatever a broken pickle makes `pickle` raise.
    """
    start = file.tell()
    # `pickle` clears memory for all places up to the one that is named.
    if (places := _most_remembered(file)) > _MOST_PLACES:
        raise ValueError(f"a pickle that remembers {places} things")
    file.seek(start)
    return _BodyUnpickler(file, encoding="latin1").load()


def _most_remembered(file: IO[bytes]) -> int:
    stores = ("PUT", "BINPUT", "LONG_BINPUT")
    operations = pickletools.genops(file)
    try:
        places = [place for code, place, _ in operations if code.name in stores]
        return max((place for place in places if place is not None), default=0)
    except ValueError as error:
        raise pickle.UnpicklingError(f"truncated, or no pickle at all ({error})") from error


def to_plain(value: Any) -> Any:
    """Returns a chumpy or sparse array as a NumPy array, and anything else as it is."""
    return value.value() if isinstance(value, _STAND_INS) else value
