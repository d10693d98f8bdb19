"""Photographs behind synthetic people: any folder of them."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import cv2
import numpy as np

from smpl_tf import pictures

_TRIES = 10  # files, before a folder of damaged ones is given up


def fingerprint(folder: str) -> str:
    """Names the photographs below a folder, by their paths and sizes.

    Args:
      folder: of photographs.

    Returns:
      A short hash.

    Raises:
      ValueError: there is no photograph.
    """
    listed = [
        f"{path.relative_to(folder).as_posix()} {path.stat().st_size}" for path in _files(folder)
    ]
    return hashlib.sha256("\n".join(listed).encode()).hexdigest()[:16]


def draw(rng: np.random.Generator, folder: str, size: int) -> np.ndarray:
    """Cuts a random square out of a random photograph; half of them are mirrored.

    Args:
      rng: the source of chance.
      folder: of photographs.
      size: width and height, pixels.

    Returns:
      [size, size, 3] float32 RGB 0..1.

    Raises:
      ValueError: no photograph can be read.
    """
    files = _files(folder)
    for _ in range(_TRIES):
        path = files[int(rng.integers(len(files)))]
        try:
            pixels = pictures.read(path).pixels
        except pictures.PictureError as error:
            reason = str(error)
            continue
        height, width = pixels.shape[:2]
        side = max(1, round(rng.uniform(0.4, 1) * min(height, width)))
        top, left = (int(rng.integers(free - side + 1)) for free in (height, width))
        square = pixels[top : top + side, left : left + side]
        if rng.random() < 0.5:
            square = square[:, ::-1]
        shape = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
        return cv2.resize(np.float32(square) / 255, (size, size), interpolation=shape)
    raise ValueError(f"{folder}: {_TRIES} of its photographs cannot be read; the last: {reason}")


@functools.lru_cache(maxsize=4)
def _files(folder: str) -> tuple[Path, ...]:
    found = sorted(
        path
        for path in Path(folder).rglob("*")
        if path.suffix.lower() in pictures.ENDINGS and path.is_file()
    )
    if not found:
        raise ValueError(
            f"{folder}: no photograph in it or below; expected {', '.join(pictures.ENDINGS)}"
        )
    return tuple(found)
