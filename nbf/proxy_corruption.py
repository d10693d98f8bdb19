"""Adds the errors of detectors to true points and masks in training; all drawn from a seed.

Points are `[B, 21, 2]` of PHOTOGRAPH_21 in the person's frame (`nbf.points_mask`), whose unit is
the spread of the points, about half a metre; visibility is `[B, 21]`. A mask is `[B, S, S, 1]` of
that frame's square. Every function takes a stateless seed, int `[2]`: same seed, same errors.

Source: STRAPS (Sengupta et al. 2020) and its successor have most of these corruptions; the sizes
    here are ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from nbf.points_mask import BACKGROUND, HALF_SIDE, PERSON, UNKNOWN, map_middles
from smpl_tf.skeleton import PHOTOGRAPH_21

_NAMES = PHOTOGRAPH_21.names
_ARMS = {side: [f"{side}_{joint}" for joint in ("elbow", "wrist")] for side in ("left", "right")}
_LEGS = {
    side: [f"{side}_{joint}" for joint in ("knee", "ankle", "heel", "big_toe")]
    for side in ("left", "right")
}
_FACE = ["nose", "left_eye", "right_eye", "left_ear", "right_ear"]
_FEET = [name for name in _NAMES if name.endswith(("heel", "big_toe"))]


@dataclasses.dataclass(frozen=True)
class Corruption:
    """Rates and sizes of the errors.

    Attributes:
      deviation: standard deviation of a clearly visible point, in spreads.
      deviation_unseen: additional deviation at visibility 0.
      mistake_rate: how often a point has the error `mistake_deviation`, whatever its visibility.
      mistake_deviation: of such a point, in spreads.
      doubt_rate: how often the visibility of a point is anything but high.
      missing_rate: how often a point is unknown.
      hidden_limb_rate: how often a whole arm or leg is guessed or unknown.
      hidden_ends_rate: how often the face is unknown, and how often the feet: some annotations
        lack them.
      swapped_rate: how often left and right are exchanged in the whole person.
      swapped_limbs_rate: how often only in the arms, and how often only in the legs.
      box_rate: how often an occluder covers a part of the person.
      cut_rate: how often the picture's border cuts off a part.
      no_mask_rate: how often there is no mask.
      added_rate: how often background next to the person is added to the mask.
    """

    deviation: float = 0.025
    deviation_unseen: float = 0.15
    mistake_rate: float = 0.04
    mistake_deviation: float = 0.25
    doubt_rate: float = 0.2
    missing_rate: float = 0.04
    hidden_limb_rate: float = 0.05
    hidden_ends_rate: float = 0.1
    swapped_rate: float = 0.02
    swapped_limbs_rate: float = 0.03
    box_rate: float = 0.15
    cut_rate: float = 0.1
    no_mask_rate: float = 0.2
    added_rate: float = 0.15


class Cover(NamedTuple):
    """Occluders and picture borders, in the person's frame.

    Attributes:
      box: `[B, 4]` left, top, right, bottom of an occluder; empty without one.
      added: `[B, 4]` of background that is mistaken for the person.
      normal: `[B, 2]` points from the picture across its border, unit length.
      reach: `[B]` distance of the border along it.
    """

    box: tf.Tensor
    added: tf.Tensor
    normal: tf.Tensor
    reach: tf.Tensor

    def in_frame(self, centre: tf.Tensor, spread: tf.Tensor) -> Cover:
        """The same, expressed in another frame.

        Args:
          centre: `[B, 2]` of that frame, in this one.
          spread: `[B]` of that frame, in this one.
        """
        shift, factor = tf.tile(centre, [1, 2]), spread[:, tf.newaxis]
        reach = (self.reach - tf.reduce_sum(self.normal * centre, -1)) / spread
        box, added = ((box - shift) / factor for box in (self.box, self.added))
        return Cover(box, added, self.normal, reach)

    def hides(self, points: tf.Tensor) -> tf.Tensor:
        """Whether points `[B, P, 2]` are covered, bool `[B, P]`."""
        box = self.box[:, tf.newaxis]
        return tf.reduce_all((points > box[..., :2]) & (points < box[..., 2:]), -1)

    def cuts_off(self, points: tf.Tensor) -> tf.Tensor:
        """Whether points `[B, P, 2]` lie outside of the picture, bool `[B, P]`."""
        return tf.linalg.matvec(points, self.normal) > self.reach[:, tf.newaxis]


def draw_cover(
    batch_size: int | tf.Tensor, seed: tf.Tensor, corruption: Corruption = Corruption()
) -> Cover:
    """Draws random occluders and borders.

    Args:
      batch_size: B.
      seed: int `[2]`.
      corruption: how often.

    Returns:
      The covers; a border is below, above, left or right of the picture, below most often.
    """
    seeds = tf.unstack(tf.random.split(seed, 6))
    box = _boxes(batch_size, seeds[0], corruption.box_rate, (0.3, 1.4), 1.2)
    added = _boxes(batch_size, seeds[1], corruption.added_rate, (0.3, 1.6), 2.0)
    directions = tf.constant([[0, 1], [0, 1], [0, 1], [1, 0], [-1, 0], [0, -1]], tf.float32)
    which = tf.random.stateless_uniform([batch_size], seeds[2], 0, 6, tf.int32)
    reach = tf.random.stateless_uniform([batch_size], seeds[3], -0.4, 1.3)
    cut = tf.random.stateless_uniform([batch_size], seeds[4]) < corruption.cut_rate
    return Cover(box, added, tf.gather(directions, which), tf.where(cut, reach, 1e3))


def corrupt_points(
    points: tf.Tensor, cover: Cover, seed: tf.Tensor, corruption: Corruption = Corruption()
) -> tuple[tf.Tensor, tf.Tensor]:
    """Corrupts true points like a detector.

    Args:
      points: `[B, 21, 2]`, true.
      cover: what covers the people.
      seed: int `[2]`.
      corruption: how often and how far.

    Returns:
      Points `[B, 21, 2]` and their visibility `[B, 21]`, 0 where unknown.
    """
    seeds = tf.unstack(tf.random.split(seed, 12))
    shape = tf.shape(points)[:2]
    uniform = tf.random.stateless_uniform
    visibility = tf.where(
        uniform(shape, seeds[0]) < corruption.doubt_rate,
        # Like BlazePose's: a tenth of the points below 0.63, a twentieth below 0.42.
        1.0 - 0.95 * tf.square(uniform(shape, seeds[1], 0.3, 1.0)),
        uniform(shape, seeds[2], 0.85, 1.0),
    )
    # A detector guesses hidden points, or leaves them out.
    covered = cover.hides(points) | cover.cuts_off(points)
    covered |= _hidden_limbs(shape[0], seeds[3], corruption.hidden_limb_rate)
    guess = uniform(shape, seeds[4], -0.1, 0.45)
    visibility = tf.where(covered, tf.maximum(guess, 0.0), visibility)
    lost = uniform(shape, seeds[5]) < corruption.missing_rate
    lost |= _hidden_ends(shape[0], seeds[6], corruption.hidden_ends_rate)
    visibility = tf.where(lost, 0.0, visibility)

    points = marked_elsewhere(points, seeds[7])
    deviation = corruption.deviation + corruption.deviation_unseen * (1.0 - visibility)
    deviation = tf.where(covered, 2.0 * deviation, deviation)
    mistaken = uniform(shape, seeds[8]) < corruption.mistake_rate
    deviation = tf.where(mistaken, corruption.mistake_deviation, deviation)
    noise = tf.random.stateless_normal(tf.shape(points), seeds[9])
    points += deviation[..., tf.newaxis] * noise
    return _swap_sides(points, visibility, seeds[10], corruption)


def marked_elsewhere(points: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Moves hips and shoulders like other conventions: wider or narrower, higher or lower.

    Args:
      points: `[B, 21, 2]`.
      seed: int `[2]`.

    Returns:
      Points `[B, 21, 2]`; both sides move alike.
    """
    seeds = tf.unstack(tf.random.split(seed, 2))
    normal = tf.random.stateless_normal([2, 2, tf.shape(points)[0], 1], seeds[0])
    middles, halves, sides = [], [], []
    for joint in ("hip", "shoulder"):
        left, right = (PHOTOGRAPH_21.index(f"{side}_{joint}") for side in ("left", "right"))
        sides.append((left, right))
        middles.append((points[:, left] + points[:, right]) / 2)
        halves.append((points[:, left] - points[:, right]) / 2)
    torso = middles[1] - middles[0]
    for number, (left, right) in enumerate(sides):
        wider, higher = 0.2 * normal[number, 0] + 0.1, 0.05 * normal[number, 1]
        for index, sign in ((left, 1.0), (right, -1.0)):
            chosen = tf.one_hot(index, points.shape[1])[:, tf.newaxis]
            shift = sign * wider * halves[number] + higher * torso
            points += chosen * shift[:, tf.newaxis]
    return points


