"""What a photograph's person looks like to the fitting network: 2D points and a mask, normalised.

Finders give 2D points with visibility and, some of them, a mask. Both are shown in a frame of the
person's own: the middle of the points is its origin, their spread its unit. The points go to the
network as numbers, the mask as a map of the square from -HALF_SIDE to HALF_SIDE.

Source: the paper's Table 1 has the rows "14 joints" and "1 part" apart; together they are what
  STRAPS (Sengupta et al. 2020) shows its network. Points as numbers instead of discs are ours.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from smpl_tf.skeleton import PHOTOGRAPH_21
from smpl_tf.tensor_like import TensorLike

# Of the map of the mask, in spreads: a person with stretched arms is inside.
HALF_SIDE = 2.0
LEAST_VISIBILITY = 0.03  # below it, a point is as good as unknown
# Coordinates are cut here: a finder's wildest guesses say no more than "far out".
_FARTHEST = 4.0
# Nine points of head and feet would otherwise count as much as nine of the limbs.
_SHARE_OF_ENDS = 0.2
_LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
# Values of the map.
PERSON, BACKGROUND, UNKNOWN = 1.0, -1.0, 0.0


class PersonFrame(NamedTuple):
    """Where a person's points are and how far they spread.

    Attributes:
      centre: `[..., 2]` in the coordinates of the points.
      spread: `[...]` root of the mean squared distance from it, same unit.
    """

    centre: tf.Tensor
    spread: tf.Tensor

    def normalise(self, points: tf.Tensor) -> tf.Tensor:
        """Points `[..., P, 2]` in the person's frame."""
        return (points - self.centre[..., tf.newaxis, :]) / self.spread[
            ..., tf.newaxis, tf.newaxis
        ]

    def intrinsics(self, stretch: TensorLike = 1.0) -> tf.Tensor:
        """The camera that sees the person's frame, where the points are x / z and y / z.

        Args:
          stretch: focal length over the true one, `[...]` or one for all.

        Returns:
          `[..., 3, 3]`: rays to normalised points. Its focal length tells how large the person
          is seen, which for a known camera is how far away.
        """
        focal = tf.ones_like(self.spread) * stretch / self.spread
        x, y = tf.unstack(-self.centre / self.spread[..., tf.newaxis], axis=-1)
        zero, one = tf.zeros_like(focal), tf.ones_like(focal)
        rows = [focal, zero, x, zero, focal, y, zero, zero, one]
        return tf.reshape(tf.stack(rows, -1), tf.concat([tf.shape(focal), [3, 3]], 0))


def person_frame(points: TensorLike, visibility: TensorLike) -> PersonFrame:
    """Finds a person's frame.

    Args:
      points: `[..., 21, 2]` of PHOTOGRAPH_21, any unit; those of visibility 0 are not read.
      visibility: `[..., 21]` 0 to 1.

    Returns:
      The frame; of nobody, where no point is visible, at 0 with spread 1.
    """
    visibility = _believed(visibility)
    known = visibility > 0
    points = tf.where(known[..., tf.newaxis], tf.convert_to_tensor(points, tf.float32), 0.0)
    weights = visibility * tf.constant(_point_weights())
    total = tf.reduce_sum(weights, -1)
    centre = tf.math.divide_no_nan(
        tf.reduce_sum(weights[..., tf.newaxis] * points, -2), total[..., tf.newaxis]
    )
    squares = tf.reduce_sum(tf.square(points - centre[..., tf.newaxis, :]), -1)
    spread = tf.sqrt(tf.math.divide_no_nan(tf.reduce_sum(weights * squares, -1), total))
    return PersonFrame(centre, tf.where(spread > 0, spread, 1.0))


def point_rows(points: TensorLike, visibility: TensorLike, frame: PersonFrame) -> tf.Tensor:
    """Writes points as the network reads them.

    Args:
      points: `[..., 21, 2]` of PHOTOGRAPH_21; those of visibility 0 are not read.
      visibility: `[..., 21]` 0 to 1.
      frame: the person's.

    Returns:
      `[..., 21, 3]`: normalised x and y, and the visibility; 0 for unknown points.
    """
    visibility = _believed(visibility)
    known = (visibility > 0)[..., tf.newaxis]
    points = tf.where(known, tf.convert_to_tensor(points, tf.float32), 0.0)
    normalised = tf.clip_by_value(frame.normalise(points), -_FARTHEST, _FARTHEST)
    return tf.concat([tf.where(known, normalised, 0.0), visibility[..., tf.newaxis]], -1)


def map_middles(size: int) -> tf.Tensor:
    """Returns where the columns, or rows, of the map lie in the person's frame, `[size]`."""
    return ((tf.range(size, dtype=tf.float32) + 0.5) * (2.0 / size) - 1.0) * HALF_SIDE


def _believed(visibility: TensorLike) -> tf.Tensor:
    visibility = tf.convert_to_tensor(visibility, tf.float32)
    return tf.where(visibility >= LEAST_VISIBILITY, visibility, 0.0)


def _point_weights() -> list[float]:
    """How much each point counts for the frame."""
    return [1.0 if name.endswith(_LIMBS) else _SHARE_OF_ENDS for name in PHOTOGRAPH_21.names]
