"""Photographs as users have them: any size and format, turned as the camera was held."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from experiments.common import UserError

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def find(folder: Path) -> list[Path]:
    """Lists the pictures of a folder.

    Args:
      folder: where to look; not in its subfolders.

    Returns:
      The files with a picture's ending, by name.

    Raises:
      UserError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give a folder of pictures with --images")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
    if not paths:
        raise UserError(
            f"{folder}: no pictures here; expected files ending in {' '.join(ENDINGS)}"
        )
    return paths


def read(path: Path) -> np.ndarray:
    """Reads a picture of any kind: grey, palette, transparent, 16-bit, turned by its EXIF tag.

    Args:
      path: the file.

    Returns:
      `[H, W, 3]` uint8 RGB; what was transparent is grey.

    Raises:
      UserError: the file does not decode to the end.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return _to_rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        raise UserError(f"{path}: not a picture; remove it, or save it as JPEG or PNG") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombWarning) as error:
        raise UserError(f"{path}: does not decode ({error}); get a whole copy of it") from error


def _to_rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith(("I", "F")):  # 16 bits and more: stretched over the values it has
        values = np.asarray(image, np.float64)
        values -= values.min()
        values *= 255 / max(values.max(), 1e-9)
        return np.repeat(values.round().astype(np.uint8)[..., None], 3, axis=-1)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, (128, 128, 128, 255)), rgba)
    return np.asarray(image.convert("RGB"))


class Box(NamedTuple):
    """Where a picture lies in a square; pixels of the square.

    Attributes:
      left: of the picture's left edge.
      top: of its upper edge.
      width: of the picture in the square.
      height: likewise.
    """

    left: int
    top: int
    width: int
    height: int


def box_in_square(width: int, height: int, size: int) -> Box:
    """Fits a picture into the middle of a square, as large as it goes.

    Args:
      width: of the picture, pixels.
      height: of the picture, pixels.
      size: side of the square, pixels.

    Returns:
      Its place.
    """
    scale = size / max(width, height)
    inner_width, inner_height = max(1, round(width * scale)), max(1, round(height * scale))
    return Box((size - inner_width) // 2, (size - inner_height) // 2, inner_width, inner_height)


def square(pixels: np.ndarray, size: int) -> np.ndarray:
    """Puts a picture into the middle of a square; its borders are repeated, as in NBF's crops.

    Args:
      pixels: `[H, W, 3]` uint8.
      size: side of the square, pixels.

    Returns:
      `[size, size, 3]` uint8.
    """
    box = box_in_square(pixels.shape[1], pixels.shape[0], size)
    resized = resize(pixels, box.width, box.height)
    below, right = size - box.top - box.height, size - box.left - box.width
    return cv2.copyMakeBorder(resized, box.top, below, box.left, right, cv2.BORDER_REPLICATE)


def shrink(pixels: np.ndarray, largest: int) -> np.ndarray:
    """Resizes a picture whose longer side is longer than it should be.

    Args:
      pixels: `[H, W, 3]` uint8.
      largest: longest side allowed, pixels.

    Returns:
      `[H', W', 3]` uint8.
    """
    height, width = pixels.shape[:2]
    if max(height, width) <= largest:
        return pixels
    box = box_in_square(width, height, largest)
    return resize(pixels, box.width, box.height)


def resize(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resizes a picture without aliasing.

    Args:
      pixels: `[H, W, 3]` uint8.
      width: wanted, pixels.
      height: wanted, pixels.

    Returns:
      `[height, width, 3]` uint8.
    """
    smaller = width < pixels.shape[1]
    return cv2.resize(
        pixels, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    )
