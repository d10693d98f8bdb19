"""The finder with painted people: everybody, once, in the right place, and no look too many."""

import numpy as np
import pytest

from datasets.photographs.finder import LandmarkFinder
from datasets.photographs.models import ModelsMissingError
from tests.datasets.photographs.fake_networks import (
    FakeNetworks,
    paint,
    true_points,
    true_points_3d,
)


def check(found, people):
    """Compares what was found, in any order, with painted people (x, y, radius, angle)."""
    assert len(found) == len(people)
    left = list(found)
    for x, y, radius, angle in people:
        true = true_points(x, y, radius, angle)
        nearest = min(left, key=lambda one: np.abs(one.points_2d - true).max())
        np.testing.assert_allclose(nearest.points_2d, true, atol=max(0.03 * radius, 1.0))
        np.testing.assert_allclose(nearest.points_3d, true_points_3d(angle), atol=0.05)
        left.remove(nearest)


@pytest.mark.parametrize("angle", [0.0, 0.8, 3.0])
def test_one_clear_person_costs_one_detection_and_three_looks(angle):
    fakes, person = FakeNetworks(), (320, 230, 130, angle)
    found = LandmarkFinder(networks=fakes.pair)(paint(480, 640, [person]))
    check(found, [person])
    assert fakes.detections == 1 and fakes.looks <= 3
    assert found[0].mask.shape == (480, 640)
    assert found[0].source == "found by BlazePose full"
    assert found[0].score == pytest.approx(0.95 * 0.99, rel=0.03)  # both networks'


def test_a_square_that_does_not_move_is_looked_at_once_and_mirrored():
    fakes = FakeNetworks()
    LandmarkFinder(networks=fakes.pair)(paint(480, 640, [(320, 230, 130, 0)]))
    assert fakes.looks == 2


def test_people_too_small_for_the_first_look_are_found_in_tiles():
    fakes, person = FakeNetworks(), (800, 500, 60, 0.3)
    picture = paint(700, 1000, [person])
    assert LandmarkFinder(networks=fakes.pair, thorough=False)(picture) == []
    assert fakes.detections == 1
    check(LandmarkFinder(networks=fakes.pair)(picture), [person])


def test_everybody_is_found_once():
    people = [
        (100 + 160 * i, 100 + 180 * j, 55, 0.2 * i - 0.5) for i in range(5) for j in range(3)
    ]
    finder = LandmarkFinder(networks=FakeNetworks().pair)
    check(finder(paint(560, 850, people)), people)


def test_people_who_are_seen_only_upright_are_found_turned():
    fakes = FakeNetworks(sees=lambda radius, angle: radius > 20 and abs(angle) < 0.6)
    person = (300, 260, 120, np.pi - 0.2)
    finder = LandmarkFinder(networks=fakes.pair)
    check(finder(paint(500, 600, [person])), [person])


def test_whoever_fills_the_picture_is_found_from_farther_away():
    fakes = FakeNetworks(sees=lambda radius, angle: 20 < radius < 90)
    person = (200, 320, 230, 0.0)
    check(LandmarkFinder(networks=fakes.pair)(paint(500, 400, [person])), [person])


def test_where_nobody_is_found_the_detector_is_believed_less():
    fakes, person = FakeNetworks(detection=0.3), (300, 250, 120, 0.0)
    picture = paint(500, 600, [person])
    check(LandmarkFinder(networks=fakes.pair)(picture), [person])
    assert LandmarkFinder(networks=fakes.pair, thorough=False)(picture) == []


def test_what_the_landmark_network_denies_is_nobody():
    fakes = FakeNetworks(presence=0.4)
    assert LandmarkFinder(networks=fakes.pair)(paint(500, 600, [(300, 250, 120, 0)])) == []


def test_an_empty_picture_has_nobody():
    fakes = FakeNetworks()
    assert LandmarkFinder(networks=fakes.pair)(paint(300, 400, [])) == []
    assert fakes.looks == 0


def test_a_thorough_search_finds_who_stands_behind_a_clear_person():
    clear, small = (300, 350, 220, 0.0), (800, 300, 50, 0.0)
    picture = paint(700, 1000, [clear, small])
    check(LandmarkFinder(networks=FakeNetworks().pair)(picture), [clear])
    check(LandmarkFinder(networks=FakeNetworks().pair, thorough=True)(picture), [clear, small])


def test_at_most_so_many_people_are_given():
    people = [(150, 200, 90, 0), (450, 200, 90, 0), (750, 200, 90, 0)]
    finder = LandmarkFinder(networks=FakeNetworks().pair, max_people=2, masks=False)
    found = finder(paint(400, 900, people))
    assert len(found) == 2 and all(person.mask is None for person in found)


@pytest.mark.parametrize(
    "picture",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)],
    ids=["grey", "float", "empty"],
)
def test_what_is_no_picture_is_refused(picture):
    with pytest.raises(ValueError, match=r"Expected a picture \[H, W, 3\] uint8 RGB, got"):
        LandmarkFinder(networks=FakeNetworks().pair)(picture)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (700, 2)])
def test_thin_pictures_have_nobody(size):
    assert LandmarkFinder(networks=FakeNetworks().pair)(np.zeros((*size, 3), np.uint8)) == []


def test_without_the_files_the_command_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("NBF_CACHE", str(tmp_path))
    with pytest.raises(ModelsMissingError, match="python -m datasets.photographs.models"):
        LandmarkFinder()


def test_the_surest_detection_of_a_person_counts():
    class SurerLater(FakeNetworks):
        def detector(self, picture):
            self.detection = 0.55 if self.detections == 0 else 0.95
            return super().detector(picture)

    person = (320, 230, 130, 0.0)
    (found,) = LandmarkFinder(networks=SurerLater().pair)(paint(480, 640, [person]))
    assert found.score == pytest.approx(0.95 * 0.99, rel=0.03)


def test_a_given_box_leads_to_its_person():
    people = [(150, 200, 60, 0.0), (450, 200, 60, 0.0)]
    picture = paint(400, 640, people)
    finder = LandmarkFinder(networks=FakeNetworks().pair)
    for x, y, radius, angle in people:
        true = true_points(x, y, radius, angle)
        box = np.concatenate([true.min(0), true.max(0)])
        person = finder.in_box(picture, box)
        check([person], [(x, y, radius, angle)])
        np.testing.assert_array_equal(person.box, np.float32(box))
    assert finder.in_box(picture, np.float32([270, 20, 330, 80])) is None


def test_a_person_whom_the_detector_misses_is_found_upright_in_the_box():
    person = (150, 200, 60, 0.0)
    finder = LandmarkFinder(networks=FakeNetworks(sees=lambda *_: False).pair)
    box = np.float32([90, 130, 210, 270])
    check([finder.in_box(paint(400, 640, [person]), box)], [person])
