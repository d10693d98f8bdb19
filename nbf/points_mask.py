"""Normalised 2D points and mask of a person: the fitting network's input for photographs.

Detectors give 2D points with visibility, and some give a mask. Both are expressed in the person's
frame: its origin is the mean of the points, its unit their spread. The points go to the network as
numbers, the mask as a map of the square from -HALF_SIDE to HALF_SIDE.

Source: the paper's Table 1 has separate rows "14 joints" and "1 part"; STRAPS (Sengupta et al.
    2020) uses both together as network input. Points as numbers instead of discs are ours.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from smpl_tf.skeleton import PHOTOGRAPH_21
from smpl_tf.tensor_like import TensorLike

# Half the side of the mask's map, in spreads: a person with stretched arms fits.
HALF_SIDE = 2.0
LEAST_VISIBILITY = 0.03  # points with less count as unknown
# Coordinates are clipped here: a detector's wildest guesses mean no more than "far away".
_FARTHEST = 4.0
# The nine points of head and feet would otherwise count as much as nine of the limbs.
_SHARE_OF_ENDS = 0.2
_LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
# Values of the map.
PERSON, BACKGROUND, UNKNOWN = 1.0, -1.0, 0.0


class PersonFrame(NamedTuple):
    """The mean and the spread of a person's points.

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
        """The camera of the person's frame, whose points are x / z and y / z.

        Args:
          stretch: focal length divided by the true one, `[...]` or one for all.

        Returns:
          `[..., 3, 3]`: rays to normalised points. Its focal length shows how large the person
          appears, and so, for a known camera, the distance.
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
      The frame; centre 0 and spread 1 if no point is visible.
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
    """Encodes points as the network's input.

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
    """The weight of each point in the frame."""
    return [1.0 if name.endswith(_LIMBS) else _SHARE_OF_ENDS for name in PHOTOGRAPH_21.names]
