"""Plots a table: every row relative to one of them, ours and the paper's."""

from __future__ import annotations

import io
import itertools
import statistics
import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

_OURS, _THEIRS = "#1f6fb2", "#c2571a"
_COLOURS = ("#1f6fb2", "#2a8a57", "#8a4fa3", "#c28a00")
_TICKS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.5, 2, 3, 5, 7, 10, 20, 50)
# Text stays text, and equal numbers give equal files.
_SVG = {"svg.fonttype": "none", "svg.hashsalt": "tables", "font.size": 10}


class Mark(NamedTuple):
    """One row.

    Attributes:
      ours: its values by seed, relative to the reference.
      theirs: the paper's relative value; None if it has none.
    """

    ours: Sequence[float]
    theirs: float | None


def rows(marks: Mapping[str, Mark], label: str) -> str:
    """Draws rows below each other, on a logarithmic axis.

    Args:
      marks: label -> row.
      label: of the axis.

    Returns:
      An SVG file's text.
    """
    with matplotlib.rc_context(_SVG):
        figure, axes = _figure(0.28 * len(marks) + 1.2)
        for y, mark in enumerate(marks.values()):
            axes.plot(mark.ours, [y] * len(mark.ours), ".-", color=_OURS)
            if mark.ours:
                axes.plot(statistics.median(mark.ours), y, "o", color=_OURS)
            if mark.theirs:
                axes.plot(mark.theirs, y, "D", color=_THEIRS, fillstyle="none")
        axes.set_xscale("log")
        _proportions(axes.xaxis)
        axes.set_xlabel(label)
        axes.set_yticks(range(len(marks)), [*marks])
        axes.invert_yaxis()
        _legend(axes, _OURS, _THEIRS if any(m.theirs for m in marks.values()) else None)
        return _svg(figure)


def lines(
    marks: Mapping[str, Sequence[Mark]], columns: Sequence[str], label: str, across: str
) -> str:
    """Draws each row of a matrix as a line over its columns, on a logarithmic axis.

    Args:
      marks: label -> one mark per column.
      columns: their labels.
      label: of the axis.
      across: label of the columns.

    Returns:
      An SVG file's text.
    """
    with matplotlib.rc_context(_SVG):
        figure, axes = _figure(4.2)
        named = []
        for (name, row), colour in zip(marks.items(), itertools.cycle(_COLOURS), strict=False):
            ours = {x: mark.ours for x, mark in enumerate(row) if mark.ours}
            theirs = {x: mark.theirs for x, mark in enumerate(row) if mark.theirs}
            for x, values in ours.items():
                axes.plot([x] * len(values), values, ".", color=colour)
            medians = [statistics.median(values) for values in ours.values()]
            named += axes.plot([*ours], medians, "o-", color=colour, label=name)
            axes.plot([*theirs], [*theirs.values()], "D:", color=colour, fillstyle="none")
        axes.set_yscale("log")
        _proportions(axes.yaxis)
        axes.set_ylabel(label)
        axes.set_xticks(range(len(columns)), [textwrap.fill(column, 16) for column in columns])
        axes.set_xlabel(across)
        theirs = any(mark.theirs for row in marks.values() for mark in row)
        _legend(axes, "black", "black" if theirs else None, named)
        return _svg(figure)


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure((8, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _proportions(axis: Axis) -> None:
    """Sets ticks at round ratios."""
    low, high = axis.get_view_interval()
    low, high = min(low, 0.9), max(high, 1.1)
    axis.set_view_interval(low, high)
    axis.set_major_locator(FixedLocator([tick for tick in _TICKS if low <= tick <= high]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.grid(color="0.9")
    axis.axes.set_axisbelow(True)


def _legend(axes: Axes, ours: str, theirs: str | None, named: Sequence[Line2D] = ()) -> None:
    """Draws the legend; None: the paper has no number."""
    kinds = axes.plot([], [], "o", color=ours, label="here: median")
    kinds += axes.plot([], [], ".", color=ours, label="here: a seed")
    if theirs:
        kinds += axes.plot([], [], "D", color=theirs, fillstyle="none", label="the paper")
    axes.legend(handles=[*named, *kinds], loc="upper left", bbox_to_anchor=(1, 1), frameon=False)


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
