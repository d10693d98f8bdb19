"""A body fitted to a person of a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from nbf.prediction.windows import Window
from smpl_tf import SMPL, BodyModelOutput
from smpl_tf.camera import Camera


class FittedPerson(NamedTuple):
    """A body fitted to a person of a picture.

    Attributes:
      body: the SMPL layer whose parameters these are.
      betas: `[10]`.
      rotations: `[24, 3, 3]` parent-relative; the root's in the camera frame.
      translation: `[3]` metres, camera frame.
      camera: of the whole picture; the body's own, as NBF's camera looks at its square.
      window: the person's square of the picture, at NBF's scale.
      seen: `[S, S, 3]` uint8, what the first network saw.
      labels: `[S, S]` the segmenter's part of each pixel of the square; None without a segmenter.
      doubt: by limbs, see `part_finder.side_doubt`; None without a segmenter.
    """

    body: SMPL
    betas: np.ndarray
    rotations: np.ndarray
    translation: np.ndarray
    camera: Camera
    window: Window
    seen: np.ndarray | None
    labels: np.ndarray | None = None
    doubt: Mapping[str, float] | None = None

    @property
    def found_labels(self) -> np.ndarray:
        """`labels`, of a person whose parts a segmenter found.

        Raises:
          ValueError: if there are none.
        """
        if self.labels is None:
            raise ValueError(
                "Expected a person with labels of parts, got one fitted without them."
            )
        return self.labels

    @property
    def found_doubt(self) -> Mapping[str, float]:
        """`doubt`, of a person whose parts a segmenter found.

        Raises:
          ValueError: if there is none.
        """
        if self.doubt is None:
            raise ValueError("Expected a person with doubt of limbs, got one fitted without it.")
        return self.doubt

    def pose(self) -> BodyModelOutput:
        """Poses the body; of several moments, if rotations and translation are."""
        return self.body(betas=self.betas, pose=self.rotations, translation=self.translation)
