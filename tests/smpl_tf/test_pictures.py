import os

import numpy as np
import pytest
from PIL import Image

from smpl_tf import pictures
from smpl_tf.pictures import PictureError


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
    read = pictures.read(path).pixels
    assert read.dtype == np.uint8 and read.shape == pixels.shape
    for row, column in ((4, 6), (4, 24), (15, 6), (15, 24)):
        assert np.abs(read[row, column].astype(int) - pixels[row, column]).max() < 40


def test_grey_palette_and_16_bit_become_rgb(tmp_path, pixels):
    ramp = np.linspace(0, 255, 31 * 20).reshape(20, 31)
    Image.fromarray(ramp.astype(np.uint8)).save(tmp_path / "grey.png")
    Image.fromarray((ramp * 257).astype(np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(pixels).quantize(16).save(tmp_path / "palette.png")
    for name in ("grey.png", "deep.png"):
        read = pictures.read(tmp_path / name).pixels
        assert np.abs(read.astype(float) - ramp[..., None]).max() <= 1
    np.testing.assert_array_equal(pictures.read(tmp_path / "palette.png").pixels, pixels)


def test_transparent_pixels_are_grey(tmp_path, pixels):
    alpha = np.full((20, 31, 1), 255, np.uint8)
    alpha[:10] = 0
    Image.fromarray(np.concatenate([pixels, alpha], -1)).save(tmp_path / "a.png")
    read = pictures.read(tmp_path / "a.png").pixels
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
    read = pictures.read(tmp_path / "a.png")
    np.testing.assert_array_equal(read.pixels, pixels)
    assert (read.width, read.height) == (31, 20)


@pytest.mark.parametrize("ending", ["png", "jpg"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_truncated_picture_is_named(tmp_path, ending, share):
    path = tmp_path / f"cut.{ending}"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(PictureError, match=rf"cut\.{ending}"):
        pictures.read(path)


@pytest.mark.parametrize("content", [b"", b"this is a text\n"])
def test_a_file_that_is_no_picture_is_named(tmp_path, content):
    (tmp_path / "notes.jpg").write_bytes(content)
    with pytest.raises(PictureError, match=r"notes\.jpg: not a picture"):
        pictures.read(tmp_path / "notes.jpg")


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    Image.new("RGB", (50, 50)).save(tmp_path / "large.png")
    with pytest.raises(PictureError, match=r"large\.png: too large"):
        pictures.read(tmp_path / "large.png")


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        *(("png", kind) for kind in ("RGB", "L", "I;16", "P", "RGBA")),
        *(("jpg", kind) for kind in ("RGB", "L")),
    ],
)
def test_a_large_picture_is_shrunk_while_it_is_read(tmp_path, monkeypatch, ending, kind):
    monkeypatch.setattr(pictures, "LARGEST_SIDE", 100)
    ramp = np.linspace(0, 255, 390)[None].repeat(200, 0)
    if kind == "I;16":
        image = Image.fromarray((ramp * 257).astype(np.uint16))
    else:
        image = Image.fromarray(ramp.astype(np.uint8)).convert(kind)
    image.save(tmp_path / f"a.{ending}")
    read = pictures.read(tmp_path / f"a.{ending}")
    assert (read.width, read.height) == (390, 200)
    assert read.pixels.shape == (50, 98, 3)
    np.testing.assert_allclose(read.scale, 0.25, rtol=0.01)
    places = (np.arange(98) + 0.5) * 4
    np.testing.assert_allclose(
        read.pixels[25, :, 0], np.interp(places, (0, 390), (0, 255)), atol=3
    )


def test_nobody_can_be_seen_in_a_dot(tmp_path):
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    with pytest.raises(PictureError, match=r"dot\.png: only 1 x 1 pixels"):
        pictures.read(tmp_path / "dot.png")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PictureError, match=r"a\.png: No such file"):
        pictures.read(tmp_path / "a.png")


@pytest.mark.parametrize("shape", [(20, 900), (300, 20), (50, 70)])
def test_shrinking_keeps_the_proportions(shape):
    result = pictures.shrink(np.zeros((*shape, 3), np.uint8), 60)
    scale = min(1, 60 / max(shape))
    np.testing.assert_allclose(result.shape[:2], np.array(shape) * scale, atol=0.51)


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n%%EndComments\n{} loop\n"


@pytest.mark.parametrize("form", sorted(Image.registered_extensions().values()))
def test_only_the_formats_that_we_mean_reach_a_decoder(tmp_path, form, pixels, monkeypatch):
    """Of all formats that Pillow can write here; PostScript would start a program."""
    path = tmp_path / "x.jpg"
    try:
        Image.fromarray(pixels).save(path, form)
    except Exception:
        pytest.skip(f"Pillow does not write {form} here")
    opened = []
    monkeypatch.setattr("subprocess.Popen", lambda *arguments, **_: opened.append(arguments))
    try:
        pictures.read(path)
    except PictureError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
        assert form not in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")
    else:
        assert form in (*pictures.FORMATS, "MPO", "DIB", "SPIDER")
    assert not opened
    assert pictures.decode(path.read_bytes()) is None or form in (*pictures.FORMATS, "MPO")


def test_numbers_that_are_not_finite_are_no_picture(tmp_path):
    values = np.full((20, 20), 0.5, np.float32)
    values[3, 4] = np.nan
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(pictures.PictureError, match="a.tif: holds numbers that are not finite"):
        pictures.read(tmp_path / "a.tif")


def test_postscript_is_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a program was started"))
    for start in (b"", b"\xc5\xd0\xd3\xc6" + bytes(28)):
        (tmp_path / "x.jpg").write_bytes(start + POSTSCRIPT)
        with pytest.raises(PictureError, match=r"x\.jpg: a picture of the format PostScript"):
            pictures.read(tmp_path / "x.jpg")
        with pytest.raises(PictureError, match="PostScript"):
            pictures.open_indexed(tmp_path / "x.jpg")


@pytest.mark.parametrize(("ending", "brand"), [("heic", b"heic"), ("jpg", b"mif1")])
def test_a_format_that_is_not_read_is_called_by_its_name(tmp_path, ending, brand):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(100))
    with pytest.raises(PictureError, match="format HEIC, which is not read; save it as JPEG"):
        pictures.read(path)


@pytest.mark.skipif("AVIF" not in pictures.FORMATS, reason="this Pillow reads no AVIF")
def test_avif_is_read_and_a_damaged_one_is_named(tmp_path, pixels):
    path = tmp_path / "a.avif"
    Image.fromarray(pixels).save(path)
    assert pictures.read(path).pixels.shape == pixels.shape
    content = path.read_bytes()
    for cut in range(20, len(content), 23):
        path.write_bytes(content[:cut] + bytes(len(content) - cut))
        try:
            pictures.read(path)
        except PictureError as error:
            assert "a.avif" in str(error) and "\n" not in str(error)


@pytest.mark.parametrize("kind", ["pipe", "loop", "folder", "device"])
def test_what_is_no_ordinary_file_is_named_and_not_waited_for(tmp_path, kind):
    path = tmp_path / "x.jpg"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(PictureError, match=r"x\.jpg: "):
        pictures.read(path)


def test_a_name_that_is_no_text(tmp_path, pixels):
    path = tmp_path / os.fsdecode(b"\xe4\xff.png")
    path.write_bytes(pictures.encode(pixels, ".png"))
    np.testing.assert_array_equal(pictures.read(path).pixels, pixels)
