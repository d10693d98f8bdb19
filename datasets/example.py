"""The Example: one picture of one person, the form that readers yield and records store.

An Example is a flat dict with exactly the keys of `EXAMPLE_FEATURES`. If a data set lacks a
feature, its value is zeros (or an empty picture) and the matching `.../valid` key is 0; no key is
ever missing. Frames: the camera's axes are x right, y down, z away; pixels follow the rule of
`smpl_tf.camera` (the picture spans [0, width] x [0, height]). Left and right are the person's.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from smpl_tf import bounds

# Increased whenever a key, shape, dtype or meaning below changes; older shards are then rejected.
SPEC_VERSION = 3

_PNG = b"\x89PNG\r\n\x1a\n"
GENDERS = ("female", "male", "neutral")


class Feature(NamedTuple):
    """One key of an Example."""

    shape: tuple[int, ...]
    dtype: str  # "string", "int64" or "float32"
    unit: str
    frame: str
    meaning: str


EXAMPLE_FEATURES: dict[str, Feature] = {
    "id": Feature((), "string", "", "", "unique within the data set, across its splits"),
    "source": Feature((), "string", "", "", "the data set, and the sequence or file within it"),
    "labels/source": Feature(
        (),
        "string",
        "",
        "",
        "origin of the labels: annotated, rendered, found by ...; or empty",
    ),
    "image/encoded": Feature((), "string", "", "", "RGB picture as PNG or JPEG"),
    "image/height": Feature((), "int64", "pixels", "", "height of the picture"),
    "image/width": Feature((), "int64", "pixels", "", "width of the picture"),
    "parts/encoded": Feature(
        (),
        "string",
        "",
        "",
        "labels of bones and their regions as 8-bit PNG; 0 = background",
    ),
    "parts/valid": Feature((), "int64", "0 or 1", "", "whether the labels are known"),
    "objects/encoded": Feature(
        (), "string", "", "", "objects as 8-bit PNG: k = the k-th object, 0 = none, 255 = unclear"
    ),
    "objects/valid": Feature((), "int64", "0 or 1", "", "whether the objects are known"),
    "person/box": Feature((4,), "float32", "pixels", "picture", "left, top, right, bottom"),
    "person/box/valid": Feature((), "int64", "0 or 1", "", "whether the box is known"),
    "mask/encoded": Feature((), "string", "", "", "the person as 8-bit PNG; 1 = person"),
    "mask/valid": Feature((), "int64", "0 or 1", "", "whether the mask is known"),
    "smpl/pose": Feature(
        (24, 3), "float32", "radians", "parent; root: camera", "axis-angle rotation of each joint"
    ),
    "smpl/betas": Feature((10,), "float32", "", "", "shape, in the space of smpl/gender's body"),
    "smpl/betas/valid": Feature((), "int64", "0 or 1", "", "0: of a similar body"),
    "smpl/neutral_betas": Feature((10,), "float32", "", "", "same person in the neutral space"),
    "smpl/neutral_betas/valid": Feature((), "int64", "0 or 1", "", "whether they are known"),
    "smpl/gender": Feature((), "int64", "", "", "index into GENDERS"),
    "smpl/translation": Feature((3,), "float32", "metres", "camera", "SMPL's translation"),
    "smpl/valid": Feature((), "int64", "0 or 1", "", "whether the SMPL parameters are known"),
    "joints/3d": Feature((24, 3), "float32", "metres", "camera", "SMPL joints"),
    "joints/3d/valid": Feature((24,), "int64", "0 or 1", "", "whether each is known"),
    "joints/2d": Feature((24, 2), "float32", "pixels", "picture", "projected SMPL joints"),
    "joints/2d/valid": Feature((24,), "int64", "0 or 1", "", "whether each is known"),
    "landmarks/3d": Feature((18, 3), "float32", "metres", "camera", "SMPLR's surface landmarks"),
    "landmarks/3d/valid": Feature((18,), "int64", "0 or 1", "", "whether each is known"),
    "lsp/2d": Feature((14, 2), "float32", "pixels", "picture", "annotated points of LSP_14"),
    "lsp/2d/valid": Feature((14,), "int64", "0 or 1", "", "whether each is known"),
    "h36m/3d": Feature((17, 3), "float32", "metres", "camera", "measured points of H36M_17"),
    "h36m/3d/valid": Feature((17,), "int64", "0 or 1", "", "whether each is known"),
    "found/3d": Feature(
        (24, 3),
        "float32",
        "metres",
        "camera axes",
        "SMPL joints estimated by a detector",
    ),
    "found/3d/valid": Feature((24,), "int64", "0 or 1", "", "whether each was found"),
    "camera/intrinsics": Feature((3, 3), "float32", "pixels", "picture", "pinhole camera matrix"),
    "camera/valid": Feature((), "int64", "0 or 1", "", "whether the camera is known"),
}

_NUMPY_DTYPES = {"int64": np.int64, "float32": np.float32}


def blank() -> dict[str, Any]:
    """Returns an empty Example: zeros, empty strings, every `.../valid` 0.

    Returns:
      dict with every key of `EXAMPLE_FEATURES`; a reader fills in the features that it has.
    """
    return {
        key: b"" if feature.dtype == "string" else np.zeros(feature.shape, feature.dtype)
        for key, feature in EXAMPLE_FEATURES.items()
    }


def encode(example: Mapping[str, Any]) -> bytes:
    """Serializes an Example; equal Examples give equal bytes.

    Args:
      example: exactly the keys of `EXAMPLE_FEATURES`; arrays, tensors, numbers, `bytes` or `str`.

    Returns:
      bytes of a `tf.train.Example`.

    Raises:
      ValueError: a key is missing or unknown, or a value has the wrong shape or is not finite.
    """
    if example.keys() != EXAMPLE_FEATURES.keys():
        missing = sorted(EXAMPLE_FEATURES.keys() - example.keys())
        unknown = sorted(example.keys() - EXAMPLE_FEATURES.keys())
        raise ValueError(
            f"an Example must have exactly the keys of EXAMPLE_FEATURES: missing {missing}, "
            f"unknown {unknown}; start from datasets.example.blank()"
        )
    features = {
        key: _feature(key, feature, example[key]) for key, feature in EXAMPLE_FEATURES.items()
    }
    message = tf.train.Example(features=tf.train.Features(feature=features))
    return message.SerializeToString(deterministic=True)


def parse(serialized: Any, features: tuple[str, ...] | None = None) -> dict[str, tf.Tensor]:
    """Parses what `encode` wrote, eagerly or inside tf.data.

    Args:
      serialized: scalar string tensor or bytes.
      features: keys to parse; None = all.

    Returns:
      dict of tensors with the shapes and dtypes of `EXAMPLE_FEATURES`.
    """
    keys = EXAMPLE_FEATURES if features is None else features
    return tf.io.parse_single_example(
        serialized,
        {
            key: tf.io.FixedLenFeature(EXAMPLE_FEATURES[key].shape, EXAMPLE_FEATURES[key].dtype)
            for key in keys
        },
    )


def decode(example: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Replaces the encoded picture and labels of a parsed Example by pixels.

    Args:
      example: a parsed Example; either encoded key may be absent.

    Returns:
      The other keys unchanged, and `image` uint8 `[H, W, 3]` in place of `image/encoded`, `parts`
      uint8 `[H, W]` in place of `parts/encoded`, and `mask` in place of `mask/encoded` (all zeros
      where unknown; this needs the keys `image/height` and `image/width`).

    Raises:
      tf.errors.InvalidArgumentError: a picture does not decode, is neither PNG nor JPEG, or
        declares more than `smpl_tf.bounds.MOST_PIXELS` pixels; nothing was decoded.
    """
    decoded = dict(example)
    if "image/encoded" in decoded:
        encoded = decoded.pop("image/encoded")
        with tf.control_dependencies([_small_enough(_claimed_size(encoded))]):
            decoded["image"] = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        decoded["image"].set_shape([None, None, 3])
    for key in ("parts", "mask"):
        if f"{key}/encoded" in decoded:
            decoded[key] = _labels(decoded.pop(f"{key}/encoded"), example)
    return decoded


