"""A table as a plot: every row in proportion to one of them, ours and the paper's."""

from __future__ import annotations

import html
import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

_WIDTH, _LEFT, _RIGHT, _TOP, _LINE = 760, 200, 24, 34, 26
_OURS, _THEIRS, _INK, _SOFT, _GRID = "#1f6fb2", "#c2571a", "#1d2126", "#626a73", "#e2dfd9"
_STEPS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 20, 50)


class Bar(NamedTuple):
    """One row.

    Attributes:
      label: its name.
      ours: its values by seed, in proportion to the reference.
      theirs: the paper's, likewise; None where it has none.
    """

    label: str
    ours: Sequence[float]
    theirs: float | None


def draw(bars: Sequence[Bar], axis: str) -> str:
    """Draws the rows one below the other, on a logarithmic axis.

    Args:
      bars: the rows.
      axis: what is drawn.

    Returns:
      An SVG file's text.
    """
    values = [v for bar in bars for v in (*bar.ours, *([bar.theirs] if bar.theirs else []))]
    low, high = min([0.9, *values]) * 0.95, max([1.1, *values]) * 1.05
    height = _TOP + _LINE * len(bars) + 40
    bottom = height - 36

    def x(value):
        share = math.log(value / low) / math.log(high / low)
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * share

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'font-family="sans-serif" font-size="13" fill="{_INK}">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<circle cx="{_LEFT + 6}" cy="16" r="4" fill="{_OURS}"/>'
        f'<text x="{_LEFT + 16}" y="20">here: median, and each seed</text>',
        f'{_diamond(_LEFT + 246, 16)}<text x="{_LEFT + 256}" y="20">the paper</text>',
    ]
    for value in (v for v in _STEPS if low <= v <= high):
        colour = _SOFT if value == 1 else _GRID
        lines.append(
            f'<path d="M{x(value):.1f} {_TOP}V{bottom}" stroke="{colour}"/>'
            f'<text x="{x(value):.1f}" y="{bottom + 15}" text-anchor="middle" '
            f'fill="{_SOFT}">{value:g}</text>'
        )
    lines.append(
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{height - 5}" text-anchor="middle">'
        f"{html.escape(axis)}</text>"
    )
    for i, bar in enumerate(bars):
        y = _TOP + _LINE * (i + 0.5)
        lines.append(
            f'<text x="{_LEFT - 12}" y="{y + 4}" text-anchor="end">{html.escape(bar.label)}</text>'
        )
        if bar.ours:
            ends = f"M{x(min(bar.ours)):.1f} {y}H{x(max(bar.ours)):.1f}"
            lines.append(f'<path d="{ends}" stroke="{_OURS}" stroke-width="2"/>')
            for value in bar.ours:
                lines.append(f'<circle cx="{x(value):.1f}" cy="{y}" r="2.5" fill="{_OURS}"/>')
            middle = x(statistics.median(bar.ours))
            lines.append(f'<circle cx="{middle:.1f}" cy="{y}" r="5" fill="{_OURS}"/>')
        if bar.theirs:
            lines.append(_diamond(x(bar.theirs), y))
    return "\n".join([*lines, "</svg>\n"])


def _diamond(x: float, y: float) -> str:
    path = f"M{x:.1f} {y - 5.5}l5.5 5.5l-5.5 5.5l-5.5 -5.5z"
    return f'<path d="{path}" fill="none" stroke="{_THEIRS}" stroke-width="2"/>'
