"""Replaces the classes of chumpy and SciPy in pickles by plain data and its array."""

from __future__ import annotations

import functools
import math
from typing import Any, ClassVar

import numpy as np

from smpl_tf.model_data.pickle_machine import ForbiddenClassError


class StandIn:
    """An object of a pickle with some known fields; all others are dropped."""

    KNOWN: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        """Starts without a state."""
        self._state: dict[str, Any] = {}

    def set_state(self, state: Any) -> None:
        """Takes the known fields of a state.

        Args:
          state: what the pickle gives.

        Raises:
          ForbiddenClassError: it is not a dict, or the object already has a state.
        """
        if not isinstance(state, dict) or self._state:
            raise ForbiddenClassError(f"the state of a {type(self).__name__}")
        self._state = {name: state[name] for name in self.KNOWN if name in state}

    def parts(self) -> list[Any]:
        """The fields, for code that walks through the result."""
        return list(self._state.values())

    def own_size(self) -> int:
        """How many numbers the array has besides those of its fields."""
        return 1

    def value(self) -> np.ndarray:
        """Returns the array that the object represents."""
        raise NotImplementedError


class ChumpyArray(StandIn):
    """Replaces chumpy.ch.Ch, whose value is `x`."""

    KNOWN = ("x",)

    def value(self) -> np.ndarray:
        """See `StandIn`."""
        return numbers(self._state.get("x"))


class ChumpySelect(StandIn):
    """Replaces chumpy.reordering.Select: chosen entries of another array."""

    KNOWN = ("a", "idxs", "preferred_shape")

    @functools.cached_property
    def _chosen(self) -> np.ndarray:
        # Computed once: an object that holds another twice, which holds another twice, and so on,
        # would take forever.
        chosen = np.ravel(numbers(self._state.get("a")))[numbers(self._state.get("idxs"))]
        shape = self._state.get("preferred_shape")
        return chosen if shape is None else chosen.reshape(shape)

    def value(self) -> np.ndarray:
        """See `StandIn`."""
        return self._chosen


class SparseMatrix(StandIn):
    """Replaces a SciPy sparse matrix of any version.

    Args:
      layout: "csc" or "csr".
    """

    KNOWN = ("_shape", "shape", "data", "indices", "indptr")

    def __init__(self, layout: str) -> None:
        """Starts without a state."""
        super().__init__()
        self._layout = layout

    def own_size(self) -> int:
        """See `StandIn`."""
        return math.prod(self._shape())

    def value(self) -> np.ndarray:
        """See `StandIn`."""
        shape = self._shape()
        data, places, starts = (
            np.ravel(numbers(self._state.get(name))) for name in ("data", "indices", "indptr")
        )
        across, along = shape if self._layout == "csc" else shape[::-1]
        places, starts = places.astype(np.int64), starts.astype(np.int64)
        fits = (
            len(starts) == along + 1
            and starts[0] == 0
            and starts[-1] == len(data) == len(places)
            and (np.diff(starts) >= 0).all()
            and ((places >= 0) & (places < across)).all()
        )
        if not fits:
            raise ValueError(f"a sparse matrix whose indices do not fit its shape {shape}")
        dense = np.zeros((across, along), data.dtype)
        np.add.at(dense, (places, np.repeat(np.arange(along), np.diff(starts))), data)
        return dense if self._layout == "csc" else dense.T

    def _shape(self) -> tuple[int, int]:
        shape = self._state.get("_shape", self._state.get("shape"))
        if (
            not isinstance(shape, tuple)
            or len(shape) != 2
            or not all(type(one) is int and 0 <= one < 2**31 for one in shape)
        ):
            raise ValueError("a sparse matrix whose shape is not a pair of sizes")
        return shape


def numbers(value: Any) -> np.ndarray:
    """Reads the numbers of a stand-in, an array, or lists.

    Args:
      value: from a pickle.

    Returns:
      An array of numbers.

    Raises:
      ValueError: it contains anything but numbers.
    """
    value = value.value() if isinstance(value, StandIn) else value
    if not isinstance(value, np.ndarray):
        _refuse_texts(value)
        value = np.asarray(value)
    if value.dtype.kind not in "biufc":
        raise ValueError(f"expected numbers, got an array of {value.dtype}")
    return value


def _refuse_texts(value: Any) -> None:
    """Rejects texts: NumPy stores all texts of an array as long as the longest."""
    if isinstance(value, list | tuple):
        for one in value:
            _refuse_texts(one)
    elif not isinstance(value, bool | int | float | np.number | np.ndarray):
        raise ValueError(f"expected numbers, got a {type(value).__name__}")
