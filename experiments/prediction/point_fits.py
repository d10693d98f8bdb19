"""SMPLR on photographs: fits bodies to detected 3D points, in the picture's camera.

For `nbf.Predictor`. `fit_points` fits the bodies, by optimisation or with SMPLR's networks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from nbf.prediction.fitted_person import FittedPerson, PersonView, PredictedPerson
from nbf.prediction.windows import Window
from smpl_tf import SMPL, load_model_data
from smpl_tf.camera import Camera, pinhole
from smpl_tf.found_person import FoundPerson
from smpl_tf.placing import on_lines_of_sight, place
from smpl_tf.skeleton import SMPL_24
from smpl_tf.skeleton_points import SKELETONS
from smplr import SMPLR, fit_points
from smplr.point_fitting import Method

_LEAST_POINTS = 6  # known points needed to place a person


class PointFits:
    """Fits bodies to detected 3D points.

    Attributes:
      bodies: the SMPL layers of the fitted bodies.
    """

    needs_found = True

    def __init__(
        self,
        networks: SMPLR | None = None,
        method: Method = "optimise",
        camera_of: Callable[[int, int], Camera] = pinhole,
        gender: str = "neutral",
    ):
        """Makes the bodies.

        Args:
          networks: SMPLR's networks, for the methods that use them.
          method: of `fit_points`.
          camera_of: (width, height) of a picture -> its camera.
          gender: of the open body, if there are no networks.
        """
        models = (
            networks.body.bodies if networks is not None else (load_model_data(gender=gender),)
        )
        self.bodies = tuple(SMPL(model) for model in models)
        self._networks = networks
        self._method = method
        self._camera_of = camera_of

    def __call__(
        self,
        pictures: Sequence[np.ndarray],
        squares: Sequence[Window],
        found: Sequence[FoundPerson],
    ) -> list[PredictedPerson]:
        """Fits a body to each detected person, whose 3D points are first moved onto the 2D points.

        Args:
          pictures: `[H, W, 3]` uint8, one for each person; only their size is used.
          squares: where the people are, for display.
          found: the people, all of one skeleton that `fit_points` knows.

        Returns:
          The people, placed so that their joints match the detected points.

        Raises:
          ValueError: a person has no 3D points, or too few.
        """
        if not found:
            return []
        names = {skeleton: name for name, skeleton in SKELETONS.items()}
        skeleton = found[0].skeleton
        cameras = [self._camera_of(*picture.shape[1::-1]) for picture in pictures]
        seen = [on_lines_of_sight(*one) for one in zip(found, cameras, strict=True)]
        points = [one.points_3d for one in seen if one.points_3d is not None]
        if len(points) < len(found) or skeleton not in names:
            raise ValueError(
                f"expected people with 3D points of a known skeleton, got {skeleton.name} of "
                f"{found[0].source}; use a detector with 3D points, or another method"
            )
        fit = fit_points(
            np.stack(points),
            names[skeleton],
            weights=np.stack([one.visibility for one in found]),
            method=self._method,
            body=None if self._networks is not None else self.bodies[0].model_data,
            networks=self._networks,
            camera_axes=True,
        )
        people = []
        for i, person in enumerate(found):
            body = self.bodies[-1 if fit.gender[i] > 0 else 0]
            pose = fit.rotations[i].numpy()
            still = body(betas=fit.betas[i], pose=tf.constant(pose))
            joints = person.in_skeleton(SMPL_24)
            weights = np.where(np.isfinite(joints.points_2d).all(-1), joints.visibility, 0)
            if (weights > 0).sum() < _LEAST_POINTS:
                raise ValueError(f"a person has {(weights > 0).sum()} points in the picture")
            translation = place(still.joints.numpy(), joints.points_2d, weights, cameras[i])
            fitted = FittedPerson(body, fit.betas[i].numpy(), pose, translation, cameras[i])
            people.append(
                PredictedPerson(
                    fitted, PersonView(squares[i], found=dataclasses.replace(person, mask=None))
                )
            )
        return people