def corrupt_mask(
    mask: tf.Tensor, cover: Cover, seed: tf.Tensor, corruption: Corruption = Corruption()
) -> tf.Tensor:
    """Corrupts a true mask like a detector.

    Args:
      mask: `[B, S, S, 1]` 0 to 1, in the frame of the corrupted points.
      cover: what covers the people, in the same frame.
      seed: int `[2]`.
      corruption: how often.

    Returns:
      `[B, S, S, 1]` of PERSON, BACKGROUND and UNKNOWN: grown or shrunk by up to two pixels, with
      parts missing and parts added, unknown outside of the picture, or everywhere.
    """
    seeds = tf.unstack(tf.random.split(seed, 2))
    batch_size, size = tf.shape(mask)[0], mask.shape[1]
    # A low threshold on the blurred mask grows it, a high one shrinks it.
    blurred = tf.nn.avg_pool2d(mask, 5, 1, "SAME")[..., 0]
    threshold = tf.random.stateless_uniform([batch_size, 1, 1], seeds[0], 0.12, 0.88)
    middles = map_middles(size)
    person = ((blurred > threshold) | _drawn(cover.added, middles)) & ~_drawn(cover.box, middles)
    given = tf.random.stateless_uniform([batch_size], seeds[1]) >= corruption.no_mask_rate
    # The distance of a pixel along the border's normal is the sum of those of its row and column.
    across, down = (cover.normal[:, i, tf.newaxis] * middles for i in range(2))
    reach = tf.where(given, cover.reach, -1e3)
    room = reach[:, tf.newaxis, tf.newaxis] - down[:, :, tf.newaxis]
    known = across[:, tf.newaxis] <= room
    values = tf.where(person, PERSON, BACKGROUND)
    return tf.where(known, values, UNKNOWN)[..., tf.newaxis]


