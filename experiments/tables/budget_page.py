"""The page of a label budget: the curve, the advice, the numbers, the seeds."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Sequence

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from experiments.pages.report import Page, Picture, Table
from experiments.tables.label_budget import Cell

_COLOURS = ("#1f6fb2", "#c2571a", "#2a8a57", "#8a4fa3")
# Text stays text, and the same numbers give the same file.
_SVG = {"svg.fonttype": "none", "svg.hashsalt": "label_budget", "font.size": 10}


def curve(cells: Sequence[Cell], label: str) -> str:
    """Draws the error over the share of 3D labels, a line for each share of 2D labels.

    Args:
      cells: all of them.
      label: what the error is, with its unit.

    Returns:
      An SVG file's text. Dots are seeds, bands the 95 % confidence interval of their mean. The
      axis is logarithmic, with 0 one step below the smallest share.
    """
    shares = sorted({cell.share_3d for cell in cells})
    places = _places(shares)
    with matplotlib.rc_context(_SVG):
        figure = Figure((8, 4.2), layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        shares_2d = sorted({cell.share_2d for cell in cells}, reverse=True)
        for share_2d, colour in zip(shares_2d, itertools.cycle(_COLOURS), strict=False):
            line = sorted(
                (cell for cell in cells if cell.share_2d == share_2d), key=lambda c: c.share_3d
            )
            at = [places[cell.share_3d] for cell in line]
            means = [cell.mean for cell in line]
            spreads = [cell.uncertainty or 0.0 for cell in line]
            axes.plot(at, means, "-", color=colour, label=f"{100 * share_2d:g} % with 2D labels")
            axes.fill_between(
                at,
                [mean - spread for mean, spread in zip(means, spreads, strict=True)],
                [mean + spread for mean, spread in zip(means, spreads, strict=True)],
                color=colour,
                alpha=0.15,
                linewidth=0,
            )
            for x, cell in zip(at, line, strict=True):
                seeds = [*cell.errors.values()]
                axes.plot([x] * len(seeds), seeds, ".", color=colour)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator([*places.values()]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticklabels([f"{100 * share:g} %" for share in places])
        axes.set_xlabel("people with 3D labels")
        axes.set_ylabel(label)
        axes.set_ylim(0, 1.05 * max(max(cell.errors.values()) for cell in cells))
        axes.grid(color="0.9")
        axes.set_axisbelow(True)
        axes.legend(frameon=False)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
        return text.getvalue()


def _places(shares: Sequence[float]) -> dict[float, float]:
    """Returns the positions of shares on a logarithmic axis, on which 0 is one step below."""
    positive = [share for share in shares if share > 0]
    smallest = positive[0] if positive else 1.0
    step = positive[1] / smallest if len(positive) > 1 else 2.0
    return {share: share or smallest / step for share in shares}


def table(cells: Sequence[Cell], unit: str) -> Table:
    """Makes a table of the cells, those with most labels first.

    Args:
      cells: all of them.
      unit: of the errors.

    Returns:
      Shares, mean and uncertainty, and every seed's error.
    """
    seeds = sorted({seed for cell in cells for seed in cell.errors})
    rows = []
    for cell in sorted(cells, key=lambda c: (c.share_2d, c.share_3d), reverse=True):
        mean = f"{cell.mean:.1f}"
        if cell.uncertainty is not None:
            mean += f" ± {cell.uncertainty:.1f}"
        errors = [f"{cell.errors[s]:.1f}" if s in cell.errors else "–" for s in seeds]
        rows.append([f"{100 * cell.share_3d:g} %", f"{100 * cell.share_2d:g} %", mean, *errors])
    header = ["3D labels", "2D labels", f"mean, {unit}", *(f"seed {seed}" for seed in seeds)]
    return Table(header, rows)


def make_page(
    cells: Sequence[Cell],
    drawn: str,
    unit: str,
    sentences: Sequence[str],
    lead: str,
    failures: Sequence[str],
    details: Sequence[tuple[str, str]],
) -> Page:
    """Makes the page.

    Args:
      cells: all of them.
      drawn: their `curve`.
      unit: of the errors.
      sentences: the advice.
      lead: what was run.
      failures: of the runs, a line each.
      details: names and values to run it again.

    Returns:
      The page.
    """
    content = base64.b64encode(drawn.encode()).decode()
    shown = Picture(
        "Dots are seeds, lines their mean, bands its 95 % confidence interval.",
        f"data:image/svg+xml;base64,{content}",
    )
    return Page(
        "How many labels are needed",
        " ".join([*sentences, lead]),
        table=table(cells, unit),
        plots=[shown],
        failures=failures,
        details=details,
    )
