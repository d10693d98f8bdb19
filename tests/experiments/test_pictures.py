import numpy as np
import pytest
from PIL import Image

from experiments import pictures
from experiments.common import UserError


@pytest.fixture
def pixels():
    """A picture whose corners differ: red, green above blue, white."""
    picture = np.zeros((20, 31, 3), np.uint8)
    picture[:10, :15], picture[:10, 15:] = (255, 0, 0), (0, 255, 0)
    picture[10:, :15], picture[10:, 15:] = (0, 0, 255), (255, 255, 255)
    return picture


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "webp", "tif"])
def test_formats(tmp_path, pixels, ending):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(pixels).save(path, quality=95)
    read = pictures.read(path)
    assert read.dtype == np.uint8 and read.shape == pixels.shape
    for row, column in ((4, 6), (4, 24), (15, 6), (15, 24)):
        assert np.abs(read[row, column].astype(int) - pixels[row, column]).max() < 40


def test_grey_palette_and_16_bit_become_rgb(tmp_path, pixels):
    ramp = np.linspace(0, 255, 31 * 20).reshape(20, 31)
    Image.fromarray(ramp.astype(np.uint8)).save(tmp_path / "grey.png")
    Image.fromarray((ramp * 257).astype(np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(pixels).quantize(16).save(tmp_path / "palette.png")
    for name in ("grey.png", "deep.png"):
        read = pictures.read(tmp_path / name)
        assert np.abs(read.astype(float) - ramp[..., None]).max() <= 1
    np.testing.assert_array_equal(pictures.read(tmp_path / "palette.png"), pixels)


def test_transparent_pixels_are_grey(tmp_path, pixels):
    alpha = np.full((20, 31, 1), 255, np.uint8)
    alpha[:10] = 0
    Image.fromarray(np.concatenate([pixels, alpha], -1)).save(tmp_path / "a.png")
    read = pictures.read(tmp_path / "a.png")
    assert (read[:10] == 128).all()
    np.testing.assert_array_equal(read[10:], pixels[10:])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_camera_held_sideways(tmp_path, pixels, orientation):
    upright = Image.fromarray(pixels)
    # What the camera stores is the upright picture under the inverse of the tag's operation.
    inverse = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright if orientation == 1 else upright.transpose(inverse[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(pictures.read(tmp_path / "a.png"), pixels)


@pytest.mark.parametrize("ending", ["png", "jpg"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_truncated_picture_is_named(tmp_path, ending, share):
    path = tmp_path / f"cut.{ending}"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(UserError, match=rf"cut\.{ending}"):
        pictures.read(path)


@pytest.mark.parametrize("content", [b"", b"this is a text\n"])
def test_a_file_that_is_no_picture_is_named(tmp_path, content):
    (tmp_path / "notes.jpg").write_bytes(content)
    with pytest.raises(UserError, match=r"notes\.jpg: not a picture"):
        pictures.read(tmp_path / "notes.jpg")


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    Image.new("RGB", (15, 10)).save(tmp_path / "large.png")
    with pytest.raises(UserError, match=r"large\.png"):
        pictures.read(tmp_path / "large.png")


def test_find_takes_pictures_by_name_and_nothing_else(tmp_path):
    for name in ("b.PNG", "a.jpeg", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder").mkdir()
    assert [path.name for path in pictures.find(tmp_path)] == ["a.jpeg", "b.PNG"]


def test_a_missing_and_an_empty_folder_are_named(tmp_path):
    with pytest.raises(UserError, match="nowhere: no such folder"):
        pictures.find(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no pictures here"):
        pictures.find(tmp_path)


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (300, 2), (50, 70), (64, 64), (9, 4)])
def test_a_square_holds_the_whole_picture_in_its_middle(shape):
    picture = np.full((*shape, 3), 7, np.uint8)
    picture[0], picture[-1] = 90, 90
    result = pictures.square(picture, 64)
    assert result.shape == (64, 64, 3)
    assert result.dtype == np.uint8


def test_a_square_repeats_the_border(pixels):
    result = pictures.square(pixels, 62)
    assert result.shape == (62, 62, 3)
    assert (result[0] == result[10]).all()
    assert (result[0, 0] == (255, 0, 0)).all() and (result[-1, -1] == 255).all()
