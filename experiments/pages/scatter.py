"""Scatter plots as pixels: two measures of each person, coloured by a third."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import spearmanr


class Axis(NamedTuple):
    """A measured value of every person.

    Attributes:
      label: name, with its unit.
      values: `[N]`; people with a NaN in any measure are left out.
    """

    label: str
    values: np.ndarray


class Scatter(NamedTuple):
    """One plot.

    Attributes:
      x: the measure along the picture.
      y: the measure up the picture.
      colour: the measure that makes a point bright.
    """

    x: Axis
    y: Axis
    colour: Axis

    @property
    def rank_correlation(self) -> float:
        """Spearman's coefficient of x and y; NaN if one of them is constant."""
        x, y, _ = self._known()
        if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
            return float("nan")
        return float(spearmanr(x, y).statistic)

    @property
    def pixels(self) -> np.ndarray:
        """The plot, `[H, W, 3]` uint8 RGB."""
        return _draw(self)

    def _known(self) -> list[np.ndarray]:
        values = [np.asarray(axis.values, np.float64) for axis in self]
        there = np.isfinite(values).all(0)
        return [v[there] for v in values]


def _draw(plot: Scatter) -> np.ndarray:
    # Imported late, since most scripts never draw this plot.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    x, y, colour = plot._known()
    # The brightest last, so that the difficult people are not hidden.
    order = np.argsort(colour, kind="stable")
    figure = Figure((8.6, 5.2), dpi=100, layout="constrained")
    axes = figure.add_subplot(xlabel=plot.x.label, ylabel=plot.y.label)
    points = axes.scatter(x[order], y[order], 30, colour[order], linewidths=0)
    figure.colorbar(points, label=plot.colour.label)
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    correlation = plot.rank_correlation
    if np.isfinite(correlation):
        axes.set_title(f"rank correlation {correlation:.2f}", fontsize="medium", loc="right")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