def _labels(encoded: tf.Tensor, example: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Decodes a label map, uint8 [H, W]; an empty one is all zeros."""
    size = tf.stack([example["image/height"], example["image/width"]])
    is_known = tf.strings.length(encoded) > 0
    claimed = tf.cond(is_known, lambda: _claimed_size(encoded), lambda: size)
    with tf.control_dependencies([_small_enough(claimed)]):
        labels = tf.cond(
            is_known,
            lambda: tf.io.decode_png(encoded, channels=1),
            lambda: tf.zeros(tf.concat([size, [1]], 0), tf.uint8),
        )
    return tf.ensure_shape(labels[..., 0], [None, None])


def _claimed_size(encoded: tf.Tensor) -> tf.Tensor:
    """Reads the size [height, width] of a PNG or JPEG, int64, from its header."""

    def of_png() -> tf.Tensor:
        sides = tf.io.decode_raw(tf.strings.substr(encoded, 16, 8), tf.uint8)
        digits = tf.reshape(tf.cast(sides, tf.int64), [2, 4])
        return tf.reduce_sum(digits * [1 << 24, 1 << 16, 1 << 8, 1], axis=1)[::-1]

    def of_jpeg() -> tf.Tensor:
        return tf.cast(tf.image.extract_jpeg_shape(encoded)[:2], tf.int64)

    is_png = tf.strings.substr(encoded, 0, tf.minimum(8, tf.strings.length(encoded))) == _PNG
    is_png &= tf.strings.length(encoded) >= 24
    return tf.cond(is_png, of_png, of_jpeg)


def _small_enough(size: tf.Tensor) -> tf.Operation:
    most = bounds.MOST_PIXELS
    fits = tf.reduce_all((size >= 0) & (size <= most))
    fits &= size[0] <= most // tf.maximum(size[1], 1)  # their product could overflow
    return tf.debugging.Assert(fits, ["a picture declares more pixels than the limit:", size])


def _feature(key: str, feature: Feature, value: Any) -> tf.train.Feature:
    if feature.dtype == "string":
        value = np.asarray(value).item() if not isinstance(value, str | bytes) else value
        value = value.encode() if isinstance(value, str) else value
        if not isinstance(value, bytes):
            raise ValueError(f"{key} must be bytes or str, got {type(value).__name__}")
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    array = np.asarray(value)
    if array.shape != feature.shape:
        raise ValueError(f"{key} must have shape {feature.shape}, got {array.shape}")
    if feature.dtype == "int64" and array.dtype.kind not in "iub":
        raise ValueError(f"{key} must hold integers, got {array.dtype}")
    array = array.astype(_NUMPY_DTYPES[feature.dtype]).ravel()
    if feature.dtype == "int64":
        return tf.train.Feature(int64_list=tf.train.Int64List(value=array))
    if not np.isfinite(array).all():
        raise ValueError(f"{key} must be finite; if unknown, write zeros and {key}/valid = 0")
    return tf.train.Feature(float_list=tf.train.FloatList(value=array))
