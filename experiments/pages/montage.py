"""Combines small pictures to one, in rows with names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_MARGIN, _NAME_WIDTH, _NAME_SIZE = 6, 150, 17
_INK = (29, 33, 38)


def montage(rows: Sequence[tuple[str, Sequence[np.ndarray]]]) -> np.ndarray:
    """Puts pictures of one size in rows.

    Args:
      rows: name and pictures, `[S, S, 3]` uint8 RGB or `[S, S, 4]` RGBA, drawn on white. A name is
        written if it differs from that of the row above.

    Returns:
      `[H, W, 3]` uint8.

    Raises:
      ValueError: there are no pictures.
    """
    if not any(pictures for _, pictures in rows):
        raise ValueError("montage: expected at least one row with a picture.")
    size = max(picture.shape[0] for _, pictures in rows for picture in pictures)
    step = size + _MARGIN
    columns = max(len(pictures) for _, pictures in rows)
    sheet = Image.new("RGB", (_NAME_WIDTH + columns * step, len(rows) * step), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(_NAME_SIZE)
    before = None
    for i, (name, pictures) in enumerate(rows):
        if name != before:
            pen.multiline_text((_MARGIN, i * step), _folded(name), _INK, font)
        before = name
        for j, picture in enumerate(pictures):
            one = Image.fromarray(picture)
            place = (_NAME_WIDTH + j * step, i * step)
            sheet.paste(one, place, one if one.mode == "RGBA" else None)
    return np.asarray(sheet)


def _folded(name: str) -> str:
    """Breaks a name after its second word, so that it fits next to the pictures."""
    words = name.split()
    return "\n".join([" ".join(words[:2]), " ".join(words[2:])])
