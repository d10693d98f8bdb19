"""Where a search looks, and which looks are at one person."""

import numpy as np
import pytest

from datasets.photographs import search
from datasets.photographs.landmarks import LandmarkNetwork
from datasets.photographs.search import Sighting
from datasets.photographs.squares import Square, around, corners, to_square
from smpl_tf.skeleton import BLAZEPOSE_33
from tests.datasets.photographs.fake_networks import FakeNetworks, paint, turn


def look_at(x, y, radius, angle=0.0):
    picture = paint(600, 800, [(x, y, radius, angle)])
    end = np.array([x, y]) + radius * turn(angle) @ [0, -1]
    return LandmarkNetwork(FakeNetworks().landmarks)(picture, around((x, y), end))


@pytest.mark.parametrize("share", [0.55, 0.3, 0.17])
@pytest.mark.parametrize("size", [(300, 500), (500, 300), (400, 400), (100, 900)])
def test_tiles_cover_the_picture_and_overlap(size, share):
    height, width = size
    squares = search.tiles(height, width, share)
    assert {square.side for square in squares} == {share * max(size)}
    points = np.random.default_rng(0).uniform(0, 1, (500, 2)) * (width, height)
    inside = [
        np.all((to_square(s, points) >= 0) & (to_square(s, points) <= 1), -1) for s in squares
    ]
    assert np.any(inside, axis=0).all()
    # Whoever is a third of a tile large is whole in one of them.
    reach = share * max(size) / 6
    far = [
        np.all(np.abs(points - np.clip(points, reach, [width - reach, height - reach])) < 1e9, -1)
        & np.all(np.abs(points - s[:2]) <= s.side / 2 - reach + 1e-6, axis=-1)
        for s in squares
    ]
    middle = np.all((points >= reach) & (points <= np.array([width, height]) - reach), axis=-1)
    assert np.any(far, axis=0)[middle].all()


def test_the_whole_picture_is_inside_of_its_square():
    square = search.whole(300, 500)
    picture = np.array([[0, 0], [500, 0], [500, 300], [0, 300]])
    places = to_square(square, picture)
    assert places.min() >= 0 and places.max() <= 1
    assert search.whole(300, 500, margin=2).side == 2 * square.side
    for other in search.turned(300, 500):
        assert sorted(np.round(corners(other)).tolist()) == sorted(corners(square).tolist())


def test_a_person_is_the_same_from_another_square_and_with_sides_exchanged():
    look = look_at(300, 300, 100)
    assert search.same_person(look, look_at(304, 297, 98, 0.05))
    swapped = look._replace(points_2d=look.points_2d[BLAZEPOSE_33.mirror])
    # Without masks, so that the points alone decide.
    blank = np.full_like(look.mask, -9)
    one, other = look._replace(mask=blank), swapped._replace(mask=blank)
    assert search.same_person(one, other)
    moved = other._replace(points_2d=other.points_2d + 60)
    assert not search.same_person(one, moved)


def test_a_person_read_the_wrong_way_up_is_the_same():
    assert search.same_person(look_at(300, 300, 100), look_at(300, 300, 100, np.pi))


def test_neighbours_are_two():
    assert not search.same_person(look_at(300, 300, 100), look_at(440, 300, 100))
    assert not search.same_person(look_at(300, 300, 100), look_at(300, 420, 40))


def test_shared_mask_is_the_share_of_the_smaller():
    large, small = look_at(300, 300, 100), look_at(300, 300, 50)
    assert search.shared_mask(large, small) == pytest.approx(1, abs=0.02)
    assert search.shared_mask(large, large) == pytest.approx(1, abs=0.02)
    assert search.shared_mask(large, look_at(600, 300, 100)) == 0
    # Two circles of radius 80, 80 apart: 2 acos(1/2) - sqrt(3)/2 over pi.
    expected = (2 * np.arccos(0.5) - np.sqrt(3) / 2) / np.pi
    assert search.shared_mask(large, look_at(380, 300, 100)) == pytest.approx(expected, abs=0.03)


def test_of_two_sightings_of_one_person_the_better_stays():
    upright, wrong = look_at(300, 300, 100), look_at(300, 300, 100, np.pi)
    other = look_at(600, 300, 100)
    sightings = [Sighting(wrong, 0.55), Sighting(other, 0.7), Sighting(upright, 0.9)]
    kept = search.distinct(sightings)
    assert [one.detection for one in kept] == [0.9, 0.7]
    assert kept[0].look is upright


def test_a_square_is_a_plain_tuple():
    assert search.whole(10, 20) == Square(10, 5, 20)


def test_in_one_box_less_of_the_masks_must_agree():
    upright, wrong = look_at(300, 300, 100), look_at(300, 300, 100, np.pi)
    masks = [look.mask.copy() for look in (upright, wrong)]
    for mask in masks:  # each knows its own upper part, hence the other's lower one
        mask[150:] = -9
    upright, wrong = upright._replace(mask=masks[0]), wrong._replace(mask=masks[1])
    assert 0.3 < search.shared_mask(upright, wrong) < 0.6
    assert search.same_person(upright, wrong)
    assert not search.same_person(upright, wrong._replace(points_2d=wrong.points_2d + 120))
