"""BlazePose's landmark network: one person's points, depth and mask in a rotated square.

The network takes 256 x 256 pixels and returns 39 points in the square (33 of the body, two that
define the next square, four unused), a heat map of each, the same points in metres, a mask, and
the probability that a person is present.
"""

from typing import NamedTuple

import numpy as np

from datasets.photographs.detector import sigmoid
from datasets.photographs.interpreter import Network
from datasets.photographs.squares import (
    Square,
    around,
    cut,
    put_back,
    to_picture,
    to_square,
    turn_to_picture,
)
from smpl_tf.found_person import FoundPerson
from smpl_tf.skeleton import BLAZEPOSE_33

SIZE = 256  # pixels
NUM_POINTS = 39  # of the network
HEAT_SIZE = 64
_MIDDLE, _END = 33, 34  # the points of the next square
_REACH = 3  # cells of the heat map around a point that are used
LEAST_PRESENCE = 0.5  # least score of the network for a person
_LEAST_HEAT = 0.5  # least value of the highest cell for the heat map to be used
# Trust in a hidden point, relative to a visible one. The network infers it from the whole picture:
# on 240 rendered people, points of visibility below 0.1 had a median error of 0.38 head sizes
# (heavy), those above 0.9 one of 0.12. A body fitted without them is worse.
_HIDDEN_TRUST = 0.3
# The limb points, which determine a person's score and the similarity of two people.
LIMBS = BLAZEPOSE_33.indices(
    [
        f"{side}_{joint}"
        for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        for side in ("left", "right")
    ]
)


class Look(NamedTuple):
    """The network's result in one square.

    Attributes:
      square: the input.
      presence: probability that a person is present, 0 to 1.
      points_2d: `[33, 2]` of BLAZEPOSE_33, pixels of the picture.
      visibility: `[33]` 0 to 1: probability that the point is inside the square and not hidden.
      trust: `[33]` 0 to 1: confidence that the point is inside the square and correctly placed.
      points_3d: `[33, 3]` metres, camera axes, from the middle between the hips.
      mask: `[256, 256]` of the square, logits.
      next_square: the next input, with the person in the middle and upright.
      deviation: `[33]` pixels: how far several results for the same person lie apart; None: there
        is only one.
    """

    square: Square
    presence: float
    points_2d: np.ndarray
    visibility: np.ndarray
    trust: np.ndarray
    points_3d: np.ndarray
    mask: np.ndarray
    next_square: Square
    deviation: np.ndarray | None = None

    @property
    def squares(self) -> tuple[Square, Square]:
        """The input square, and the better square that it led to."""
        return self.square, self.next_square

    @property
    def score(self) -> float:
        """Score of the person, 0 to 1.

        The presence times the mean visibility of the limb points, where points outside the mask
        count as 0: for a wrong detection, points and mask disagree.
        """
        on_mask = self.on_mask(to_square(self.square, self.points_2d[LIMBS]))
        return self.presence * float((self.visibility[LIMBS] * on_mask).mean())

    def on_mask(self, places: np.ndarray) -> np.ndarray:
        """Returns whether the mask covers positions `[N, 2]` of the square; False outside."""
        size = len(self.mask)
        columns, rows = np.floor(places * size).astype(int).T
        inside = (columns >= 0) & (columns < size) & (rows >= 0) & (rows < size)
        return inside & (self.mask[rows.clip(0, size - 1), columns.clip(0, size - 1)] > 0)

    def box(self) -> np.ndarray:
        """The box around the points, `[4]` left, top, right, bottom, pixels."""
        return np.concatenate([self.points_2d.min(axis=0), self.points_2d.max(axis=0)])

    def mask_in(self, height: int, width: int) -> np.ndarray:
        """The mask in a picture of this size, `[height, width]` uint8, 0 to 255."""
        certainty = np.uint8(np.round(255.0 * sigmoid(self.mask)))
        return put_back(certainty, self.square, height, width)

    def person(self, source: str, score: float, size: tuple[int, int] | None) -> FoundPerson:
        """Returns the `FoundPerson`; with a mask if height and width of the picture are given."""
        mask = None if size is None else self.mask_in(*size)
        return FoundPerson(
            box=self.box(),
            skeleton=BLAZEPOSE_33,
            points_2d=self.points_2d,
            visibility=self.trust,
            points_3d=self.points_3d,
            mask=mask,
            source=source,
            score=score,
            deviation=self.deviation,
        )


