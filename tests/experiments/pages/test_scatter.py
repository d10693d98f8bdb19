import numpy as np
import pytest

from experiments.pages.scatter import Axis, Scatter


def scatter(x, y, colour=None):
    x, y = np.asarray(x, float), np.asarray(y, float)
    colour = np.arange(len(x)) if colour is None else np.asarray(colour)
    return Scatter(Axis("F1, %", x), Axis("error, mm", y), Axis("distance, mm", colour))


def inked(plot):
    """Rows and columns of the plot's area that hold more than paper and grey lines."""
    area = plot.pixels[30:465, 68:735].astype(int)
    rows, columns = np.nonzero(np.ptp(area, axis=-1) > 40)
    return rows, columns


@pytest.mark.parametrize("sign", [1, -1])
def test_the_rank_correlation_is_that_of_the_order(sign):
    x = np.array([3.0, 1.0, 2.0, 10.0])
    assert scatter(x, sign * x**3).rank_correlation == pytest.approx(sign)


def test_people_without_a_measure_are_left_out():
    plot = scatter([1, 2, np.nan, 3], [4, 5, 6, np.nan])
    assert plot.rank_correlation == pytest.approx(1)
    # One colour for each of the two that are left, and no third.
    rows, _ = inked(plot)
    assert len(rows) > 0


def test_points_stand_where_their_values_are():
    rows, columns = inked(scatter([0, 100], [0, 50]))
    low, high = rows > rows.mean(), rows <= rows.mean()
    assert columns[low].max() < columns[high].min()
    spread = np.ptp(columns) / 667
    assert 0.85 < spread < 1.0  # the two fill the plot up to its margins


@pytest.mark.parametrize("values", [[], [5.0], [5.0, 5.0]])
def test_few_or_equal_people_are_drawn_without_a_correlation(values):
    plot = scatter(values, values)
    assert np.isnan(plot.rank_correlation)
    assert plot.pixels.shape[-1] == 3
