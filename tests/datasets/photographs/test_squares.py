"""Laws of turned squares: there and back, pixels, turns."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.photographs import squares
from datasets.photographs.squares import Square

laws = settings(derandomize=True, deadline=None, max_examples=30)
any_square = st.builds(
    Square,
    st.floats(-300, 900),
    st.floats(-300, 900),
    st.floats(5, 2000),
    st.floats(-7, 7),
)
points = np.random.default_rng(0).uniform(-0.5, 1.5, (20, 2))


def smooth_picture(height, width):
    """A picture whose red and green say where a pixel's middle is, in 1/255 of its sides."""
    y, x = np.mgrid[:height, :width] + 0.5
    picture = np.stack([255 * x / width, 255 * y / height, np.full_like(x, 255)], axis=-1)
    return np.uint8(np.round(picture))


@laws
@given(any_square)
def test_a_square_is_left_as_it_was_entered(square):
    there = squares.to_picture(square, points)
    np.testing.assert_allclose(squares.to_square(square, there), points, atol=1e-9)


@laws
@given(any_square)
def test_the_map_is_a_similarity_with_the_said_angle(square):
    origin, x, y = squares.to_picture(square, np.array([[0, 0], [1, 0], [0, 1]]))
    along, down = x - origin, y - origin
    np.testing.assert_allclose([np.hypot(*along), np.hypot(*down)], [square.side] * 2)
    np.testing.assert_allclose(along @ down, 0, atol=1e-6 * square.side**2)
    assert along[0] * down[1] - along[1] * down[0] > 0  # not mirrored
    off = np.arctan2(along[1], along[0]) - square.angle
    np.testing.assert_allclose(np.cos(off), 1)
    np.testing.assert_allclose(squares.to_picture(square, [0.5, 0.5]), square[:2], atol=1e-9)


@laws
@given(any_square)
def test_3d_points_turn_as_the_picture_does(square):
    in_square = np.random.default_rng(1).normal(size=(7, 3))
    turned = squares.turn_to_picture(square, in_square)
    np.testing.assert_array_equal(turned[:, 2], in_square[:, 2])
    flat = squares.to_picture(square, in_square[:, :2]) - squares.to_picture(square, np.zeros(2))
    np.testing.assert_allclose(turned[:, :2] * square.side, flat, atol=1e-6 * square.side)


@laws
@given(any_square, st.floats(0.2, 100))
def test_the_square_around_a_person_has_the_head_above(square, radius):
    middle = np.array(square[:2])
    end = middle + radius * np.array([np.sin(square.angle), -np.cos(square.angle)])
    found = squares.around(middle, end)
    np.testing.assert_allclose(squares.to_square(found, end)[0], 0.5, atol=1e-6)
    np.testing.assert_allclose(squares.to_square(found, middle), 0.5, atol=1e-6)
    if radius > 1:
        np.testing.assert_allclose(squares.to_square(found, end)[1], 0.1, atol=1e-6)
        np.testing.assert_allclose(np.cos(found.angle - square.angle), 1)


def test_the_whole_picture_is_cut_pixel_for_pixel():
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = Square(32, 32, 64)
    np.testing.assert_array_equal(squares.cut(picture, whole, 64, True), picture)
    for quarter in range(4):
        cut = squares.cut(picture, whole._replace(angle=quarter * np.pi / 2), 64, True)
        # Turned clockwise, the square shows the picture turned the other way.
        np.testing.assert_array_equal(cut, np.rot90(picture, quarter))


@laws
@given(
    st.floats(60, 180),
    st.floats(40, 110),
    st.floats(20, 500),
    st.floats(-4, 4),
    st.booleans(),
)
def test_a_cut_pixel_shows_the_place_that_the_map_says(x, y, side, angle, black):
    height, width, size = 150, 240, 40
    square = Square(x, y, side, angle)
    cut = squares.cut(smooth_picture(height, width), square, size, black)
    places = (np.mgrid[:size, :size][::-1].reshape(2, -1).T + 0.5) / size
    expected = squares.to_picture(square, places)
    inside = np.all((expected > 12) & (expected < (width - 12, height - 12)), axis=-1)
    seen = cut.reshape(-1, 3)[inside].astype(float)
    np.testing.assert_allclose(seen[:, 0] * width / 255, expected[inside, 0], atol=2.5)
    np.testing.assert_allclose(seen[:, 1] * height / 255, expected[inside, 1], atol=2.0)
    assert (seen[:, 2] == 255).all()


def test_beyond_the_picture_it_is_black_or_goes_on():
    picture = np.full((20, 20, 3), 200, np.uint8)
    beside = Square(30, 10, 40)
    assert squares.cut(picture, beside, 40, True)[:, 15:].max() == 0
    assert squares.cut(picture, beside, 40, False).min() == 200
    far = Square(500, 500, 10)
    assert squares.cut(picture, far, 8, True).shape == (8, 8, 3)


def test_a_small_cut_of_fine_detail_is_grey():
    picture = np.zeros((512, 512, 3), np.uint8)
    picture[::2, ::2] = picture[1::2, 1::2] = 255
    seen = squares.cut(picture, Square(256, 256, 350, 0.3), 32, True).astype(int)
    assert np.abs(seen - 127).max() < 12


@laws
@given(st.floats(60, 180), st.floats(40, 110), st.floats(30, 90), st.floats(-4, 4))
def test_a_map_is_put_back_where_it_was_cut(x, y, side, angle):
    square = Square(x, y, side, angle)
    mask = np.zeros((64, 64), np.uint8)
    cv2.circle(mask, (40, 20), 8, 255, -1)
    back = squares.put_back(mask, square, 150, 240)
    assert back.shape == (150, 240) and back.dtype == np.uint8
    rows, columns = np.nonzero(back > 127)
    middle = np.array([columns.mean(), rows.mean()]) + 0.5
    expected = squares.to_picture(square, np.array([40.5, 20.5]) / 64)
    np.testing.assert_allclose(middle, expected, atol=0.6)
    area = (mask > 0).sum() * (side / 64) ** 2
    assert len(rows) == pytest.approx(area, rel=0.15)


@laws
@given(any_square, any_square)
def test_moved_is_a_distance_without_unit(one, other):
    assert squares.moved(one, one) == 0
    assert squares.moved(one, other) == pytest.approx(squares.moved(other, one))
    larger = [Square(3 * s.x, 3 * s.y, 3 * s.side, s.angle) for s in (one, other)]
    assert squares.moved(*larger) == pytest.approx(squares.moved(one, other))


def test_a_turned_square_has_moved():
    square = Square(10, 20, 30)
    assert squares.moved(square, square._replace(angle=np.pi)) == pytest.approx(np.sqrt(2))
