"""Painted people who move: who keeps a number, and what it costs."""

import numpy as np
import pytest

from datasets.photographs.finder import LandmarkFinder
from datasets.photographs.tracker import PersonTracker
from smpl_tf.skeleton import BLAZEPOSE_33
from tests.datasets.photographs.fake_networks import FakeNetworks, paint, true_points


def follow(frames, fakes=None, max_people=None, **options):
    """Tracks of each frame: number -> person."""
    fakes = fakes or FakeNetworks()
    finder = LandmarkFinder(networks=fakes.pair, max_people=max_people, masks=False)
    tracker = PersonTracker(finder, **options)
    return [
        {one.track: one.person for one in tracker(paint(400, 900, people))} for people in frames
    ]


def is_at(person, painted):
    true = true_points(*painted)
    return np.abs(person.points_2d - true).max() < max(0.05 * painted[2], 1.5)


def test_people_keep_their_numbers_as_they_move():
    frames = [
        [(150 + 10 * t, 200, 90, 0.05 * t), (750 - 8 * t, 210 + 3 * t, 85, -0.04 * t)]
        for t in range(20)
    ]
    tracks = follow(frames)
    assert all(sorted(frame) == [0, 1] for frame in tracks)
    first_is_left = is_at(tracks[0][0], frames[0][0])
    for frame, people in zip(tracks, frames, strict=True):
        assert is_at(frame[0], people[0 if first_is_left else 1])
        assert is_at(frame[1], people[1 if first_is_left else 0])


def test_following_costs_a_look_and_no_detection():
    fakes = FakeNetworks()
    follow([[(420 + 3 * t, 210, 185, 0)] for t in range(10)], fakes, every=10)
    assert fakes.detections == 1
    assert fakes.looks <= 11


def test_newcomers_are_found_at_the_next_search_and_get_a_new_number():
    stays, comes = (200, 200, 100, 0), (650, 200, 100, 0)
    tracks = follow([[stays]] * 5 + [[stays, comes]] * 7, every=4)
    assert [sorted(frame) for frame in tracks] == [[0]] * 8 + [[0, 1]] * 4
    assert is_at(tracks[-1][1], comes)


def test_a_number_is_kept_through_a_short_absence_and_not_given_again():
    person = (300, 200, 120, 0)
    tracks = follow([[person]] * 3 + [[]] * 4 + [[person]] * 3, every=100)
    assert [sorted(frame) for frame in tracks] == [[0]] * 3 + [[]] * 4 + [[0]] * 3
    tracks = follow([[person]] * 3 + [[]] * 4 + [[person]] * 3, every=100, patience=2)
    assert [sorted(frame) for frame in tracks] == [[0]] * 3 + [[]] * 4 + [[1]] * 3


def test_whoever_comes_back_elsewhere_is_somebody_else():
    before, after = (200, 200, 100, 0), (700, 200, 100, 0)
    tracks = follow([[before]] * 2 + [[]] + [[after]] * 2, every=100)
    assert [sorted(frame) for frame in tracks] == [[0], [0], [], [1], [1]]


def test_a_person_who_is_lost_beside_another_does_not_get_their_body():
    stays, goes = (300, 200, 100, 0), (420, 200, 100, 0)
    tracks = follow([[stays, goes]] + [[stays]] * 4, every=100)
    assert len(tracks[0]) == 2
    assert all(len(frame) == 1 for frame in tracks[1:])
    assert len({track for frame in tracks[1:] for track in frame}) == 1


def test_no_more_people_than_asked_for_are_followed():
    one, two = (200, 200, 100, 0), (650, 200, 100, 0)
    tracks = follow([[one], [one, two], [one, two], [one, two]], max_people=1, every=1)
    assert [sorted(frame) for frame in tracks] == [[0]] * 4
    assert all(is_at(frame[0], one) for frame in tracks)


def test_frames_without_anybody_are_empty():
    fakes = FakeNetworks()
    assert follow([[]] * 6, fakes, every=6) == [{}] * 6
    # One search, then one detection a frame.
    assert fakes.detections < 40


def test_a_misread_person_is_read_anew_when_a_search_sees_better():
    right = (300, 200, 120, 0)
    picture = paint(400, 900, [right])
    finder = LandmarkFinder(networks=FakeNetworks().pair, masks=False)
    (good,) = finder.sightings(picture)
    points = good.look.points_2d[BLAZEPOSE_33.mirror]
    bad = good._replace(look=good.look._replace(points_2d=points, presence=0.6))
    searches = iter([[bad], [good]])
    finder.look = lambda *_: bad.look
    finder.sightings = lambda *_, **__: next(searches)
    tracker = PersonTracker(finder, every=2)
    shown = [tracker(picture) for _ in range(3)]
    assert [[one.track for one in frame] for frame in shown] == [[0]] * 3
    assert [is_at(frame[0].person, right) for frame in shown] == [False, False, True]


@pytest.mark.parametrize("options", [{"every": 0}, {"patience": -1}])
def test_numbers_without_sense_are_refused(options):
    with pytest.raises(ValueError, match="Expected every >= 1 and patience >= 0"):
        follow([[]], **options)
