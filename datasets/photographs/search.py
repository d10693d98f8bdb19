"""The squares to search for people in a picture, and the removal of duplicates."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from datasets.photographs.detector import intersection_over_union
from datasets.photographs.landmarks import LIMBS, Look
from datasets.photographs.squares import Square, to_picture, to_square
from smpl_tf.skeleton import BLAZEPOSE_33

_SWAPPED = np.array([list(LIMBS).index(i) for i in BLAZEPOSE_33.mirror[LIMBS]])
# Mean distance of two results' limbs over the smaller square, below which they are the same
# person. A square is about 1.25 body heights, so this is some 10 cm.
_SAME_DISTANCE = 0.06
# Fraction of the smaller mask inside the other from which both are the same person; a smaller one
# is enough if the boxes agree (intersection over union).
_SAME_SHARE, _SAME_SHARE_IN_BOX, _SAME_BOX = 0.6, 0.3, 0.5
_GRID = 64  # positions per side of a square at which masks are compared


class Sighting(NamedTuple):
    """A detected person with the landmark network's result.

    Attributes:
      look: the landmark network's result.
      detection: the detector's score, 0 to 1. It is low for a person upside down, while the
        landmark network may be sure.
    """

    look: Look
    detection: float

    @property
    def score(self) -> float:
        """Combined score of both networks, 0 to 1."""
        return self.look.score * self.detection


def whole(height: int, width: int, margin: float = 1.0) -> Square:
    """Returns the square around a whole picture; a margin of 2 shows it at half the size."""
    return Square(width / 2, height / 2, margin * max(height, width))


def turned(height: int, width: int) -> list[Square]:
    """Returns the squares of the whole picture rotated by 90, 180 and 270 degrees."""
    return [whole(height, width)._replace(angle=quarter * np.pi / 2) for quarter in (1, 2, 3)]


def tiles(height: int, width: int, share: float) -> list[Square]:
    """Covers a picture with squares that overlap by a third or more.

    Args:
      height: of the picture, pixels.
      width: of the picture, pixels.
      share: side of a square over the picture's longer side.
    """
    side = share * max(height, width)

    def middles(extent):
        if extent <= side:
            return [extent / 2]
        count = 1 + int(np.ceil((extent - side) / (side * 2 / 3) - 1e-9))
        return np.linspace(side / 2, extent - side / 2, count).tolist()

    return [Square(x, y, side) for y in middles(height) for x in middles(width)]


def same_person(one: Look, other: Look) -> bool:
    """Whether two results are the same person: same limbs, possibly mirrored, or same mask."""
    side = min(one.square.side, other.square.side)
    weights = np.minimum(one.visibility, other.visibility)[LIMBS] + 1e-6
    for order in (np.arange(len(LIMBS)), _SWAPPED):
        ways = np.linalg.norm(one.points_2d[LIMBS] - other.points_2d[LIMBS][order], axis=-1)
        if np.average(ways, weights=weights) < _SAME_DISTANCE * side:
            return True
    same_box = intersection_over_union(one.box(), other.box()[None])[0] > _SAME_BOX
    return shared_mask(one, other) > (_SAME_SHARE_IN_BOX if same_box else _SAME_SHARE)


def shared_mask(one: Look, other: Look) -> float:
    """Returns the fraction of the smaller mask inside the other, 0 to 1."""
    places = (np.mgrid[:_GRID, :_GRID][::-1].reshape(2, -1).T + 0.5) / _GRID
    shares = []
    for here, there in ((one, other), (other, one)):
        pixels = to_picture(here.square, places[here.on_mask(places)])
        if not len(pixels):
            return 0.0
        shares.append(there.on_mask(to_square(there.square, pixels)).mean())
    return float(max(shares))


def distinct(sightings: Iterable[Sighting]) -> list[Sighting]:
    """Keeps the best result of each person; the best person first."""
    kept: list[Sighting] = []
    for sighting in sorted(sightings, key=lambda sighting: -sighting.score):
        if not any(same_person(sighting.look, better.look) for better in kept):
            kept.append(sighting)
    return kept
