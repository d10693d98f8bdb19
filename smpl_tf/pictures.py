"""Reads users' photographs: any size and format, any EXIF orientation."""

from __future__ import annotations

import math
import struct
import warnings
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError, features

from smpl_tf import file_kinds
from smpl_tf.errors import one_line

ENDINGS = (
    *(".avif", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"),
    *(".heic", ".heif"),  # not read, but named in the error
)
# The formats that the installed Pillow can read; before 11.3 it reads no AVIF.
FORMATS = tuple(one for one in file_kinds.READ if one != "AVIF" or features.check("avif"))

# The operations that undo EXIF's orientation.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


LARGEST_SIDE = 4096  # pixels; larger pictures are shrunk while they are read
_FILM_DIAGONAL = 43.267  # mm, of 35 mm film
_SHORTEST, _LONGEST = 8.0, 2000.0  # mm, plausible focal lengths
LEAST_SIDE = 16  # pixels; a person cannot be recognised in less


class PictureError(ValueError):
    """A file is not a usable picture; the one-line message says why."""


class Photograph(NamedTuple):
    """A decoded picture.

    Attributes:
      pixels: `[H, W, 3]` uint8 RGB, at most LARGEST_SIDE high and wide.
      width: of the file, pixels.
      height: of the file, pixels.
      field_of_view: across the diagonal, degrees, from the file's EXIF tags; None: unknown.
    """

    pixels: np.ndarray
    width: int
    height: int
    field_of_view: float | None = None

    @property
    def scale(self) -> float:
        """Read pixels per pixel of the file."""
        return max(self.pixels.shape[:2]) / max(self.width, self.height)


def read(path: Path) -> Photograph:
    """Reads any picture: grey, palette, transparent, 16-bit; applies the EXIF orientation.

    Args:
      path: the file.

    Returns:
      The picture; transparent areas are grey.

    Raises:
      PictureError: the file does not decode completely, or is too small to show a person.
    """
    try:
        kind = file_kinds.picture_kind(file_kinds.head_of(path))
        if kind not in FORMATS:
            raise _other_kind(kind)
        with warnings.catch_warnings():
            # Pillow warns at half the size that it rejects.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            # By default Pillow tries all formats, even PostScript, for which it starts a program.
            with Image.open(path, formats=FORMATS) as image:
                return _read(image)
    except UnidentifiedImageError as error:
        raise PictureError(
            f"{path}: not a picture; remove it, or save it as JPEG or PNG"
        ) from error
    except Image.DecompressionBombError as error:
        raise PictureError(
            f"{path}: too large ({one_line(error)}); save a smaller copy"
        ) from error
    except PictureError as error:
        raise PictureError(f"{path}: {error}") from error
    except Exception as error:  # decoders raise many kinds of errors on damaged files
        if isinstance(error, OSError) and error.filename is not None:
            raise PictureError(f"{path}: {error.strerror}") from error
        reason = one_line(error).removeprefix(f"{path}: ")
        if reason == file_kinds.NOT_ORDINARY:
            raise PictureError(f"{path}: {reason}") from error
        raise PictureError(
            f"{path}: does not decode ({reason}); get a whole copy of it"
        ) from error


def _other_kind(kind: str | None) -> PictureError:
    if kind is None:
        return PictureError("not a picture; remove it, or save it as JPEG or PNG")
    return PictureError(f"a picture of the format {kind}, which is not read; save it as JPEG")


def open_indexed(path: Path) -> Image.Image:
    """Opens a picture with Pillow, for label maps that are palette indices.

    Args:
      path: the file.

    Returns:
      Pillow's picture; the caller closes it.

    Raises:
      PictureError: its format is none of FORMATS.
    """
    kind = file_kinds.picture_kind(file_kinds.head_of(path))
    if kind not in FORMATS:
        raise PictureError(f"{path}: {_other_kind(kind)}")
    return Image.open(path, formats=FORMATS)


def decode(content: bytes, mode: int = cv2.IMREAD_COLOR) -> np.ndarray | None:
    """Decodes a picture with OpenCV, only in the allowed formats; the only place that does.

    Args:
      content: bytes of the file, or of the field of an Example.
      mode: one of OpenCV's IMREAD constants.

    Returns:
      `[H, W, 3]` BGR, or as the mode asks; None: it does not decode.
    """
    content = bytes(content)
    if file_kinds.picture_kind(content[:64]) not in FORMATS:
        return None
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), mode)
    except cv2.error:
        return None


