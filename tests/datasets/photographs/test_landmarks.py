"""The landmark network's answers brought back to the picture."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.photographs.landmarks import LIMBS, LandmarkNetwork, refine
from datasets.photographs.squares import Square
from smpl_tf.skeleton import BLAZEPOSE_33
from tests.datasets.photographs.fake_networks import (
    FakeNetworks,
    paint,
    true_points,
    true_points_3d,
)

laws = settings(derandomize=True, deadline=None, max_examples=25)


def slow_refine(points, logits):
    """Point by point and cell by cell."""
    size = len(logits)
    refined = np.array(points, float)
    for p, (x, y) in enumerate(points):
        column, row = int(np.floor(x * size)), int(np.floor(y * size))
        if not (0 <= column < size and 0 <= row < size):
            continue
        total = across = down = best = 0.0
        for r in range(max(row - 3, 0), min(row + 4, size)):
            for c in range(max(column - 3, 0), min(column + 4, size)):
                heat = 1 / (1 + np.exp(-float(logits[r, c, p])))
                total, across, down = total + heat, across + heat * c, down + heat * r
                best = max(best, heat)
        if best >= 0.5:
            refined[p] = across / total / size, down / total / size
    return refined


@laws
@given(st.integers(0, 2**32 - 1), st.floats(-6, 2))
def test_refining_is_the_slow_loop(seed, mean):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.2, 1.2, (8, 2))
    logits = rng.normal(mean, 2, (16, 16, 8))
    np.testing.assert_allclose(refine(points, logits), slow_refine(points, logits), atol=1e-9)


def test_a_point_goes_to_its_peak_and_stays_without_one():
    y, x = np.mgrid[:64, :64]
    heat = np.exp(-((x - 22) ** 2 + (y - 41) ** 2) / 2) * 0.98 + 1e-6
    logits = np.stack([np.log(heat / (1 - heat)), np.full_like(heat, -20)], axis=-1)
    points = np.array([[20.5, 42.5], [20.5, 42.5]]) / 64
    found = refine(points, logits)
    np.testing.assert_allclose(found[0], np.array([22, 41]) / 64, atol=0.2 / 64)
    np.testing.assert_array_equal(found[1], points[1])


@laws
@given(
    st.floats(150, 350),
    st.floats(120, 280),
    st.floats(30, 90),
    st.floats(-3.1, 3.1),
    st.floats(-3.1, 3.1),
    st.floats(1.1, 1.6),
)
def test_points_and_depth_come_back_from_any_square(x, y, radius, angle, turned, margin):
    picture = paint(400, 500, [(x, y, radius, angle)])
    square = Square(x + 0.1 * radius, y - 0.2 * radius, 2.5 * margin * radius, turned)
    look = LandmarkNetwork(FakeNetworks().landmarks)(picture, square)
    np.testing.assert_allclose(
        look.points_2d, true_points(x, y, radius, angle), atol=0.03 * radius
    )
    np.testing.assert_allclose(look.points_3d, true_points_3d(angle), atol=0.03)
    np.testing.assert_allclose(look.next_square[:2], (x, y), atol=0.03 * radius)
    assert look.next_square.side == pytest.approx(2.5 * radius, rel=0.03)
    assert np.cos(look.next_square.angle - angle) > 0.999


def test_the_mirrored_square_gives_the_same_person():
    picture = paint(400, 500, [(230, 180, 70, 0.6)])
    square = Square(240, 175, 200, 0.3)
    looks = [LandmarkNetwork(FakeNetworks().landmarks)(picture, square, m) for m in (False, True)]
    for name in ("points_2d", "points_3d", "visibility", "next_square", "mask"):
        one, other = (np.asarray(getattr(look, name)) for look in looks)
        share = np.mean(np.abs(one - other) > 1.5)  # a pixel of the picture
        assert share < 0.005, name


def test_the_mask_lies_on_the_person():
    picture = paint(300, 400, [(250, 120, 60, 0.7)])
    person = LandmarkNetwork(FakeNetworks().landmarks)(picture, Square(245, 125, 160, 0.5)).person(
        "found by a test", 0.9, (300, 400)
    )
    assert person.mask.shape == (300, 400)
    rows, columns = np.nonzero(person.mask > 127)
    np.testing.assert_allclose([columns.mean(), rows.mean()], (250, 120), atol=2)
    assert len(rows) == pytest.approx(np.pi * (0.8 * 60) ** 2, rel=0.05)
    assert person.mask[120, 250] > 250 and person.mask[5, 5] == 0


def test_the_person_holds_what_the_look_saw():
    picture = paint(300, 400, [(200, 150, 60, 0)])
    look = LandmarkNetwork(FakeNetworks(presence=0.8).landmarks)(picture, Square(200, 150, 150))
    person = look.person("found by a test", 0.7, None)
    assert person.skeleton is BLAZEPOSE_33 and person.mask is None
    assert person.source == "found by a test"
    points = person.points_2d
    np.testing.assert_allclose(person.box, [*points.min(axis=0), *points.max(axis=0)])
    seen = 1 / (1 + np.exp(-5.0))
    np.testing.assert_allclose(look.visibility, seen**2, rtol=1e-5)
    np.testing.assert_allclose(person.visibility, (0.3 + 0.7 * seen) * seen, rtol=1e-5)
    assert person.score == 0.7
    assert look.score == pytest.approx(0.8 * look.visibility[0])


@pytest.mark.parametrize(
    ("logits", "trust"), [((-20, 20), 0.3), ((20, -20), 0.0), ((20, 20), 1.0), ((-20, -20), 0.0)]
)
def test_hidden_points_count_less_and_those_outside_nothing(logits, trust):
    picture = paint(300, 400, [(200, 150, 60, 0)])
    look = LandmarkNetwork(FakeNetworks(points=logits).landmarks)(picture, Square(200, 150, 150))
    person = look.person("found by a test", 0.7, None)
    np.testing.assert_allclose(person.visibility, trust, atol=1e-5)
    np.testing.assert_allclose(look.visibility, float(trust == 1), atol=1e-5)


def test_points_beside_the_mask_lower_the_score():
    picture = paint(300, 400, [(200, 150, 60, 0)])
    look = LandmarkNetwork(FakeNetworks().landmarks)(picture, Square(200, 150, 150))
    half = look._replace(points_2d=look.points_2d.copy())
    half.points_2d[LIMBS[::2]] += 500
    assert half.score == pytest.approx(look.score / 2)


def test_limbs_are_twelve_joints():
    names = [BLAZEPOSE_33.names[i] for i in LIMBS]
    assert len(names) == len(set(names)) == 12
    assert set(LIMBS) == set(BLAZEPOSE_33.mirror[LIMBS])
