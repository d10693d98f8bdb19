"""Inputs of the fitting network: parts, joint maps, the picture, or points and mask (Table 1).

Every map is `[S, S, C]` float32 with values in -1 to 1. `points_mask` combines Table 1's joints
and its single part; its points are numbers next to the map, see `nbf.points_mask`.
"""

import dataclasses
from collections.abc import Mapping

import tensorflow as tf

from smpl_tf.parts import PARTS_24, PartScheme, colour_code, merge_labels, part_scheme
from smpl_tf.skeleton import PHOTOGRAPH_21, Skeleton
from smpl_tf.tensor_like import TensorLike

# Radius of a joint's disc, for image coordinates from -1 to 1: 3 pixels of 224, as released.
_DISC_RADIUS = 3.0 / 112.0

_PART_MAPS = {f"parts_{n}": n for n in (1, 3, 6, 12, 24)}
_PROBABILITY_MAPS = {f"probabilities_{n}": n for n in (1, 3, 6, 12, 24)}
_JOINT_MAPS = {"joints_14": 14, "joints_24": 24}
POINTS_MASK = "points_mask"
INPUT_MAPS = ("rgb", *_PART_MAPS, *_JOINT_MAPS, *_PROBABILITY_MAPS, POINTS_MASK)


@dataclasses.dataclass(frozen=True)
class InputMap:
    """One of Table 1's encodings.

    Attributes:
      name: one of `INPUT_MAPS`.
      channels: of the map.
      scheme: the part scheme it shows, None for pictures and joints.
      joints: how many joints it shows, None for pictures and parts.
      points: skeleton of the points that accompany the map as numbers; None: only the map.
    """

    name: str
    channels: int
    scheme: PartScheme | None = None
    joints: int | None = None
    points: Skeleton | None = None

    def shapes(self, size: int) -> dict[str, tuple[int, ...]]:
        """Returns the shape of each input of the encoder, without the batch.

        Args:
          size: side of the map, pixels.
        """
        shapes: dict[str, tuple[int, ...]] = {"input_map": (size, size, self.channels)}
        if self.points is not None:
            shapes |= {"points": (len(self.points), 3), "intrinsics": (3, 3)}
        return shapes


def input_map(name: str) -> InputMap:
    """Returns the encoding with this name.

    Raises:
      ValueError: if there is none.
    """
    if name in _PART_MAPS:
        return InputMap(name, 3, scheme=part_scheme(_PART_MAPS[name]))
    if name in _PROBABILITY_MAPS:
        scheme = part_scheme(_PROBABILITY_MAPS[name])
        return InputMap(name, scheme.num_classes, scheme=scheme)
    if name in _JOINT_MAPS:
        return InputMap(name, 3, joints=_JOINT_MAPS[name])
    if name == "rgb":
        return InputMap(name, 3)
    if name == POINTS_MASK:
        return InputMap(name, 1, points=PHOTOGRAPH_21)
    raise ValueError(f"Unknown input map {name!r}: expected one of {', '.join(INPUT_MAPS)}.")


def to_unit_range(picture: TensorLike) -> tf.Tensor:
    """Maps 0..255 to -1..1 (the released code's `x * 2 / 255 - 1`), `[..., 3]` float32."""
    return tf.cast(picture, tf.float32) * (2.0 / 255.0) - 1.0


def resize_nearest(labels: tf.Tensor, size: int) -> tf.Tensor:
    """Resizes label maps `[..., H, W]` to `[..., size, size]`, without new label values."""
    return tf.image.resize(labels[..., tf.newaxis], [size, size], method="nearest")[..., 0]


def part_map(labels: TensorLike, scheme: PartScheme, size: int) -> tf.Tensor:
    """Colour-codes a label map of `parts.REGIONS`.

    Args:
      labels: `[..., H, W]` integers of REGIONS.
      scheme: the scheme to show.
      size: side of the map, pixels.

    Returns:
      `[..., size, size, 3]` float32 in -1..1; the background is -1.

    Source: paper 4.2; nearest-neighbour resizing as released.
    """
    labels = merge_labels(resize_nearest(labels, size), scheme)
    return to_unit_range(colour_code(labels, scheme))


def probability_map(labels: tf.Tensor, scheme: PartScheme, size: int) -> tf.Tensor:
    """Encodes a label map of `parts.REGIONS` as the probabilities of a perfect segmenter.

    Args:
      labels: `[..., H, W]` integers of REGIONS.
      scheme: the scheme to show.
      size: side of the map, pixels.

    Returns:
      `[..., size, size, C]` float32 in -1..1, twice the share of each class minus 1.

    Source: paper 3.1 and figure 2 speak of probability maps; the experiments use colours.
    """
    classes = tf.one_hot(merge_labels(labels, scheme), scheme.num_classes)
    return tf.image.resize(classes, [size, size], antialias=True) * 2.0 - 1.0


def joint_map(joints_2d: tf.Tensor, valid: tf.Tensor, size: int) -> tf.Tensor:
    """Draws each joint as a filled disc of its own colour.

    Args:
      joints_2d: `[..., N, 2]` image coordinates from -1 to 1.
      valid: `[..., N]`; joints with 0 are not drawn.
      size: side of the map, pixels.

    Returns:
      `[..., size, size, 3]` float32 in -1..1. Later joints cover earlier ones.

    Source: the released code, preprocessor.py:115-123; differs from it in the colour of joint i,
      which is entry i + 1 of the list: in the released code joint 0 is black on black.
    """
    centres = (tf.range(size, dtype=tf.float32) + 0.5) * (2.0 / size) - 1.0
    # [..., rows, columns, N]
    x = joints_2d[..., tf.newaxis, tf.newaxis, :, 0] - centres[:, tf.newaxis]
    y = joints_2d[..., tf.newaxis, tf.newaxis, :, 1] - centres[:, tf.newaxis, tf.newaxis]
    covered = tf.square(x) + tf.square(y) <= _DISC_RADIUS**2
    covered &= tf.cast(valid, tf.bool)[..., tf.newaxis, tf.newaxis, :]
    colour = tf.range(1, joints_2d.shape[-2] + 1)
    labels = tf.reduce_max(tf.where(covered, colour, 0), axis=-1)
    return to_unit_range(colour_code(labels, PARTS_24))


def resize_picture(picture: tf.Tensor, size: int) -> tf.Tensor:
    """Resizes pictures `[..., H, W, 3]` to `[..., size, size, 3]` float32, same range.

    Source: differs from the released code (preprocessor.py:191-236), which takes the nearest
      pixel: this averages over the pixels it drops.
    """
    return tf.image.resize(tf.cast(picture, tf.float32), [size, size], antialias=True)


def encode(example: Mapping[str, tf.Tensor], name: str, size: int) -> tf.Tensor:
    """Makes the input map of a decoded Example, or of a batch of Examples.

    Args:
      example: `image` uint8 `[..., H, W, 3]` for "rgb", or `parts` uint8 `[..., H, W]`.
      name: one of `INPUT_MAPS` but the joint maps, which are drawn from joints (`joint_map`).
      size: side of the map, pixels.

    Returns:
      `[..., size, size, C]` float32 in -1..1.

    Raises:
      ValueError: if the map is drawn from joints.
    """
    scheme = input_map(name).scheme
    if name == "rgb":
        return to_unit_range(resize_picture(example["image"], size))
    if scheme is None:
        raise ValueError(
            f"Expected a map of the picture or its parts, got {name!r}: see `joint_map` and "
            "`nbf.points_mask`."
        )
    draw = part_map if name in _PART_MAPS else probability_map
    return draw(example["parts"], scheme, size)
