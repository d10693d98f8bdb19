"""Scatter plots as pixels: two measures of each person, coloured by a third."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.stats import spearmanr

from experiments.curves import ticks

_FINE = 3  # drawn so many times as large, then averaged: smooth edges
_WIDTH, _HEIGHT = 860, 520
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 150, 44, 62
_INK, _SOFT, _GRID = (29, 33, 38), (98, 106, 115), (226, 223, 217)
_POINT, _BAR = 3.2, 16


class Axis(NamedTuple):
    """A measure of every person.

    Attributes:
      label: what it is, with its unit.
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
        """Spearman's coefficient of x and y; NaN where one of them is the same for everybody."""
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
    image = Image.new("RGB", (_WIDTH * _FINE, _HEIGHT * _FINE), "white")
    pen = ImageDraw.Draw(image)
    values = plot._known()
    (x_low, x_high), (y_low, y_high), (c_low, c_high) = (_range(v) for v in values)

    def write(x, y, text, anchor, size=15, colour=_SOFT):
        font = ImageFont.load_default(size * _FINE)
        pen.text((x * _FINE, y * _FINE), text, colour, font, anchor)

    def line(x0, y0, x1, y1, colour):
        pen.line([c * _FINE for c in (x0, y0, x1, y1)], colour, _FINE)

    def across(value):
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (value - x_low) / (x_high - x_low)

    def up(value):
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (value - y_low) / (y_high - y_low)

    for value in ticks(x_low, x_high):
        line(across(value), _TOP, across(value), _HEIGHT - _BOTTOM, _GRID)
        write(across(value), _HEIGHT - _BOTTOM + 8, f"{value:.4g}", "mt")
    for value in ticks(y_low, y_high):
        line(_LEFT, up(value), _WIDTH - _RIGHT, up(value), _GRID)
        write(_LEFT - 8, up(value), f"{value:.4g}", "rm")
    write((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, plot.x.label, "mb", colour=_INK)
    write(14, 12, plot.y.label, "lt", colour=_INK)
    correlation = plot.rank_correlation
    if np.isfinite(correlation):
        text = f"rank correlation {correlation:.2f}"
        write(_WIDTH - _RIGHT - 12, _TOP + 12, text, "rt", colour=_INK)

    shades = (255 * (values[2] - c_low) / (c_high - c_low)).astype(np.uint8)
    radius = _POINT * _FINE
    # The brightest last, so that the difficult people are not hidden.
    for i in np.argsort(shades, kind="stable"):
        x, y = across(values[0][i]) * _FINE, up(values[1][i]) * _FINE
        pen.ellipse([x - radius, y - radius, x + radius, y + radius], _shade(shades[i]))

    bar = _WIDTH - _RIGHT + 26
    for row in range(_TOP, _HEIGHT - _BOTTOM):
        share = (_HEIGHT - _BOTTOM - row) / (_HEIGHT - _TOP - _BOTTOM)
        edges = [c * _FINE for c in (bar, row, bar + _BAR, row + 1)]
        pen.rectangle(edges, _shade(np.uint8(255 * share)))
    for value in ticks(c_low, c_high):
        share = (value - c_low) / (c_high - c_low)
        row = _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share
        write(bar + _BAR + 6, row, f"{value:.4g}", "lm")
    write(_WIDTH - 10, 12, plot.colour.label, "rt", colour=_INK)
    return np.asarray(image.resize((_WIDTH, _HEIGHT), Image.Resampling.BOX))


def _range(values: np.ndarray) -> tuple[float, float]:
    """A little more than the values need; something for no value or one alone."""
    if not len(values):
        return 0.0, 1.0
    margin = 0.04 * np.ptp(values) or 0.5
    return float(values.min() - margin), float(values.max() + margin)


def _shade(value: np.uint8) -> tuple[int, int, int]:
    blue, green, red = cv2.applyColorMap(np.array([[value]]), cv2.COLORMAP_VIRIDIS)[0, 0]
    return int(red), int(green), int(blue)
