"""Line charts as inline SVG that a page can style for light and dark."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_WIDTH, _HEIGHT = 420, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 12, 34


class Chart(NamedTuple):
    """One chart of a page.

    Attributes:
      title: what is drawn, with its unit.
      series: name -> values, one per epoch, from epoch 1 on.
      level: a horizontal line to compare with, and its name.
    """

    title: str
    series: Mapping[str, Sequence[float]]
    level: tuple[str, float] | None = None

    @property
    def svg(self) -> str:
        """Returns the chart as an `<svg>` element; the page colours its classes series-0, ..."""
        return "\n".join(_draw(self))


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Returns round numbers between two values.

    Args:
      low: smallest value.
      high: largest value, above `low`.
      count: approximate number.

    Returns:
      Multiples of 1, 2 or 5 times a power of ten.
    """
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def _draw(chart: Chart) -> list[str]:
    values = [v for series in chart.series.values() for v in series if math.isfinite(v)]
    if chart.level:
        values.append(chart.level[1])
    low, high = min([0.0, *values]), max([*values, 1e-9]) * 1.05
    length = max(len(series) for series in chart.series.values())

    def x(epoch: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (epoch - 1) / max(length - 1, 1)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (value - low) / (high - low)

    title = html.escape(chart.title)
    lines = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}">']
    for value in ticks(low, high):
        lines.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" '
            f'y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
            f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.4g}</text>'
        )
    for value in ticks(1, length) if length > 1 else [1]:
        if value == int(value):
            lines.append(
                f'<text x="{x(value):.1f}" y="{_HEIGHT - _BOTTOM + 16}" '
                f'text-anchor="middle">{value:.0f}</text>'
            )
    lines.append(f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 4}" text-anchor="end">epoch</text>')
    if chart.level:
        at = y(chart.level[1])
        lines.append(
            f'<line class="level" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" '
            f'y2="{at:.1f}"/><text x="{_WIDTH - _RIGHT}" y="{at - 5:.1f}" '
            f'text-anchor="end">{html.escape(chart.level[0])}</text>'
        )
    for index, series in enumerate(chart.series.values()):
        points = [(x(e), y(v)) for e, v in enumerate(series, 1) if math.isfinite(v)]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        lines.append(f'<polyline class="series-{index}" points="{path}"/>')
        if len(points) == 1:
            lines.append(
                f'<circle class="series-{index}" cx="{points[0][0]:.1f}" '
                f'cy="{points[0][1]:.1f}" r="3"/>'
            )
    return [*lines, "</svg>"]
