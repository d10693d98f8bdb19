"""Augments pictures with other scenes behind people and objects in front of them.

Both come from Pascal VOC if its shards exist, and are generated otherwise.
"""

from collections.abc import Mapping
from typing import NamedTuple

import cv2
import numpy as np
import tensorflow as tf

from datasets import pipelines
from datasets.synthetic import scenes
from datasets.transforms import Example
from smpl_tf import pictures

_UNCLEAR = 255  # value of unclear pixels in VOC's masks
_LEAST_AREA = 500  # pixels; smaller objects of VOC are ignored


class Scenery(NamedTuple):
    """Pictures without people, and cut-out objects.

    Attributes:
      scenes: uint8 `[M, S, S, 3]`.
      things: uint8 `[K, S / 2, S / 2, 4]`, RGBA, each as large as its square; the alpha is 0 or
        255.
    """

    scenes: tf.Tensor
    things: tf.Tensor


def made_up(count: int, size: int, seed: int = 0) -> Scenery:
    """Generates random scenes and objects.

    Args:
      count: number of each.
      size: of their pictures, pixels.
      seed: of the random numbers.

    Returns:
      The scenery.

    Source: replaces Pascal VOC of paper 4.4.1.
    """
    rng = np.random.default_rng(seed)
    drawn = [scenes.draw_background(rng, size) for _ in range(count)]
    things = [_fitted(scenes.draw_thing(rng, size), size // 2) for _ in range(count)]
    drawn = np.rint(255 * np.stack(drawn)).astype(np.uint8)
    # Tensors, so that the graphs of tf.data refer to them without a copy.
    return Scenery(tf.constant(drawn), tf.constant(np.stack(things)))


def from_voc(folder: str, size: int, split: str = "train") -> Scenery:
    """Reads scenes and objects from Pascal VOC.

    Args:
      folder: of its shards, see `convert_dataset.py --dataset=pascal_voc`.
      size: of the pictures, pixels.
      split: its name.

    Returns:
      The scenery: the middle square of each picture; each object of 500 pixels or more.

    Raises:
      RecordError: the shards are missing or damaged.

    Source: paper 4.4.1; the reader leaves out pictures with people.
    """
    features = ("image/encoded", "objects/encoded", "objects/valid")
    found, things = [], []
    for example in pipelines.load(folder, split, features=features).as_numpy_iterator():
        picture = example["image"]
        side = min(picture.shape[:2])
        top, left = ((length - side) // 2 for length in picture.shape[:2])
        square = picture[top : top + side, left : left + side]
        found.append(cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA))
        mask = pictures.decode(example["objects/encoded"], cv2.IMREAD_UNCHANGED)
        if mask is None:
            raise ValueError(f"{folder}: expected an encoded mask of objects, got damaged bytes")
        for thing in set(np.unique(mask)) - {0, _UNCLEAR}:
            alpha = np.where(mask == thing, 255, 0).astype(np.uint8)
            if (alpha > 0).sum() >= _LEAST_AREA:
                things.append(_fitted(np.dstack([picture, alpha]), size // 2))
    return Scenery(tf.constant(np.stack(found)), tf.constant(np.stack(things)))


def _fitted(rgba: np.ndarray, size: int) -> np.ndarray:
    """Crops the square around the opaque pixels and resizes it."""
    rows, columns = np.nonzero(rgba[..., 3])
    top, left = rows.min(), columns.min()
    height, width = rows.max() + 1 - top, columns.max() + 1 - left
    side = max(height, width)
    square = np.zeros((side, side, 4), np.uint8)
    down, right = (side - height) // 2, (side - width) // 2
    square[down : down + height, right : right + width] = rgba[
        top : top + height, left : left + width
    ]
    return cv2.resize(square, (size, size), interpolation=cv2.INTER_NEAREST)


def random_scene(
    example: Mapping[str, tf.Tensor], seed: tf.Tensor, scenery: Scenery, rate: float = 0.35
) -> Example:
    """Replaces the scene behind some people.

    Args:
      example: a decoded Example with `parts`; it stays unchanged if these are unknown.
      seed: `[2]` integers.
      scenery: source of the scene.
      rate: fraction of Examples that change.

    Returns:
      The Example with another picture.

    Source: paper 4.4.1 (through the mask of the person); the rate as released.
    """
    seeds = tf.unstack(tf.random.split(tf.cast(seed, tf.int64), 2))
    person = example["parts"] > 0
    change = tf.random.stateless_uniform([], seeds[0]) < rate
    change = tf.logical_and(change, tf.reduce_any(person))

    def changed():
        scene = _drawn_from(scenery.scenes, seeds[1])
        scene = tf.image.resize(scene, tf.shape(person))
        scene = tf.cast(tf.round(scene), tf.uint8)
        return tf.where(person[..., None], example["image"], scene)

    return dict(example) | {"image": tf.cond(change, changed, lambda: example["image"])}


def random_thing(
    example: Mapping[str, tf.Tensor],
    seed: tf.Tensor,
    scenery: Scenery,
    rate: float = 0.35,
    sizes: tuple[float, float] = (0.2, 0.6),
) -> Example:
    """Puts an object in front of some pictures, at a random position.

    Args:
      example: a decoded Example; if it has `parts`, those behind the object become background.
      seed: `[2]` integers.
      scenery: source of the object.
      rate: fraction of Examples that change.
      sizes: range of the object's size, fraction of the picture's height; 0.5 as released.

    Returns:
      The changed Example.

    Source: paper 4.4.1; the rate as released. Sizes vary here, as in the authors' own source for
      occlusion, where objects scale by 0.2 to 1.
    """
    seeds = tf.unstack(tf.random.split(tf.cast(seed, tf.int64), 3))
    change = tf.random.stateless_uniform([], seeds[0]) < rate

    def changed():
        height, width = tf.unstack(tf.shape(example["image"])[:2])
        draw = tf.random.stateless_uniform([3], seeds[1])
        share = sizes[0] + draw[0] * (sizes[1] - sizes[0])
        side = tf.maximum(tf.cast(share * tf.cast(height, tf.float32), tf.int32), 1)
        thing = _drawn_from(scenery.things, seeds[2])
        thing = tf.image.resize(thing, [side, side], method="nearest")
        # Its centre is anywhere in the picture; the rest is clipped.
        top = tf.cast(draw[1] * tf.cast(height, tf.float32), tf.int32)
        left = tf.cast(draw[2] * tf.cast(width, tf.float32), tf.int32)
        canvas = tf.pad(thing, [[top, height - top], [left, width - left], [0, 0]])
        canvas = canvas[side // 2 : side // 2 + height, side // 2 : side // 2 + width]
        covered = canvas[..., 3] > 0
        result = {"image": tf.where(covered[..., None], canvas[..., :3], example["image"])}
        if "parts" in example:
            result["parts"] = tf.where(covered, tf.zeros_like(example["parts"]), example["parts"])
        return result

    def unchanged():
        return {name: example[name] for name in ("image", "parts") if name in example}

    return dict(example) | tf.cond(change, changed, unchanged)


def _drawn_from(pictures: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    index = tf.random.stateless_uniform([], seed, 0, len(pictures), tf.int32)
    return tf.gather(pictures, index)
