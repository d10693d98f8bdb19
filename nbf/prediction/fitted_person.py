"""A body fitted to a person of a picture, and what is known of how it came about."""

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
    """A body fitted to a person of a picture.

    Attributes:
      body: the SMPL layer whose parameters these are.
      betas: `[10]`.
      pose: `[24, 3, 3]` parent-relative rotations; the root's in the camera frame.
      translation: `[3]` metres, camera frame.
      camera: of the whole picture; the body's own, as NBF's camera looks at its square.
    """

    body: SMPL
    betas: np.ndarray
    pose: np.ndarray
    translation: np.ndarray
    camera: Camera

    @functools.cached_property
    def posed(self) -> BodyModelOutput:
        """The posed body, metres, camera frame; of several moments if pose and translation are."""
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
    """What the networks saw of a person.

    Attributes:
      window: the person's square of the picture, at NBF's scale.
      pixels: `[S, S, 3]` uint8, what the first network saw; None if it was not kept.
      labels: `[S, S]` the segmenter's part of each pixel of the square; None without a segmenter.
      doubt: by limbs, see `part_finder.side_doubt`; None without a segmenter.
      found: what a finder or an annotator said of the person, without the mask; None: nothing.
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
          ValueError: if no segmenter found any.
        """
        if self.labels is None:
            raise ValueError("Expected a person with labels of parts; use a segmenter.")
        return self.labels

    @property
    def found_doubt(self) -> Mapping[str, float]:
        """The doubt.

        Raises:
          ValueError: if no segmenter had any.
        """
        if self.doubt is None:
            raise ValueError("Expected a person with doubt of limbs; use a segmenter.")
        return self.doubt


class PredictedPerson(NamedTuple):
    """Everything about a person of a picture.

    Attributes:
      person: the fitted body.
      view: what the networks saw.
      verdict: how far to trust the body; None if it was not judged.
      gain: what the refinement brought; None if it was not refined.
    """

    person: FittedPerson
    view: PersonView
    verdict: Verdict | PointVerdict | None = None
    gain: Gain | None = None