def _drawn(boxes, middles):
    """Which pixels of a map boxes `[B, 4]` cover, bool `[B, S, S]`."""
    inside = [
        (middles > boxes[:, i, tf.newaxis]) & (middles < boxes[:, i + 2, tf.newaxis])
        for i in range(2)
    ]
    return inside[1][:, :, tf.newaxis] & inside[0][:, tf.newaxis]


def _boxes(batch_size, seed, rate, sides, farthest):
    """Boxes `[B, 4]` with sides in a range and centres up to `farthest` away; or empty."""
    seeds = tf.unstack(tf.random.split(seed, 3))
    middle = tf.random.stateless_uniform([batch_size, 2], seeds[0], -farthest, farthest)
    half = tf.random.stateless_uniform([batch_size, 2], seeds[1], *sides) / 2
    there = tf.random.stateless_uniform([batch_size, 1], seeds[2]) < rate
    box = tf.concat([middle - half, middle + half], -1)
    return tf.where(there, box, 10.0 * HALF_SIDE)


def _members(groups: Sequence[Collection[str]]) -> np.ndarray:
    """Which points belong to each group, bool `[groups, 21]`."""
    return np.array([[name in group for name in _NAMES] for group in groups])


def _hidden_limbs(batch_size, seed, rate):
    """Which points lie on a hidden arm or leg, bool `[B, 21]`."""
    members = tf.constant(_members([*_ARMS.values(), *_LEGS.values()]), tf.float32)
    hidden = tf.random.stateless_uniform([batch_size, 4], seed) < rate
    return tf.matmul(tf.cast(hidden, tf.float32), members) > 0


def _hidden_ends(batch_size, seed, rate):
    """Which points belong to an unannotated face or feet, bool `[B, 21]`."""
    members = tf.constant(_members([_FACE, _FEET]), tf.float32)
    hidden = tf.random.stateless_uniform([batch_size, 2], seed) < rate
    return tf.matmul(tf.cast(hidden, tf.float32), members) > 0


def _swap_sides(points, visibility, seed, corruption):
    seeds = tf.unstack(tf.random.split(seed, 2))
    batch_size = tf.shape(points)[0]
    whole = tf.random.stateless_uniform([batch_size, 1], seeds[0]) < corruption.swapped_rate
    limbs = tf.random.stateless_uniform([batch_size, 2], seeds[1]) < corruption.swapped_limbs_rate
    pairs = [_ARMS["left"] + _ARMS["right"], _LEGS["left"] + _LEGS["right"]]
    members = tf.constant(_members(pairs), tf.float32)
    swapped = (tf.matmul(tf.cast(limbs, tf.float32), members) > 0) ^ whole
    other_points = tf.gather(points, PHOTOGRAPH_21.mirror, axis=1)
    other_visibility = tf.gather(visibility, PHOTOGRAPH_21.mirror, axis=1)
    return (
        tf.where(swapped[..., tf.newaxis], other_points, points),
        tf.where(swapped, other_visibility, visibility),
    )
