"""The camera of a picture: the user's word, then the file's, then a normal lens."""

import numpy as np
import pytest
from PIL import ExifTags, Image

from experiments.prediction.lens import Lens
from smpl_tf import pictures
from smpl_tf.camera import FIELD_OF_VIEW, pinhole


def with_focal_length(path, focal):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = focal
    Image.new("RGB", (60, 40)).save(path, exif=exif)
    return pictures.read(path)


@pytest.mark.parametrize(("focal", "degrees"), [(50, 46.8), (24, 84.1), (26, 79.5)])
def test_the_focal_length_of_35_mm_film_is_a_field_of_view(tmp_path, focal, degrees):
    assert with_focal_length(tmp_path / "a.jpg", focal).field_of_view == pytest.approx(
        degrees, abs=0.1
    )


@pytest.mark.parametrize("focal", [0, 3, 60000])
def test_what_is_no_lens_is_unknown(tmp_path, focal):
    assert with_focal_length(tmp_path / "a.jpg", focal).field_of_view is None


def test_a_picture_without_tags_has_no_field_of_view(tmp_path):
    Image.new("RGB", (60, 40)).save(tmp_path / "a.png")
    assert pictures.read(tmp_path / "a.png").field_of_view is None


def test_every_picture_has_its_own_lens_unless_one_is_given():
    lens, given = Lens(), Lens(30.0)
    for recorded in (80.0, None):
        lens.turn_to(recorded)
        given.turn_to(recorded)
        expected = pinhole(640, 480, recorded or FIELD_OF_VIEW).intrinsics
        np.testing.assert_array_equal(lens(640, 480).intrinsics, expected)
        np.testing.assert_array_equal(
            given(640, 480).intrinsics, pinhole(640, 480, 30.0).intrinsics
        )
