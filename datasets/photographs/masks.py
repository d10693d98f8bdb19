"""COCO's masks: polygons, and run-length encoding (RLE), plain or packed into text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from smpl_tf import bounds

_SHIFT = 4  # fractional bits of OpenCV's coordinates
_FIRST = 48  # the character of 0 in packed runs
_CONTINUES, _SIGN = 0x20, 0x10  # bits of a packed digit


def decode(segmentation: Any, height: int, width: int) -> np.ndarray | None:
    """Draws the mask of an annotation.

    Args:
      segmentation: polygons [x, y, x, y, ...] in pixels, or {counts, size} of runs down the
        columns, which begin with the background.
      height: of the picture, pixels.
      width: of the picture, pixels.

    Returns:
      `[height, width]` uint8, 255 at the person and 0 elsewhere; None: no mask.

    Raises:
      Exception: one of `coco.DAMAGED`, if it is neither, or for a picture of another size.
    """
    if not segmentation:
        return None
    bounds.check(height * width, bounds.MOST_PIXELS, "pixels")
    if isinstance(segmentation, Mapping):
        if list(segmentation["size"]) != [height, width]:
            raise ValueError(
                f"expected runs of [{height}, {width}] pixels, got {segmentation['size']}"
            )
        return _of_runs(segmentation["counts"], height, width)
    return _of_polygons(segmentation, height, width)


def _of_polygons(polygons: Sequence[Sequence[float]], height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    for polygon in polygons:
        corners = np.reshape(np.asarray(polygon, np.float64), (-1, 2))
        if len(corners) < 3 or not np.isfinite(corners).all():
            raise ValueError("expected polygons of three corners or more")
        # In OpenCV pixel centres have whole coordinates, in COCO pixel corners.
        limit = 4.0 * max(height, width)
        fixed = np.rint((corners.clip(-limit, limit) - 0.5) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(mask, [fixed], 255, shift=_SHIFT)
    return mask


def _of_runs(counts: Sequence[int] | str, height: int, width: int) -> np.ndarray:
    runs = _unpacked(counts) if isinstance(counts, str) else np.asarray(counts)
    if runs.ndim != 1 or runs.dtype.kind not in "iu" or (runs < 0).any():
        raise ValueError("expected runs that are whole numbers from 0")
    if runs.astype(np.float64).sum() != height * width:
        raise ValueError(f"expected runs of {height * width} pixels in all, got {runs.sum()}")
    values = np.where(np.arange(len(runs)) % 2, 255, 0).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(values, runs).reshape(width, height).T)


def _unpacked(text: str) -> np.ndarray:
    """Unpacks runs: digits of 5 bits, lowest first; from the third run on, less the last but one.

    Source: COCO API, `rleFrString`.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        digit = ord(character) - _FIRST
        if not 0 <= digit < 64 or shift > 60:
            raise ValueError("expected packed runs, got other text")
        value |= (digit & 0x1F) << shift
        shift += 5
        if digit & _CONTINUES:
            continue
        if digit & _SIGN:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("expected packed runs, got a truncated one")
    return np.array(runs, np.int64)
