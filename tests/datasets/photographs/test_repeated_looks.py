"""More looks at one person: fewer if they agree, else the median and its deviation."""

import numpy as np
import pytest

from datasets.photographs.landmarks import LandmarkNetwork
from datasets.photographs.repeated_looks import combined, look_again
from datasets.photographs.squares import Square
from tests.datasets.photographs.fake_networks import FakeNetworks, paint, true_points

PERSON = (230.0, 180.0, 70.0, 0.0)
SQUARE = Square(230, 180, 175)
PICTURE = paint(400, 500, [PERSON])


def looked_at(fakes, picture=PICTURE):
    network = LandmarkNetwork(fakes.landmarks)
    first = network(PICTURE, SQUARE)
    return first, look_again(network, picture, first)


def test_results_that_agree_need_no_more_looks():
    fakes = FakeNetworks()
    _, look = looked_at(fakes)
    assert fakes.looks == 2
    assert look.deviation.shape == (33,) and look.deviation.max() < 2


def test_an_error_that_the_mirrored_picture_does_not_repeat_is_halved_away():
    """The network is always wrong to its right: mirrored back, that is wrong to the left."""
    fakes = FakeNetworks(error=0.2)
    first, look = looked_at(fakes)
    assert fakes.looks == 4
    before, after = (np.abs(one.points_2d - true_points(*PERSON)).max() for one in (first, look))
    assert before == pytest.approx(0.2 * 70, abs=2) and after < 2
    np.testing.assert_allclose(look.deviation, 0.2 * 70, atol=2)


def test_looks_without_the_person_do_not_count():
    fakes = FakeNetworks()
    first, look = looked_at(fakes, paint(400, 500, []))
    assert look is first and look.deviation is None


def test_one_wild_result_of_three_changes_little():
    first, _ = looked_at(FakeNetworks())
    wild = first._replace(points_2d=first.points_2d + [500, 0])
    look = combined([first, wild, first])
    np.testing.assert_allclose(look.points_2d, first.points_2d)
    np.testing.assert_allclose(look.deviation, 500 / np.sqrt(3))
