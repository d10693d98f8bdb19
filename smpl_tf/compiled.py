"""Compiles functions with numba, and caches the machine code where a folder is writable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def njit(**options: Any) -> Callable[[Callable], Callable]:
    """Makes a decorator like `numba.njit(cache=True)` that works without any writable folder.

    numba caches its machine code next to the module or in the user's home folder. In a container
    with a read-only installation and no home folder, each process compiles again.

    Args:
      **options: arguments of `numba.njit`.

    Returns:
      The decorator.
    """

    def decorate(function: Callable) -> Callable:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # "cannot cache function: no locator available"
            return numba.njit(**options)(function)

    return decorate
