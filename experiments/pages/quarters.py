"""People from every quarter of the errors, and the worst: a page never shows only the best."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from experiments.pages import report

PEOPLE_PER_QUARTER = 2
WORST_PEOPLE = 2
_QUARTERS = ("Best quarter", "Second quarter", "Third quarter", "Worst quarter")


def choose(errors: np.ndarray) -> list[list[int]]:
    """Picks people evenly from every quarter of the errors, never by appearance.

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
    """Draws people from every quarter of the errors, and the worst.

    Args:
      errors: `[N]`, smaller is better; NaN is left out.
      examples: the N people in the same order.
      draw: (index, Example) -> the person on the page.
      of: name of the error.

    Returns:
      One group per quarter that has people, then the worst people, the worst first.
    """
    chosen = choose(errors)
    known = [int(i) for i in np.argsort(-errors) if np.isfinite(errors[i])]
    worst = known[:WORST_PEOPLE]
    wanted = {index for some in (*chosen, worst) for index in some}
    drawn = {i: draw(i, example) for i, example in enumerate(examples) if i in wanted}
    named = zip((*_QUARTERS, "Worst"), (*chosen, worst), strict=True)
    return [
        report.Group(f"{name} of the {of}", [drawn[i] for i in some])
        for name, some in named
        if some
    ]