def refine(points: np.ndarray, heat_logits: np.ndarray) -> np.ndarray:
    """Moves points to the local centres of their heat maps.

    Args:
      points: `[P, 2]`, 0 to 1 along the square.
      heat_logits: `[S, S, P]`.

    Returns:
      `[P, 2]`. Points outside the square, or without heat around them, do not move.
    """
    size = len(heat_logits)
    cells = np.floor(points * size).astype(int)
    inside = np.all((cells >= 0) & (cells < size), axis=-1)
    offsets = np.arange(-_REACH, _REACH + 1)
    around_points = np.clip(cells, 0, size - 1)[:, :, None] + offsets  # [P, 2, 7]
    known = (around_points >= 0) & (around_points < size)
    columns, rows = np.moveaxis(np.clip(around_points, 0, size - 1), 1, 0)
    which = np.arange(len(points))[:, None, None]
    heat = sigmoid(heat_logits[rows[:, :, None], columns[:, None, :], which])
    heat *= known[:, 1, :, None] & known[:, 0, None, :]
    total = np.maximum(heat.sum(axis=(1, 2)), 1e-12)
    x = (heat.sum(axis=1) * columns).sum(axis=-1)
    y = (heat.sum(axis=2) * rows).sum(axis=-1)
    centres = np.stack([x, y], axis=-1)
    believed = inside & (heat.max(axis=(1, 2)) >= _LEAST_HEAT)
    return np.where(believed[:, None], centres / total[:, None] / size, points)


class LandmarkNetwork:
    """Finds the points of the person in a square.

    Args:
      network: `[256, 256, 3]` from 0 to 1 -> `[195]`, `[1]`, `[256, 256, 1]`, `[64, 64, 39]`
        and `[117]`.
    """

    def __init__(self, network: Network):
        self._network = network

    def __call__(self, picture: np.ndarray, square: Square, mirrored: bool = False) -> Look:
        """Runs the network on a square of a picture.

        Args:
          picture: `[H, W, 3]` uint8 RGB.
          square: where the person is.
          mirrored: whether the network gets the mirrored square; the result is mirrored back.

        Returns:
          The result.
        """
        seen = cut(picture, square, SIZE, black_outside=False)
        if mirrored:
            seen = seen[:, ::-1]
        answers = self._network(np.float32(seen) / 255.0)
        rows = answers[5 * NUM_POINTS,].reshape(NUM_POINTS, 5)
        heat = answers[HEAT_SIZE, HEAT_SIZE, NUM_POINTS]
        places = refine(rows[:, :2] / SIZE, heat)
        count = len(BLAZEPOSE_33)
        certainty = sigmoid(rows[:count, 3:])
        world = answers[3 * NUM_POINTS,].reshape(NUM_POINTS, 3)[:count]
        mask = answers[SIZE, SIZE, 1][..., 0]
        if mirrored:
            order = np.concatenate([BLAZEPOSE_33.mirror, np.arange(count, NUM_POINTS)])
            places = places[order] * [-1, 1] + [1, 0]
            certainty = certainty[BLAZEPOSE_33.mirror]
            world = world[BLAZEPOSE_33.mirror] * np.array([-1, 1, 1], np.float32)
            mask = mask[:, ::-1]
        points = to_picture(square, places)
        visible, present = certainty.T
        return Look(
            square=square,
            presence=float(answers[1,][0]),
            points_2d=points[:count],
            visibility=visible * present,
            trust=(_HIDDEN_TRUST + (1 - _HIDDEN_TRUST) * visible) * present,
            points_3d=turn_to_picture(square, world),
            mask=mask,
            next_square=around(points[_MIDDLE], points[_END]),
        )
