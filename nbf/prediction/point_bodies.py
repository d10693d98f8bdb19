"""NBF from found points and masks, as `Predictor` wants it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

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

# How far the views of a person are turned, radians; each is seen mirrored, too.
_ROLLS = (0.0, -0.3, 0.3)
# The camera of a picture of some width and height, pixels.
CameraOf = Callable[[int, int], Camera]


class PointBodies:
    """The fitting network that sees found 2D points and the person's mask.

    Attributes:
      bodies: the SMPL layer of the fitted bodies.
    """

    needs_found = True

    def __init__(self, fitting: FittingNetwork, camera_of: CameraOf = pinhole):
        """Takes the network.

        Args:
          fitting: the trained network.
          camera_of: what tells a picture's camera; by default a normal lens.

        Raises:
          ValueError: the network sees something else.
        """
        if not fitting.sees_points:
            raise ValueError(
                f"the fitting network was trained on {fitting.input_map}; give one that was "
                "trained on points_mask"
            )
        self.bodies = (SMPL(fitting.body.model_data),)
        self.camera_of = camera_of
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
        """Fits a body to each found person.

        Args:
          pictures: `[H, W, 3]` uint8, one for each person; only their size is looked at.
          squares: where the people are, for who shows them.
          found: the people; points without visibility are not used.

        Returns:
          The people, placed in the picture's camera so that their points meet the found ones.

        Raises:
          ValueError: a person has too few points.
        """
        if not found:
            return []
        cameras = [self.camera_of(*picture.shape[1::-1]) for picture in pictures]
        seen = [
            [person_inputs(person, camera, self._size, roll) for roll in _ROLLS]
            for person, camera in zip(found, cameras, strict=True)
        ]
        betas, turned = self._fit(seen)
        relative = kinematics.global_to_relative(turned, SMPL_24.parents)
        points = landmark_points(self._points(betas=betas, pose=relative), PHOTOGRAPH_21)
        people = []
        for i, person in enumerate(found):
            used = person.in_skeleton(PHOTOGRAPH_21)
            # What the network did not see, for being too uncertain, does not count here either.
            weights = seen[i][0].points[:, 2]
            translation = place(points[i].numpy(), used.points_2d, weights, cameras[i])
            fitted = FittedPerson(
                self.bodies[0], betas[i].numpy(), relative[i].numpy(), translation, cameras[i]
            )
            people.append(
                PredictedPerson(
                    fitted, PersonView(squares[i], found=dataclasses.replace(person, mask=None))
                )
            )
        return people

    def _fit(self, seen: Sequence[Sequence[PersonInputs]]) -> tuple[tf.Tensor, tf.Tensor]:
        """Betas `[N, 10]` and global rotations `[N, 24, 3, 3]` of people seen in several ways.

        The network's answers are averaged before they are projected to rotations: what it gets
        wrong in one view and not in its mirror image, it gets half as wrong.
        """
        views = [view for views in seen for one in views for view in (one, mirrored(one))]
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