def encode(pixels: np.ndarray, ending: str, quality: int = 95) -> bytes:
    """Encodes a picture.

    Args:
      pixels: `[H, W, 3]` RGB, `[H, W, 4]` RGBA or `[H, W]`, uint8.
      ending: ".png" or ".jpg".
      quality: of a JPEG.

    Returns:
      The content of the file.

    Raises:
      PictureError: the format cannot hold it.
    """
    if pixels.ndim == 3:
        pixels = np.ascontiguousarray(pixels[..., [2, 1, 0, 3][: pixels.shape[-1]]])
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if ending == ".jpg" else []
    good, encoded = cv2.imencode(ending, pixels, options)
    if not good:
        raise PictureError(
            f"a picture of shape {list(pixels.shape)} cannot be written as {ending}"
        )
    return encoded.tobytes()


def of_array(pixels: np.ndarray) -> Photograph:
    """Treats an array as a photograph.

    Args:
      pixels: `[H, W, 3]` uint8 RGB.

    Returns:
      The picture, shrunk like a file if it is larger than LARGEST_SIDE.

    Raises:
      PictureError: it has another shape or type, or is too small to show a person.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[-1] != 3:
        raise PictureError(
            f"expected a picture [H, W, 3] uint8 RGB, got {list(pixels.shape)} {pixels.dtype}"
        )
    height, width = pixels.shape[:2]
    _check_size(width, height)
    return Photograph(shrink(pixels, LARGEST_SIDE), width, height)


def _read(image: Image.Image) -> Photograph:
    width, height = image.size
    _check_size(width, height)
    smaller = -(-max(width, height) // LARGEST_SIDE)
    if smaller > 1:  # a JPEG is decoded at a half, a quarter or an eighth of its size
        image.draft(None, (-(-width // smaller), -(-height // smaller)))
    image.load()
    # The size after the draft; other formats are still full-size here.
    smaller = -(-max(image.size) // LARGEST_SIDE)
    pixels = _to_rgb(image, smaller)
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    if orientation in _UPRIGHT:
        pixels = np.asarray(Image.fromarray(pixels).transpose(_UPRIGHT[orientation]))
        if orientation >= 5:
            width, height = height, width
    return Photograph(pixels, width, height, _field_of_view(image))


def _field_of_view(image: Image.Image) -> float | None:
    """Reads the field of view from the 35 mm focal length; None if there is none."""
    try:
        tags = image.getexif().get_ifd(ExifTags.IFD.Exif)
        focal = float(tags.get(ExifTags.Base.FocalLengthIn35mmFilm, 0))
    except (TypeError, ValueError, ZeroDivisionError, SyntaxError, struct.error):
        return None  # tags are damaged more often than pixels
    if not _SHORTEST <= focal <= _LONGEST:
        return None
    return math.degrees(2 * math.atan(_FILM_DIAGONAL / 2 / focal))


def _check_size(width: int, height: int) -> None:
    if min(width, height) < LEAST_SIDE:
        raise PictureError(
            f"only {width} x {height} pixels; expected {LEAST_SIDE} or more of a person"
        )


def _to_rgb(image: Image.Image, smaller: int) -> np.ndarray:
    if image.mode.startswith(("I", "F")):  # 16 bits and more: stretched to the range of its values
        values = np.asarray(image)
        values = values.astype(np.uint16 if image.mode.startswith("I;16") else np.float32)
        if not np.isfinite(values).all():
            raise PictureError("holds numbers that are not finite; save it as JPEG or PNG")
        if smaller > 1:
            width, height = (-(-side // smaller) for side in image.size)
            values = cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA)
        values = values.astype(np.float64) - values.min()
        values *= 255 / max(values.max(), 1e-9)
        return np.repeat(values.round().astype(np.uint8)[..., None], 3, axis=-1)
    transparent = image.has_transparency_data
    if image.mode not in ("L", "RGB", "RGBA"):
        image = image.convert("RGBA" if transparent else "RGB")
    if smaller > 1:
        image = image.reduce(smaller)
    if transparent:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, (128, 128, 128, 255)), rgba)
    return np.asarray(image.convert("RGB"))


def shrink(pixels: np.ndarray, largest: int) -> np.ndarray:
    """Shrinks a picture whose longer side is above a limit.

    Args:
      pixels: `[H, W, 3]` uint8.
      largest: longest side allowed, pixels.

    Returns:
      `[H', W', 3]` uint8.
    """
    height, width = pixels.shape[:2]
    if max(height, width) <= largest:
        return pixels
    scale = largest / max(height, width)
    return resize(pixels, max(1, round(width * scale)), max(1, round(height * scale)))


def resize(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resizes a picture without aliasing.

    Args:
      pixels: `[H, W, 3]` uint8.
      width: of the result, pixels.
      height: of the result, pixels.

    Returns:
      `[height, width, 3]` uint8.
    """
    smaller = width < pixels.shape[1]
    return cv2.resize(
        pixels, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    )
