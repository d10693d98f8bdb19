"""SMPLR on square crops of photographs, for `nbf.Predictor`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from experiments.prediction.smplr_pictures import PictureModel
from nbf.prediction.fitted_person import FittedPerson, PersonView, PredictedPerson
from nbf.prediction.part_finder import PartMaps, cut_all
from nbf.prediction.windows import SHARE_PER_METRE, Window
from smpl_tf import SMPL
from smpl_tf.nbf_scale import PELVIS_IN_CROP
from smplr.landmarks import NUM_JOINTS
from smplr.targets import CUBE_SIDE, window_root

_BATCH = 4  # people per batch: the volumes of one take tens of megabytes


class SMPLRBodies:
    """All of SMPLR's networks, with pictures as input.

    Attributes:
      bodies: the SMPL layers of the fitted bodies: the female and the male one, or the neutral.
    """

    def __init__(self, model: PictureModel):
        """Makes the bodies.

        Args:
          model: the networks.
        """
        self.bodies = tuple(SMPL(body) for body in model.bodies)
        self._model = model

    def __call__(
        self,
        pictures: Sequence[np.ndarray],
        squares: Sequence[Window],
        maps: PartMaps | None,
    ) -> list[PredictedPerson]:
        """Fits a body to the person of each square.

        Args:
          pictures: `[H, W, 3]` uint8 RGB, one for each square.
          squares: where the people are, at NBF's scale.
          maps: ignored.

        Returns:
          The people, in NBF's cameras, which are so far away that the perspective is as weak as in
          SMPLR's metric cube.
        """
        people = []
        for first in range(0, len(squares), _BATCH):
            batch = slice(first, first + _BATCH)
            people += self._fit_batch(pictures[batch], squares[batch])
        return people

    def _fit_batch(self, pictures, squares) -> list[PredictedPerson]:
        cubes = [cube_window(square) for square in squares]
        seen = cut_all(pictures, cubes, self._model.image_size)
        found = self._model(seen)
        people = []
        for i, square in enumerate(squares):
            camera = square.camera(*pictures[i].shape[1::-1])
            body = self.bodies[found.body[i]]
            person = FittedPerson(
                body,
                found.betas[i],
                found.rotations[i],
                np.zeros(3, np.float32),
                camera,
            )
            joints = person.joints_3d
            root = np.array(window_root(_edges(cubes[i]), np.float32(camera.intrinsics)))
            root[:2] += _aside(found.points[i], joints - joints[0])
            translation = (root - joints[0]).astype(np.float32)
            person = dataclasses.replace(person, translation=translation)
            people.append(PredictedPerson(person, PersonView(square, seen[i])))
        return people


def cube_window(square: Window) -> Window:
    """Returns the square that shows SMPLR's cube around a person's pelvis.

    Args:
      square: of the person, at NBF's scale.

    Returns:
      The window of `smplr.targets.crop_window`.
    """
    side = CUBE_SIDE * SHARE_PER_METRE * square.side
    left = square.left + PELVIS_IN_CROP[0] * square.side - side / 2
    return Window(left, square.top + PELVIS_IN_CROP[1] * square.side - side / 2, side)


def _edges(window: Window) -> np.ndarray:
    return np.array([*window, window.side], np.float32)


def _aside(points: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Returns the offset of a body's root from the cube's middle that aligns it with the points.

    Args:
      points: `[P, 3]` of the hourglass, without the root.
      joints: `[24, 3]` of the body, relative to its root.

    Returns:
      `[2]` metres: the mean offset of the joints.
    """
    return (points[: NUM_JOINTS - 1, :2] - joints[1:, :2]).mean(axis=0)
