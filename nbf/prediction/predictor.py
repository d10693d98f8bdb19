"""From photographs to bodies in two passes: find the people, then fit each one in its square."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np

from nbf.prediction import windows
from nbf.prediction.fitted_person import FittedPerson
from nbf.prediction.part_finder import PartFinder, PartMaps
from nbf.prediction.windows import Window
from smpl_tf import SMPL
from smpl_tf.rotations import mirror_rotations
from smpl_tf.skeleton import SMPL_24

_BATCH = 16  # people at once

# Pictures, the person's square of each, and their parts if there is a segmenter, to bodies.
FitBodies = Callable[[Sequence[np.ndarray], Sequence[Window], PartMaps | None], list[FittedPerson]]

# What measures the stages by name.
Timed = Callable[[str], AbstractContextManager]


class Predictor:
    """Finds people in pictures, and fits bodies to them.

    Attributes:
      bodies: the SMPL layers of the fitted bodies: one, or the female and the male one.
      metres: stature of their mean.
      scheme: the segmenter's parts; None without a segmenter.
    """

    def __init__(
        self,
        fit: FitBodies,
        bodies: Sequence[SMPL],
        finder: PartFinder | None = None,
        timed: Timed = nullcontext,
    ):
        """Joins what finds people and what fits them.

        Args:
          fit: networks from squares to bodies.
          bodies: which bodies these can be.
          finder: what finds people and their parts; without it every picture is taken for one of
            a single person who fills it.
          timed: a stage's name, "segment" or "fit" -> a context that its time is spent in.
        """
        self.bodies = tuple(bodies)
        self.metres = float(np.mean([np.ptp(body().vertices[:, 1]) for body in bodies]))
        self.scheme = finder.scheme if finder else None
        self._fit = fit
        self._finder = finder
        self._timed = timed

    def find(self, pixels: np.ndarray) -> Window | None:
        """Looks for the person in a whole picture.

        Args:
          pixels: `[H, W, 3]` uint8 RGB.

        Returns:
          The square around the largest person; None if nobody is seen. Without a segmenter, the
          square around the picture.
        """
        if self._finder is None:
            return windows.around(*pixels.shape[1::-1])
        with self._timed("segment"):
            return self._finder.find(pixels, self.metres)

    def fit(self, pictures: Sequence[np.ndarray], squares: Sequence[Window]) -> list[FittedPerson]:
        """Fits a body to the person of each square.

        Args:
          pictures: `[H, W, 3]` uint8 RGB, one for each square.
          squares: where the people are.

        Returns:
          The people, in the order of the squares.
        """
        people = []
        for first in range(0, len(squares), _BATCH):
            batch = slice(first, first + _BATCH)
            people += self._fit_batch(pictures[batch], squares[batch])
        return people

    def fit_mirrored(
        self, pictures: Sequence[np.ndarray], squares: Sequence[Window]
    ) -> list[FittedPerson]:
        """Fits bodies to the mirrored pictures, and mirrors them back.

        Args:
          pictures: `[H, W, 3]` uint8 RGB, one for each square.
          squares: where the people are in the pictures as they are.

        Returns:
          The same people as of `fit`, fitted another time: were the networks sure, and the body
          symmetric, these would be the same bodies.
        """
        flipped = [np.ascontiguousarray(picture[:, ::-1]) for picture in pictures]
        people = self.fit(
            flipped,
            [
                square._replace(left=picture.shape[1] - square.left - square.side)
                for picture, square in zip(pictures, squares, strict=True)
            ],
        )
        return [
            person._replace(
                rotations=mirror_rotations(person.rotations, SMPL_24.mirror).numpy(),
                translation=person.translation * np.array([-1, 1, 1], np.float32),
                camera=square.camera(*picture.shape[1::-1]),
                window=square,
                seen=None if person.seen is None else person.seen[:, ::-1],
                labels=None
                if person.labels is None or self.scheme is None
                else self.scheme.mirror[person.labels[:, ::-1]],
            )
            for person, picture, square in zip(people, pictures, squares, strict=True)
        ]

    def _fit_batch(
        self, pictures: Sequence[np.ndarray], squares: Sequence[Window]
    ) -> list[FittedPerson]:
        maps = None
        if self._finder is not None:
            with self._timed("segment"):
                maps = self._finder.look(pictures, squares)
        with self._timed("fit"):
            people = self._fit(pictures, squares, maps)
        if maps is None:
            return people
        return [
            person._replace(labels=labels, doubt=doubt)
            for person, labels, doubt in zip(people, maps.labels, maps.doubts, strict=True)
        ]
