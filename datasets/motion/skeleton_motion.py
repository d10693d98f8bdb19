"""A motion of any skeleton, as in a motion capture file."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class SkeletonMotion:
    """T frames of J joints that rotate relative to their parents, in the file's unit and axes.

    Attributes:
      names: `[J]` as in the file, parents before their children.
      parents: `[J]` index of the parent, -1 for the root.
      offsets: `[J, 3]` from the parent's joint at zero angles.
      rotations: `[T, J, 3, 3]` relative to the parent; the root's in the world.
      places: `[T, 3]` of the root joint in the world.
      frame_rate: frames per second.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    rotations: np.ndarray
    places: np.ndarray
    frame_rate: float

    def frames(self, step: int) -> SkeletonMotion:
        """Returns every `step`-th frame."""
        return dataclasses.replace(
            self,
            rotations=self.rotations[::step],
            places=self.places[::step],
            frame_rate=self.frame_rate / step,
        )

    def posed(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the joints `[T, J, 3]` and their global rotations `[T, J, 3, 3]`."""
        return forward(self.rotations, self.offsets, self.parents, self.places)


def forward(
    rotations: np.ndarray, offsets: np.ndarray, parents: tuple[int, ...], places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Forward kinematics in float64.

    Args:
      rotations: `[T, J, 3, 3]` relative to the parent.
      offsets: `[J, 3]` from the parent's joint.
      parents: `[J]`, parents before their children; -1 for the root.
      places: `[T, 3]` of the root joint.

    Returns:
      Joints `[T, J, 3]` and global rotations `[T, J, 3, 3]`.
    """
    joints = np.empty(rotations.shape[:2] + (3,))
    turned = np.empty(rotations.shape)
    for joint, parent in enumerate(parents):
        if parent < 0:
            joints[:, joint], turned[:, joint] = places, rotations[:, joint]
        else:
            joints[:, joint] = joints[:, parent] + turned[:, parent] @ offsets[joint]
            turned[:, joint] = turned[:, parent] @ rotations[:, joint]
    return joints, turned
