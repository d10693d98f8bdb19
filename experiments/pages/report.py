"""The page of a run: one self-contained HTML file with styles, curves and pictures."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from experiments.pages.curves import Chart
from smpl_tf import file_kinds, pictures
from smpl_tf.files import NotOursError, write_text
from smpl_tf.viewer.templates import template

_MARK = b"--ground: #"  # of the style of every page
_HEAD = 1 << 16  # bytes that contain it
_TEMPLATE = Path(__file__).with_name("report.html")


class Table(NamedTuple):
    """A table of formatted texts.

    Attributes:
      header: one text per column; the first column has names, the others numbers.
      rows: as many texts each.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        """Returns the table as aligned plain text."""
        rows = [self.header, *self.rows]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.header))]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
            for row in rows
        ]
        lines.insert(1, "-" * len(lines[0]))
        return "\n".join(lines)


class Headline(NamedTuple):
    """A number in large type.

    Attributes:
      value: the number with its unit.
      label: what it is.
      note: a value for comparison.
    """

    value: str
    label: str
    note: str


class Picture(NamedTuple):
    """A picture with its label.

    Attributes:
      label: what it shows.
      data_uri: the picture itself, see `picture`.
      under: another picture of the same size, which a slider reveals; or None.
    """

    label: str
    data_uri: str
    under: str = ""


class Person(NamedTuple):
    """One person on the page.

    Attributes:
      caption: name and error.
      pictures: from left to right.
      scene: scene of the page's viewer that a button shows, if any.
      doubt: reason why this person's result may be wrong, if any; the person is marked.
    """

    caption: str
    pictures: Sequence[Picture]
    scene: str = ""
    doubt: str = ""


class Group(NamedTuple):
    """People under one heading.

    Attributes:
      heading: what they have in common.
      people: the people.
      note: remark on their pictures, if any.
    """

    heading: str
    people: Sequence[Person]
    note: str = ""


class Page(NamedTuple):
    """The content of a page, from top to bottom.

    Attributes:
      title: its heading.
      lead: one or two sentences that summarise the run.
      warning: limitation of the results that the reader must know, if any.
      headlines: numbers shown large.
      viewer: the bodies in 3D, see `viewer.body_viewer`, if any.
      table: the metrics, if any.
      charts: the curves.
      plots: pictures as wide as the text, such as scatter plots.
      groups: the people.
      failures: inputs that failed, one line each.
      details: names and values to repeat the run.
    """

    title: str
    lead: str
    warning: str = ""
    headlines: Sequence[Headline] = ()
    viewer: str = ""
    table: Table | None = None
    charts: Sequence[Chart] = ()
    plots: Sequence[Picture] = ()
    groups: Sequence[Group] = ()
    failures: Sequence[str] = ()
    details: Sequence[tuple[str, str]] = ()


def picture(label: str, pixels: np.ndarray, lossless: bool = False) -> Picture:
    """Embeds a picture, as JPEG or PNG.

    Args:
      label: what it shows.
      pixels: `[H, W, 3]` uint8 RGB, or `[H, W, 4]` RGBA.
      lossless: use PNG, as for label maps; RGBA always does.

    Returns:
      The picture with its bytes in a data URI.
    """
    channels = pixels.shape[-1]
    bgr = np.ascontiguousarray(pixels[..., [2, 1, 0, 3][:channels]])
    if lossless or channels == 4:
        kind, encoded = "png", cv2.imencode(".png", bgr)[1]
    else:
        kind, encoded = "jpeg", cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    content = base64.b64encode(encoded.tobytes()).decode()
    return Picture(label, f"data:image/{kind};base64,{content}")


def see_through(label: str, over: np.ndarray, under: np.ndarray) -> Picture:
    """Embeds two pictures of one size, with a slider between them.

    Args:
      label: what they show.
      over: `[H, W, 3]` uint8 RGB, shown first.
      under: `[H, W, 3]` uint8 RGB.

    Returns:
      The picture.
    """
    return picture(label, over)._replace(under=picture(label, under).data_uri)


def pixels(picture: Picture) -> np.ndarray:
    """Decodes the pixels of a picture.

    Args:
      picture: of `picture`.

    Returns:
      `[H, W, 3]` uint8 RGB, or `[H, W, 4]` RGBA.
    """
    content = base64.b64decode(picture.data_uri.split(",", 1)[1])
    bgr = pictures.decode(content, cv2.IMREAD_UNCHANGED)
    return np.ascontiguousarray(bgr[..., [2, 1, 0, 3][: bgr.shape[-1]]])


def check_replaceable(path: Path) -> None:
    """Rejects the name of a file that is none of our pages; before long work, too.

    Args:
      path: where a page will be written.

    Raises:
      NotOursError: something else has this name, and stays as it is.
    """
    if not os.path.lexists(path):
        return
    if file_kinds.is_file(path):
        with open(path, "rb") as file:
            if _MARK in file.read(_HEAD):
                return
    raise NotOursError(
        f"{path}: already exists and is no page of this program, so it is not replaced; move it "
        "away, or choose another output"
    )


def write(page: Page, path: Path) -> None:
    """Renders a page and writes it atomically.

    Args:
      page: what to show.
      path: the HTML file.

    Raises:
      NotOursError: see `check_replaceable`.
    """
    check_replaceable(path)
    write_text(path, template(_TEMPLATE).render(page=page))
