"""Annotated photographs: the interface of all sets of them.

A set lists its pictures and reads one at a time, like a `datasets.sources.Source`: the list is
cheap to make and always in the same order, and a bad picture does not affect the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from datasets.sources import BadItemError
from smpl_tf import pictures
from smpl_tf.found_person import FoundPerson
from smpl_tf.pictures import Photograph
from smpl_tf.skeleton import Skeleton

FARTHEST = 1e6  # pixels; numbers beyond, infinity and NaN are no places
HIDDEN = 0.5  # the visibility of a hidden but annotated point
# From MATLAB's coordinates, in which the centre of the first pixel is 1, to the rule of
# `smpl_tf.camera`.
ONE_BASED = -0.5


class AnnotatedPicture(NamedTuple):
    """A photograph and the people in it.

    Attributes:
      path: of the picture.
      people: all annotated people, at least one; pixels of the file.
      photograph: the picture, if it was already read.
    """

    path: Path
    people: Sequence[FoundPerson]
    photograph: Photograph | None = None

    def read(self) -> Photograph:
        """Returns the picture, and reads it if needed.

        Raises:
          BadItemError: it is not a picture.
        """
        return self.photograph or read_photograph(self.path)


class AnnotatedSet(Protocol):
    """The annotated photographs of a folder."""

    def items(self) -> Sequence[str]:
        """Lists the names of the expected pictures."""

    def read(self, item: str) -> AnnotatedPicture:
        """Reads the people of one picture.

        Raises:
          BadItemError: the picture is missing, has no people, or its annotation is damaged.
        """


def read_photograph(path: Path) -> Photograph:
    """Reads a picture of a set.

    Args:
      path: of the file.

    Returns:
      The picture.

    Raises:
      BadItemError: it is not a picture.
    """
    try:
        return pictures.read(path)
    except pictures.PictureError as error:
        raise BadItemError(str(error).removeprefix(f"{path}: ")) from error


def person_of_points(
    skeleton: Skeleton,
    points_2d: np.ndarray,
    visibility: np.ndarray,
    least: float = 0.0,
    box: np.ndarray | None = None,
    points_3d: np.ndarray | None = None,
) -> FoundPerson:
    """Makes an annotated person from points, some of them unknown.

    Args:
      skeleton: of the P points.
      points_2d: `[P, 2]` pixels; unknown ones may have any value, (0, 0) is always unknown.
      visibility: `[P]`; above 1 counts as 1.
      least: points with a higher visibility are known.
      box: `[4]` left, top, right, bottom, pixels; None: unknown.
      points_3d: `[P, 3]` metres, camera axes, NaN where unknown; None: no depth.

    Returns:
      The person.
    """
    # Programs write exact zeros for points that were not found.
    known = (np.abs(points_2d) <= FARTHEST).all(-1) & points_2d.any(-1) & (visibility > least)
    return FoundPerson(
        box=box,
        skeleton=skeleton,
        points_2d=np.where(known[:, None], points_2d, np.nan),
        visibility=np.where(known, np.clip(visibility, 0, 1), 0),
        points_3d=points_3d,
    )


def existing(candidates: Sequence[Path]) -> Path | None:
    """Returns the first of several paths that exists; None: none does."""
    return next((path for path in candidates if path.is_file()), None)
