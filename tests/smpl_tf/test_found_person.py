"""FoundPerson: what it refuses, and its points in another skeleton."""

import numpy as np
import pytest

from smpl_tf.found_person import FoundPerson
from smpl_tf.skeleton import BLAZEPOSE_33, COCO_17, SMPL_24


def person(skeleton=BLAZEPOSE_33, **changes):
    count = len(skeleton)
    points = np.arange(3.0 * count).reshape(count, 3)
    fields = {
        "box": [0, 1, 10, 20],
        "skeleton": skeleton,
        "points_2d": points[:, :2],
        "visibility": np.linspace(0.1, 1, count),
        "points_3d": points,
        "source": "found by a test",
        "score": 0.5,
    }
    return FoundPerson(**{**fields, **changes})


def test_points_keep_their_names_in_another_skeleton():
    ours, theirs = person(), person().in_skeleton(COCO_17)
    assert theirs.skeleton is COCO_17
    for name in COCO_17.names:
        here, there = BLAZEPOSE_33.index(name), COCO_17.index(name)
        np.testing.assert_array_equal(theirs.points_2d[there], ours.points_2d[here])
        np.testing.assert_array_equal(theirs.points_3d[there], ours.points_3d[here])
        assert theirs.visibility[there] == ours.visibility[here]
    assert theirs.score == 0.5 and theirs.source == "found by a test"


def test_points_that_are_lacking_are_unknown():
    bare = person(COCO_17, points_3d=None).in_skeleton(SMPL_24)
    spine = SMPL_24.index("spine2")
    assert np.isnan(bare.points_2d[spine]).all() and bare.visibility[spine] == 0
    assert bare.points_3d is None
    assert np.isfinite(bare.points_2d[SMPL_24.index("left_knee")]).all()


def test_deviations_follow_their_points():
    one = person(deviation=np.arange(33.0))
    assert one.scaled(0.5).deviation[10] == 5
    other = one.in_skeleton(SMPL_24)
    assert other.deviation[SMPL_24.index("left_knee")] == BLAZEPOSE_33.index("left_knee")
    assert np.isnan(other.deviation[SMPL_24.index("spine2")])


def test_later_changes_of_the_given_arrays_change_nobody():
    points = np.zeros((33, 2), np.float32)
    one = person(points_2d=points)
    points[:] = 7
    assert not one.points_2d.any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points_2d": np.zeros((17, 2))}, r"points_2d \[33, 2\], got \[17, 2\]"),
        ({"points_3d": np.zeros((33, 2))}, r"points_3d \[33, 3\], got \[33, 2\]"),
        ({"deviation": np.zeros(17)}, r"deviation \[33\], got \[17\]"),
        ({"visibility": np.zeros((33, 1))}, r"visibility \[33\], got \[33, 1\]"),
        ({"box": [1, 2]}, r"box \[4\], got \[2\]"),
        ({"mask": np.zeros((4, 4))}, r"mask \[H, W\] uint8, got \[4, 4\] float64"),
    ],
)
def test_contradictions_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        person(**changes)
