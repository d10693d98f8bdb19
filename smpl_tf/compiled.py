"""Compiles functions with numba, and keeps the machine code where there is a folder for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def njit(**options: Any) -> Callable[[Callable], Callable]:
    """Makes a decorator like `numba.njit(cache=True)` that works without any writable folder.

    numba keeps its machine code beside the module or in the user's home. In containers with an
    installation that is read-only and without a home there is neither: each process compiles.

    Args:
      **options: of `numba.njit`.

    Returns:
      The decorator.
    """

    def decorate(function: Callable) -> Callable:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # "cannot cache function: no locator available"
            return numba.njit(**options)(function)

    return decorate
