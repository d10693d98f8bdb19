"""People from every quarter of the errors, so that a page never shows the best alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from experiments.pages import report

PEOPLE_PER_QUARTER = 2
_QUARTERS = ("Best quarter", "Second quarter", "Third quarter", "Worst quarter")


def choose(errors: np.ndarray) -> list[list[int]]:
    """Picks people evenly from every quarter of the errors, never by their looks.

    Args:
      errors: `[N]`; NaN is left out.

    Returns:
      For each quarter, best first, indices of people in the order of their errors.
    """
    order = [int(i) for i in np.argsort(errors) if np.isfinite(errors[i])]
    quarters = np.array_split(order, len(_QUARTERS))
    places = (np.arange(PEOPLE_PER_QUARTER) + 0.5) / PEOPLE_PER_QUARTER
    return [
        [int(i) for i in dict.fromkeys(quarter[(places * len(quarter)).astype(int)])]
        if len(quarter)
        else []
        for quarter in quarters
    ]


def groups(
    errors: np.ndarray,
    examples: Iterable[Any],
    draw: Callable[[int, Any], report.Person],
    of: str,
) -> list[report.Group]:
    """Draws people of every quarter of the errors.

    Args:
      errors: `[N]`, small is good; NaN is left out.
      examples: the N people in the same order.
      draw: index, Example -> the person on the page.
      of: what the quarters are of.

    Returns:
      One group per quarter that has people.
    """
    chosen = choose(errors)
    wanted = {index for quarter in chosen for index in quarter}
    drawn = {i: draw(i, example) for i, example in enumerate(examples) if i in wanted}
    return [
        report.Group(f"{name} of the {of}", [drawn[i] for i in quarter])
        for name, quarter in zip(_QUARTERS, chosen, strict=True)
        if quarter
    ]
