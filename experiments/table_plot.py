"""A table as a plot: every row in proportion to one of them, ours and the paper's."""

from __future__ import annotations

import html
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

_WIDTH, _LEFT, _RIGHT, _TOP, _LINE = 760, 200, 24, 34, 26
_HEIGHT, _AXIS, _LEGEND = 380, 56, 190  # of lines: height, room left and right of them
_OURS, _THEIRS, _INK, _SOFT, _GRID = "#1f6fb2", "#c2571a", "#1d2126", "#626a73", "#e2dfd9"
_COLOURS = ("#1f6fb2", "#2a8a57", "#8a4fa3", "#c28a00")
_STEPS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 20, 50)


class Mark(NamedTuple):
    """One row.

    Attributes:
      ours: its values by seed, in proportion to the reference.
      theirs: the paper's, likewise; None where it has none.
    """

    ours: Sequence[float]
    theirs: float | None


def rows(marks: Mapping[str, Mark], axis: str) -> str:
    """Draws rows one below the other, on a logarithmic axis.

    Args:
      marks: label -> row.
      axis: what is drawn.

    Returns:
      An SVG file's text.
    """
    low, high, share = _logarithmic(marks.values())
    height = _TOP + _LINE * len(marks) + 40
    bottom = height - 36

    def x(value):
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * share(value)

    lines = _start(height, _LEFT, any(mark.theirs for mark in marks.values()))
    for value in (v for v in _STEPS if low <= v <= high):
        colour = _SOFT if value == 1 else _GRID
        lines.append(
            f'<path d="M{x(value):.1f} {_TOP}V{bottom}" stroke="{colour}"/>'
            + _text(f"{value:g}", x(value), bottom + 15, "middle", _SOFT)
        )
    lines.append(_text(axis, (_LEFT + _WIDTH - _RIGHT) / 2, height - 5, "middle"))
    for i, (label, mark) in enumerate(marks.items()):
        y = _TOP + _LINE * (i + 0.5)
        lines.append(_text(label, _LEFT - 12, y + 4, "end"))
        if mark.ours:
            ends = f"M{x(min(mark.ours)):.1f} {y}H{x(max(mark.ours)):.1f}"
            lines.append(f'<path d="{ends}" stroke="{_OURS}" stroke-width="2"/>')
            lines += [_dot(x(value), y, 2.5, _OURS) for value in mark.ours]
            lines.append(_dot(x(statistics.median(mark.ours)), y, 5, _OURS))
        if mark.theirs:
            lines.append(_diamond(x(mark.theirs), y))
    return "\n".join([*lines, "</svg>\n"])


def lines(
    marks: Mapping[str, Sequence[Mark]], columns: Sequence[str], axis: str, across: str
) -> str:
    """Draws each row of a matrix as a line over its columns, on a logarithmic axis.

    Args:
      marks: label -> one mark per column.
      columns: their labels.
      axis: what is drawn.
      across: what the columns differ in.

    Returns:
      An SVG file's text.
    """
    every = [mark for row in marks.values() for mark in row]
    low, high, share = _logarithmic(every)
    bottom, right = _HEIGHT - 54, _WIDTH - _LEGEND

    def x(column):
        return _AXIS + (right - _AXIS) * (column + 0.5) / len(columns)

    def y(value):
        return bottom - (bottom - _TOP) * share(value)

    drawn = _start(_HEIGHT, _AXIS, any(mark.theirs for mark in every))
    for value in (v for v in _STEPS if low <= v <= high):
        colour = _SOFT if value == 1 else _GRID
        drawn.append(
            f'<path d="M{_AXIS} {y(value):.1f}H{right}" stroke="{colour}"/>'
            + _text(f"{value:g}", _AXIS - 8, y(value) + 4, "end", _SOFT)
        )
    drawn += [_text(label, x(i), bottom + 18, "middle") for i, label in enumerate(columns)]
    drawn.append(_text(across, (_AXIS + right) / 2, bottom + 36, "middle", _SOFT))
    drawn.append(_text(axis, _AXIS, _HEIGHT - 2, "start", _SOFT))
    for i, (label, row) in enumerate(marks.items()):
        colour = _COLOURS[i % len(_COLOURS)]
        theirs = [(x(j), y(mark.theirs)) for j, mark in enumerate(row) if mark.theirs]
        drawn.append(_path(theirs, f'stroke="{colour}" stroke-dasharray="2 4"'))
        drawn += [_diamond(*at, colour) for at in theirs]
        ours = [(x(j), statistics.median(m.ours)) for j, m in enumerate(row) if m.ours]
        drawn.append(_path([(a, y(v)) for a, v in ours], f'stroke="{colour}" stroke-width="2"'))
        for j, mark in enumerate(row):
            drawn += [_dot(x(j), y(value), 2.5, colour) for value in mark.ours]
        drawn += [_dot(a, y(v), 5, colour) for a, v in ours]
        at = _TOP + 12 + 20 * i
        drawn.append(_dot(right + 14, at - 4, 5, colour) + _text(label, right + 26, at, "start"))
    return "\n".join([*filter(None, drawn), "</svg>\n"])


def _logarithmic(marks: Iterable[Mark]) -> tuple[float, float, Callable[[float], float]]:
    """The ends of the axis, and where between them, from 0 to 1, a value stands."""
    values = [v for m in marks for v in (*m.ours, *([m.theirs] if m.theirs else []))]
    low, high = min([0.9, *values]) * 0.95, max([1.1, *values]) * 1.05
    return low, high, lambda value: math.log(value / low) / math.log(high / low)


def _start(height: float, left: float, theirs: bool) -> list[str]:
    """The picture's head, ground and legend."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'font-family="sans-serif" font-size="13" fill="{_INK}">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        _dot(left + 6, 16, 4, _INK) + _text("here: median, and each seed", left + 16, 20, "start"),
    ]
    if theirs:
        parts.append(_diamond(left + 246, 16) + _text("the paper", left + 256, 20, "start"))
    return parts


def _text(words: str, x: float, y: float, anchor: str, colour: str = _INK) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
        f"{html.escape(words)}</text>"
    )


def _path(points: Sequence[tuple[float, float]], stroke: str) -> str:
    corners = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path d="M{corners}" fill="none" {stroke}/>' if points else ""


def _dot(x: float, y: float, radius: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>'


def _diamond(x: float, y: float, colour: str = _THEIRS) -> str:
    path = f"M{x:.1f} {y - 5.5:.1f}l5.5 5.5l-5.5 5.5l-5.5 -5.5z"
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
