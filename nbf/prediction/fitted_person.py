"""A body fitted to a person in a picture, with the network inputs, the verdict and the gain."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nbf.prediction.windows import Window
from smpl_tf import SMPL, BodyModelOutput
from smpl_tf.camera import Camera
from smpl_tf.found_person import FoundPerson

if TYPE_CHECKING:
    from nbf.prediction.audit import Verdict
    from nbf.prediction.point_audit import PointVerdict
    from nbf.prediction.refinement import Gain


@dataclasses.dataclass(frozen=True, eq=False)
class FittedPerson:
    """A body fitted to a person in a picture.

    Attributes:
      body: the SMPL layer whose parameters these are.
      betas: `[10]`.
      pose: `[24, 3, 3]` parent-relative rotations; the root's in the camera frame.
      translation: `[3]` metres, camera frame.
      camera: of the whole picture; specific to the body, since NBF's camera views its square.
    """

    body: SMPL
    betas: np.ndarray
    pose: np.ndarray
    translation: np.ndarray
    camera: Camera

    @functools.cached_property
    def posed(self) -> BodyModelOutput:
        """The posed body, metres, camera frame; with a time axis if the pose has one."""
        return self.body(betas=self.betas, pose=self.pose, translation=self.translation)

    @property
    def joints_3d(self) -> np.ndarray:
        """SMPL's joints, `[24, 3]` metres, camera frame."""
        return self.posed.joints.numpy()

    @property
    def joints_2d(self) -> np.ndarray:
        """SMPL's joints in the picture, `[24, 2]` pixels."""
        return self.camera.project(self.posed.joints).numpy()

    def vertices(self) -> np.ndarray:
        """The surface, `[V, 3]` metres, camera frame; its triangles are `body.faces`."""
        return self.posed.vertices.numpy()


class PersonView(NamedTuple):
    """The network inputs for a person.

    Attributes:
      window: the person's square of the picture, at NBF's scale.
      pixels: `[S, S, 3]` uint8, input of the first network; None if it was not kept.
      labels: `[S, S]` the segmenter's part of each pixel of the square; None without a segmenter.
      doubt: limb -> doubt, see `part_finder.side_doubt`; None without a segmenter.
      found: the person as detected or annotated, without the mask; None: unknown.
    """

    window: Window
    pixels: np.ndarray | None = None
    labels: np.ndarray | None = None
    doubt: Mapping[str, float] | None = None
    found: FoundPerson | None = None

    @property
    def found_labels(self) -> np.ndarray:
        """The labels.

        Raises:
          ValueError: if no segmenter was used.
        """
        if self.labels is None:
            raise ValueError("Expected a person with labels of parts; use a segmenter.")
        return self.labels

    @property
    def found_doubt(self) -> Mapping[str, float]:
        """The doubt.

        Raises:
          ValueError: if no segmenter was used; there is no doubt.
        """
        if self.doubt is None:
            raise ValueError("Expected a person with doubt of limbs; use a segmenter.")
        return self.doubt


class PredictedPerson(NamedTuple):
    """All results for a person in a picture.

    Attributes:
      person: the fitted body.
      view: the network inputs.
      verdict: how reliable the body is; None if it was not judged.
      gain: the improvement by refinement; None if it was not refined.
    """

    person: FittedPerson
    view: PersonView
    verdict: Verdict | PointVerdict | None = None
    gain: Gain | None = None
