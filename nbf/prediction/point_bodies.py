"""NBF from detected points and masks, for `Predictor`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from nbf.fitting import FittingNetwork
from nbf.landmarks import landmark_body, landmark_points
from nbf.parameters import split_parameters
from nbf.prediction.fitted_person import FittedPerson, PersonView, PredictedPerson
from nbf.prediction.point_inputs import PersonInputs, mirrored, person_inputs
from nbf.prediction.windows import Window
from smpl_tf import SMPL, kinematics
from smpl_tf.camera import Camera, pinhole
from smpl_tf.found_person import FoundPerson
from smpl_tf.placing import place
from smpl_tf.rotations import mirror_rotations, project_to_rotation
from smpl_tf.skeleton import PHOTOGRAPH_21, SMPL_24

_GAIN = 0.7  # fraction of the miss that the next pass corrects
# (width, height) in pixels -> the camera of such a picture.
CameraOf = Callable[[int, int], Camera]


class _Answer(NamedTuple):
    """A fitted person, and the body's PHOTOGRAPH_21 points in the picture."""

    person: FittedPerson
    points_2d: np.ndarray


class PointBodies:
    """The fitting network whose input is detected 2D points and the person's mask.

    Attributes:
      bodies: the SMPL layer of the fitted bodies.
    """

    needs_found = True

    def __init__(self, fitting: FittingNetwork, camera_of: CameraOf = pinhole, passes: int = 2):
        """Takes the network.

        Args:
          fitting: the trained network.
          camera_of: returns a picture's camera; by default a normal lens.
          passes: how often the network runs on a person. After each pass its input points are
            moved by the remaining miss, so that the next result misses less.

        Raises:
          ValueError: the network takes another input, or passes is less than 1.
        """
        if not fitting.sees_points:
            raise ValueError(
                f"the fitting network was trained on {fitting.input_map}; give one that was "
                "trained on points_mask"
            )
        if passes < 1:
            raise ValueError(f"passes: expected 1 or more, got {passes}.")
        self.bodies = (SMPL(fitting.body.model_data),)
        self.camera_of = camera_of
        self.passes = passes
        self._size = fitting.input_size
        self._points = landmark_body(fitting.body.model_data, PHOTOGRAPH_21)
        signature = {
            name: tf.TensorSpec([None, *shape], tf.float32)
            for name, shape in fitting.input_shapes.items()
        }
        self._predict = tf.function(
            lambda inputs: fitting(inputs)["parameters"], input_signature=[signature]
        )

    def __call__(
        self,
        pictures: Sequence[np.ndarray],
        squares: Sequence[Window],
        found: Sequence[FoundPerson],
    ) -> list[PredictedPerson]:
        """Fits a body to each detected person.

        Args:
          pictures: `[H, W, 3]` uint8, one for each person; only their size is used.
          squares: where the people are, for display.
          found: the people; points without visibility are not used.

        Returns:
          The people, placed in the picture's camera so that their points match the detected ones.

        Raises:
          ValueError: a person has too few points.
        """
        if not found:
            return []
        cameras = [self.camera_of(*picture.shape[1::-1]) for picture in pictures]
        asked = list(found)
        for number in range(self.passes):
            fitted = self._fit_once(found, asked, cameras)
            if number + 1 < self.passes:
                asked = [
                    _corrected(person, one, answer.points_2d)
                    for person, one, answer in zip(found, asked, fitted, strict=True)
                ]
        return [
            PredictedPerson(
                answer.person, PersonView(square, found=dataclasses.replace(one, mask=None))
            )
            for answer, square, one in zip(fitted, squares, found, strict=True)
        ]

    def _fit_once(
        self,
        found: Sequence[FoundPerson],
        asked: Sequence[FoundPerson],
        cameras: Sequence[Camera],
    ) -> list[_Answer]:
        """Runs the network on `asked`, and places its results on the points of `found`."""
        seen = [
            person_inputs(person, camera, self._size)
            for person, camera in zip(asked, cameras, strict=True)
        ]
        betas, turned = self._fit(seen)
        relative = kinematics.global_to_relative(turned, SMPL_24.parents)
        points = landmark_points(self._points(betas=betas, pose=relative), PHOTOGRAPH_21).numpy()
        betas, relative = betas.numpy(), relative.numpy()
        people = []
        for i, person in enumerate(found):
            # Points that were too uncertain for the network do not count here either.
            weights = seen[i].points[:, 2]
            places = person.in_skeleton(PHOTOGRAPH_21).points_2d
            translation = place(points[i], places, weights, cameras[i])
            people.append(
                _Answer(
                    FittedPerson(self.bodies[0], betas[i], relative[i], translation, cameras[i]),
                    cameras[i].project(points[i] + translation).numpy(),
                )
            )
        return people

    def _fit(self, seen: Sequence[PersonInputs]) -> tuple[tf.Tensor, tf.Tensor]:
        """Betas `[N, 10]` and global rotations `[N, 24, 3, 3]`, camera frame.

        The results for a person and for the mirror image are averaged before the projection to
        rotations, which halves errors that occur in only one of them.
        """
        views = [view for one in seen for view in (one, mirrored(one))]
        batch = {
            name: tf.constant(np.stack([getattr(view, name) for view in views]), tf.float32)
            for name in PersonInputs._fields
            if name != "turn"
        }
        betas, matrices = split_parameters(self._predict(batch))
        is_mirrored = np.tile([False, True], len(views) // 2)[:, None, None, None]
        back = mirror_rotations(matrices, SMPL_24.mirror)
        matrices = tf.where(is_mirrored, back, matrices)
        turns = tf.constant(np.stack([view.turn for view in views]), matrices.dtype)
        matrices = tf.matmul(turns[:, tf.newaxis], matrices)
        betas, matrices = (
            tf.reduce_mean(tf.reshape(values, [len(seen), -1, *values.shape[1:]]), 1)
            for values in (betas, matrices)
        )
        return betas, project_to_rotation(matrices)


def _corrected(found: FoundPerson, asked: FoundPerson, answered: np.ndarray) -> FoundPerson:
    """Moves the network's input points by the miss of its result.

    Args:
      found: the detected person.
      asked: the person as given to the network.
      answered: `[21, 2]` the points of the result, pixels.

    Returns:
      The input of the next pass.
    """
    found, asked = found.in_skeleton(PHOTOGRAPH_21), asked.in_skeleton(PHOTOGRAPH_21)
    # Doubtful points are not followed.
    trust = _GAIN * found.visibility[:, None] ** 2
    points = asked.points_2d + trust * (found.points_2d - answered)
    return dataclasses.replace(asked, points_2d=points)
