import math
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.pages.curves import Chart, ticks

values = st.floats(0, 1e6) | st.just(math.nan)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_round_and_inside(low, span):
    found = ticks(low, low + span)
    step = span / 5
    assert 2 <= len(found) <= 7
    assert all(low - 1e-6 * step <= v <= low + span + 1e-6 * step for v in found)


def test_ticks_of_known_ranges():
    assert ticks(0, 10) == [0, 2, 4, 6, 8, 10]
    assert ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert ticks(3, 4.9, 4) == [3, 3.5, 4, 4.5]


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.lists(values, min_size=1, max_size=12), st.lists(values, min_size=1, max_size=12))
def test_every_curve_lies_on_the_picture(first, second):
    chart = Chart("loss <m>", {"training": first, "validation": second}, ("mean pose", 40.0))
    svg = ElementTree.fromstring(chart.svg)
    width, height = map(float, svg.get("viewBox").split()[2:])
    assert svg.get("aria-label") == "loss <m>"
    lines = svg.findall("polyline")
    assert len(lines) == 2
    for line, series in zip(lines, (first, second), strict=True):
        points = [tuple(map(float, p.split(","))) for p in line.get("points").split()]
        assert len(points) == sum(map(math.isfinite, series))
        assert all(0 <= x <= width and 0 <= y <= height for x, y in points)


def test_larger_values_stand_higher():
    line = ElementTree.fromstring(Chart("", {"a": [1.0, 3.0, 2.0]}).svg).find("polyline")
    heights = [float(p.split(",")[1]) for p in line.get("points").split()]
    assert heights[1] < heights[2] < heights[0]
