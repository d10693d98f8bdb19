"""A person in a picture: one form for every detector and every annotation file."""

from __future__ import annotations

import dataclasses

import numpy as np

from smpl_tf.skeleton import SMPL_24, Skeleton, shared_points


@dataclasses.dataclass(frozen=True, eq=False)
class FoundPerson:
    """A person in a picture, as a detector or an annotator gives them.

    Pixels follow the rule of `smpl_tf.camera`: a picture spans [0, W] x [0, H]. Points and box may
    lie outside of the picture.

    Attributes:
      box: `[4]` float32 left, top, right, bottom, pixels; None: unknown.
      skeleton: of the points; P = `len(skeleton)`.
      points_2d: `[P, 2]` float32 x right, y down, pixels; NaN where unknown.
      visibility: `[P]` float32, 0 to 1: confidence in each point; 0 where unknown. An annotation
        file that distinguishes only "visible" and "hidden" gives 1 or a number in between.
      points_3d: `[P, 3]` float32, metres, camera axes (x right, y down, z away), the origin midway
        between the hips; NaN where unknown. None: the detector gives no depth.
      mask: `[H, W]` uint8, the size of the picture: the confidence that a pixel shows this person,
        0 to 255 (only 0 and 255 in annotated masks). None: unknown.
      source: "annotated", or "found by " and the detector's name.
      score: 0 to 1: the source's confidence in this person; 1 if annotated.
      deviation: `[P]` float32 pixels: how far several results for a point lie apart; NaN where
        unknown. None: there is only one result.
    """

    box: np.ndarray | None
    skeleton: Skeleton
    points_2d: np.ndarray
    visibility: np.ndarray
    points_3d: np.ndarray | None = None
    mask: np.ndarray | None = None
    source: str = "annotated"
    score: float = 1.0
    deviation: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Rejects arrays whose shapes contradict each other, and copies the small ones."""
        count = len(self.skeleton)
        expected: dict[str, tuple[int, ...]]
        expected = {"points_2d": (count, 2), "visibility": (count,)}
        if self.box is not None:
            expected["box"] = (4,)
        if self.points_3d is not None:
            expected["points_3d"] = (count, 3)
        if self.deviation is not None:
            expected["deviation"] = (count,)
        for name, shape in expected.items():
            array = np.array(getattr(self, name), np.float32)
            if array.shape != shape:
                raise ValueError(
                    f"FoundPerson of {self.skeleton.name}: expected {name} {list(shape)}, got "
                    f"{list(array.shape)}."
                )
            object.__setattr__(self, name, array)
        if self.mask is not None and (self.mask.ndim != 2 or self.mask.dtype != np.uint8):
            raise ValueError(
                f"FoundPerson: expected a mask [H, W] uint8, got {list(self.mask.shape)} "
                f"{self.mask.dtype}."
            )

    @property
    def joints_2d(self) -> np.ndarray:
        """The known SMPL joints, `[24, 2]` pixels; NaN where unknown."""
        person = self.in_skeleton(SMPL_24)
        return np.where(person.visibility[:, None] > 0, person.points_2d, np.nan)

    def scaled(self, factor: float) -> FoundPerson:
        """Returns the same person in a picture of another size; the mask is left out.

        Args:
          factor: size of the other picture divided by that of this one.
        """
        box = None if self.box is None else self.box * factor
        factor = np.float32(factor)
        deviation = None if self.deviation is None else self.deviation * factor
        points = self.points_2d * factor
        return dataclasses.replace(self, box=box, points_2d=points, mask=None, deviation=deviation)

    def in_skeleton(self, skeleton: Skeleton) -> FoundPerson:
        """Returns the same person with the points of another skeleton, matched by name.

        Args:
          skeleton: whose points to give; those that this person lacks are unknown.
        """
        here, there = shared_points(self.skeleton, skeleton)

        def moved(points: np.ndarray, unknown: float) -> np.ndarray:
            out = np.full((len(skeleton), *points.shape[1:]), unknown, np.float32)
            out[there] = points[here]
            return out

        return dataclasses.replace(
            self,
            skeleton=skeleton,
            points_2d=moved(self.points_2d, np.nan),
            visibility=moved(self.visibility, 0.0),
            points_3d=None if self.points_3d is None else moved(self.points_3d, np.nan),
            deviation=None if self.deviation is None else moved(self.deviation, np.nan),
        )
