"""Adds the errors of segmenters to true part maps, to train a robust fitting network.

Label maps are `[H, W]` uint8 of REGIONS; lengths are fractions of the map's width. Random
functions take a stateless seed, int `[2]`. The picture, the joints and the camera do not change.

Source: STRAPS (Sengupta et al. 2020) hides limbs and boxes and shifts crops; shifted outlines and
  wide clothes are ours.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from smpl_tf.parts import PARTS_12, PARTS_24, REGIONS
from smpl_tf.tensor_like import TensorLike

_FIELD = 16  # cells per side of the field that shifts outlines
_WHOLE = 0.15  # fraction of unchanged maps
_LEGS = [
    label
    for label, bone in enumerate(PARTS_24.from_regions)
    if PARTS_24.names[bone].endswith(("hip", "knee", "ankle", "foot"))
]


def hide_parts(labels: tf.Tensor, seed: tf.Tensor, rate: TensorLike) -> tf.Tensor:
    """Removes parts of PARTS_12, each with the same probability."""
    drawn = tf.random.stateless_uniform([PARTS_12.num_classes], seed) < rate
    hidden = tf.gather(drawn, PARTS_12.from_regions) & (tf.range(REGIONS.num_classes) > 0)
    return tf.where(tf.gather(hidden, tf.cast(labels, tf.int32)), tf.zeros_like(labels), labels)


def hide_box(labels: tf.Tensor, seed: tf.Tensor, share: TensorLike) -> tf.Tensor:
    """Hides a square inside the map; share: its side."""
    corner = tf.random.stateless_uniform([2], seed) * (1.0 - share)
    rows, columns = _places(labels)
    hidden = (rows >= corner[0]) & (rows < corner[0] + share)
    hidden &= (columns >= corner[1]) & (columns < corner[1] + share)
    return tf.where(hidden, tf.zeros_like(labels), labels)


def shift_outlines(labels: tf.Tensor, seed: tf.Tensor, deviation: TensorLike) -> tf.Tensor:
    """Shifts the labels by a smooth random field.

    Args:
      labels: `[H, W]`.
      seed: int `[2]`.
      deviation: standard deviation of the shift in each direction.

    Returns:
      `[H, W]`; every label is one of the map.
    """
    field = tf.random.stateless_normal([_FIELD, _FIELD, 2], seed)
    field = tf.image.resize(field, tf.shape(labels), "bicubic")
    rows, columns = _places(labels)
    return _read(labels, rows + deviation * field[..., 0], columns + deviation * field[..., 1])


def displace(labels: tf.Tensor, scale: TensorLike, shift: TensorLike) -> tf.Tensor:
    """Enlarges a map about its middle and shifts it, like a wrong crop.

    Args:
      labels: `[H, W]`.
      scale: above 1 enlarges.
      shift: `[2]` down and right.

    Returns:
      `[H, W]`, background outside the original map.
    """
    shift = tf.convert_to_tensor(shift, tf.float32)
    rows, columns = _places(labels)
    rows, columns = (
        (place - 0.5 - shift[axis]) / scale + 0.5 for axis, place in enumerate((rows, columns))
    )
    inside = (rows >= 0) & (rows < 1) & (columns >= 0) & (columns < 1)
    return tf.where(inside, _read(labels, rows, columns), tf.zeros_like(labels))


def grow(labels: tf.Tensor, pixels: int) -> tf.Tensor:
    """Dilates the person, like wide clothes.

    Args:
      labels: `[H, W]`.
      pixels: of the map, 0 or more.

    Returns:
      `[H, W]`; the person's own pixels keep their labels.
    """
    size = 2 * pixels + 1
    grown = tf.nn.max_pool2d(
        tf.cast(labels, tf.float32)[tf.newaxis, ..., tf.newaxis], size, 1, "SAME"
    )
    return tf.where(labels > 0, labels, tf.cast(grown[0, ..., 0], labels.dtype))


def swap_legs(labels: tf.Tensor) -> tf.Tensor:
    """Exchanges the labels of left and right legs."""
    swapped = np.arange(REGIONS.num_classes)
    swapped[_LEGS] = REGIONS.mirror[_LEGS]
    return tf.cast(tf.gather(swapped, tf.cast(labels, tf.int32)), labels.dtype)


def random_corruption(example: Mapping[str, tf.Tensor], seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Corrupts the part map of an Example; some stay unchanged.

    Args:
      example: a decoded Example with `parts`.
      seed: int `[2]`.

    Returns:
      The Example with the changed `parts`.
    """
    seeds = tf.unstack(tf.random.split(tf.cast(seed, tf.int64), 6))
    draw = tf.random.stateless_uniform([9], seeds[0])
    labels = example["parts"]
    # The outline, for half of the people, by up to four pixels of 128.
    pixels = tf.cast(tf.maximum(10.0 * draw[0] - 5.0, 0.0), tf.int32)
    labels = tf.switch_case(pixels, [functools.partial(grow, labels, n) for n in range(5)])
    labels = shift_outlines(labels, seeds[1], 0.02 * tf.maximum(2.0 * draw[1] - 1.0, 0.0))
    labels = hide_parts(labels, seeds[2], tf.where(draw[2] < 0.5, 0.12, 0.0))
    labels = hide_box(labels, seeds[3], 0.4 * tf.maximum(2.0 * draw[3] - 1.0, 0.0))
    labels = tf.where(draw[4] < 0.1, swap_legs(labels), labels)
    # Crops have a wrong position, scale, or both.
    shift = 0.04 * tf.random.stateless_normal([2], seeds[4]) * tf.cast(draw[5] < 0.6, tf.float32)
    scale = tf.where(draw[6] < 0.5, 0.8 + 0.4 * draw[7], 1.0)
    labels = displace(labels, scale, shift)
    whole = draw[8] < _WHOLE
    return {**example, "parts": tf.where(whole, example["parts"], labels)}


def _places(labels):
    """Rows `[H, 1]` and columns `[1, W]` of the pixels' centres, 0 to 1."""
    shape = tf.shape(labels)
    rows, columns = (
        (tf.range(tf.cast(n, tf.float32)) + 0.5) / tf.cast(n, tf.float32)
        for n in tf.unstack(shape)
    )
    return rows[:, tf.newaxis], columns[tf.newaxis]


def _read(labels, rows, columns):
    """Returns the labels at positions; outside the map those of the border."""
    shape = tf.shape(labels)
    rows, columns = tf.broadcast_to(rows, shape), tf.broadcast_to(columns, shape)
    indices = [
        tf.clip_by_value(tf.cast(tf.floor(place * tf.cast(n, tf.float32)), tf.int32), 0, n - 1)
        for place, n in zip((rows, columns), tf.unstack(shape), strict=True)
    ]
    return tf.gather_nd(labels, tf.stack(indices, -1))
