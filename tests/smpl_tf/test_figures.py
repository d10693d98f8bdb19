import numpy as np
import pytest

from smpl_tf import figures
from smpl_tf.nbf_scale import nbf_camera
from smpl_tf.parts import PARTS_3, PARTS_12, colour_code

# A tetrahedron 20 m away: its tip points right, and its far corner lies 0.5 m behind the others.
VERTICES = np.array([[0.5, 0, 20.0], [-0.3, -0.4, 20.0], [-0.3, 0.4, 20.0], [-0.3, 0, 20.5]])
FACES = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
COLOUR = (0, 255, 0)


def extent(mask):
    rows, columns = np.nonzero(mask)
    return columns.min(), columns.max() + 1, rows.min(), rows.max() + 1


def is_outward(faces):
    a, b, c = (VERTICES[faces[:, k]] for k in range(3))
    towards = (a + b + c) / 3 - VERTICES.mean(0)
    return (np.cross(b - a, c - a) * towards).sum(-1) > 0


@pytest.fixture
def faces():
    return np.where(is_outward(FACES)[:, None], FACES, FACES[:, ::-1])


@pytest.mark.parametrize("camera_size", [64, 200])
def test_a_body_is_drawn_where_the_camera_sees_it_at_any_size(faces, camera_size):
    picture = np.full((100, 100, 3), 200, np.uint8)
    camera = nbf_camera(camera_size)
    drawn = figures.body_over(picture, VERTICES, faces, camera, COLOUR)
    corners = np.asarray(camera.project(VERTICES)) * 100 / camera_size
    found = extent((drawn != 200).any(-1))
    expected = (*np.sort(corners[:3, 0])[[0, -1]], *np.sort(corners[:3, 1])[[0, -1]])
    np.testing.assert_allclose(found, expected, atol=1.5)
    assert (picture == 200).all()


def test_from_the_side_depth_lies_to_the_right_and_the_body_in_the_middle(faces):
    drawn = figures.body_from_side(200, VERTICES, faces, nbf_camera(64), COLOUR)
    left, right, top, bottom = extent(drawn[..., 3] > 20)
    per_metre = 5000 * 200 / 512 / 20.25
    np.testing.assert_allclose(right - left, 0.5 * per_metre, atol=3)
    np.testing.assert_allclose(bottom - top, 0.8 * per_metre, atol=3)
    np.testing.assert_allclose([(left + right) / 2, (top + bottom) / 2], 100, atol=1.5)
    # The edge of 0.8 m is nearest to the front camera: left. The far corner is a point: right.
    heights = (drawn[..., 3] > 128).sum(0)
    assert heights[left + 2] > 4 * heights[right - 3]


def test_labels_are_enlarged_without_new_colours():
    labels = np.random.default_rng(0).integers(0, 13, (8, 8))
    coded = colour_code(labels, PARTS_12)
    large = figures.enlarge(coded, 64, smooth=False)
    np.testing.assert_array_equal(large[4::8, 4::8], coded)
    assert {tuple(c) for c in large.reshape(-1, 3)} <= {tuple(c) for c in PARTS_12.colours}


def test_an_input_map_becomes_the_picture_it_was_made_of():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 5, 3), np.uint8)
    np.testing.assert_array_equal(figures.visible(pixels / 127.5 - 1), pixels)
    labels = np.array([[0, 1], [2, 3]])
    probabilities = np.eye(4)[labels] * 2 - 1
    np.testing.assert_array_equal(figures.visible(probabilities), colour_code(labels, PARTS_3))
