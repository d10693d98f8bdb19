"""Where people are in a picture, and that the body is drawn where the networks saw it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets import synthetic
from datasets.example import decode
from nbf.prediction import windows
from nbf.prediction.windows import Window
from smpl_tf.nbf_scale import NBF_TRANSLATION, nbf_camera
from smpl_tf.parts import PARTS_3, PARTS_12, PARTS_24, merge_labels

laws = settings(derandomize=True, deadline=None, max_examples=25)
sizes = st.integers(16, 12_000)
places = st.floats(-3000, 12_000)
STATURE = 1.693  # metres, of the mean open body
SIZE = 64


@laws
@given(
    seed=st.integers(0, 2**32 - 1),
    window=st.builds(Window, places, places, st.floats(4, 12_000)),
    width=sizes,
    height=sizes,
    file_scale=st.floats(1, 4),
    size=st.sampled_from([64, 224, 512]),
)
def test_the_picture_s_camera_cropped_is_the_networks_camera(
    seed, window, width, height, file_scale, size
):
    body = np.random.default_rng(seed).uniform(-1.2, 1.2, (50, 3)) + NBF_TRANSLATION
    camera = window.camera(width, height)
    # Through the file's own size, too, where the picture was shrunk on reading.
    file_width, file_height = round(width * file_scale), round(height * file_scale)
    camera = camera.resize(file_width, file_height).resize(width, height)
    seen = camera.crop(window.left, window.top, window.side, window.side).resize(size, size)
    np.testing.assert_allclose(seen.project(body), nbf_camera(size).project(body), atol=0.01)


@pytest.mark.parametrize("shape", [(50, 70), (400, 300), (30, 900)])
@pytest.mark.parametrize("window", [(0, 0, 50), (-20.3, 7.8, 90.4), (11.25, -30.5, 333.3)])
@pytest.mark.parametrize("size", [16, 128])
def test_a_cut_shows_each_place_of_the_picture_where_the_camera_does(shape, window, size):
    height, width = shape
    rows, columns = np.mgrid[:height, :width] + 0.5
    # Colours that tell the place, and are linear in it.
    picture = np.stack([columns * 255 / width, rows * 255 / height, 0 * rows], -1)
    cut = Window(*window).cut(picture.astype(np.uint8), size)
    left, top, side = window
    places = (np.arange(size) + 0.5) * side / size
    step = max(side / size, 1)
    for axis, (corner, extent) in enumerate(((left, width), (top, height))):
        inside = (corner + places > step) & (corner + places < extent - step)
        found = cut[..., axis].mean(axis=0 if axis == 0 else 1)[inside]
        expected = ((corner + places) * 255 / extent)[inside]
        np.testing.assert_allclose(found, expected, atol=1.5 + 255 * 0.1 * step / extent)


def test_a_cut_continues_the_border():
    picture = np.full((20, 20, 3), 80, np.uint8)
    picture[:, -1] = 200
    cut = Window(0, 0, 40).cut(picture, 40)
    assert (cut[:, 20:] == 200).all() and (cut[:, :19] == 80).all()


@pytest.fixture(scope="module")
def people():
    """Synthetic people: NBF's camera sees them, so the whole picture is the right square."""
    config = synthetic.SyntheticConfig(seed=3, image_size=SIZE, occluder_share=0)
    examples = synthetic.read_examples(config, "test", 0, 32)
    decoded = (decode(example) for example in examples)
    return [(np.asarray(one["joints/2d"]), np.asarray(one["parts"])) for one in decoded]


def errors(found):
    """Median size of the square, and how its size and its middle scatter, in shares of it."""
    found = np.array(found) / SIZE
    logs = np.log(found[:, 2])
    middles = found[:, :2] + found[:, 2:] / 2
    return np.exp(np.median(logs)), logs.std(), np.abs(middles - 0.5).mean(0)


@pytest.mark.parametrize("scheme", [PARTS_12, PARTS_24])
def test_parts_tell_scale_and_place_in_any_pose(people, scheme):
    maps = [merge_labels(labels, scheme) for _, labels in people]
    size, scatter, off = errors([windows.from_parts(m, scheme, STATURE) for m in maps])
    assert abs(size - 1) < 0.06 and scatter < 0.11
    assert off.max() < 0.025


def test_a_box_tells_less(people):
    maps = [merge_labels(labels, PARTS_3) for _, labels in people]
    size, scatter, off = errors([windows.from_parts(m, PARTS_3, STATURE) for m in maps])
    assert abs(size - 1) < 0.1 and scatter < 0.2
    assert off.max() < 0.09


def test_joints_tell_scale_and_place_in_any_pose(people):
    joints = [np.concatenate([np.full((1, 2), np.nan), j[1:]]) for j, _ in people]
    size, scatter, off = errors([windows.from_joints(j, STATURE) for j in joints])
    assert abs(size - 1) < 0.06 and scatter < 0.1
    assert off.max() < 0.025


def test_the_largest_of_several_blobs_is_the_person():
    labels = np.zeros((64, 64), np.uint8)
    labels[5:45, 20:30] = 1
    labels[50:55, 50:55] = 1
    found = windows.from_parts(labels, PARTS_3, STATURE)
    alone = np.where(np.arange(64)[:, None] < 48, labels, 0)
    assert found == windows.from_parts(alone, PARTS_3, STATURE)


def test_nobody_is_found_where_nobody_is():
    labels = np.zeros((64, 64), np.uint8)
    assert windows.from_parts(labels, PARTS_12, STATURE) is None
    labels[3, 4] = 1
    assert windows.from_parts(labels, PARTS_12, STATURE) is None


def test_a_box_that_a_standing_person_fills_becomes_nbf_s_square():
    # 440 pixels of 512 are 1.786 m; half a pixel above the middle.
    window = windows.from_box((100, 50, 300, 50 + 440 * windows._BOX_IN_STATURES), 1.786)
    np.testing.assert_allclose(window.side, 512, atol=1)
    assert window.left == pytest.approx(200 - 256, abs=1)


def test_joints_without_hips_tell_nothing():
    assert windows.from_joints(np.full((24, 2), np.nan), STATURE) is None


@pytest.mark.parametrize("window", [(500, 0, 50), (0, -60, 50), (0, 0, 2), (0, 0, np.nan)])
def test_a_square_outside_of_the_picture_is_refused(window):
    with pytest.raises(ValueError, match="a.png, person 2: lies outside"):
        windows.check(Window(*window), 200, 100, "a.png, person 2")
