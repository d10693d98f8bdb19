import hashlib
import json
import resource
import struct
import zlib

import cv2
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from datasets import example as example_lib
from datasets.example import EXAMPLE_FEATURES


def value_of(feature):
    if feature.dtype == "string":
        return st.binary(max_size=20)
    if feature.dtype == "int64":
        return npst.arrays(np.int64, feature.shape)
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    return npst.arrays(np.float32, feature.shape, elements=finite, fill=finite)


examples = st.fixed_dictionaries({key: value_of(f) for key, f in EXAMPLE_FEATURES.items()})


@settings(derandomize=True, deadline=None, max_examples=25)
@given(examples)
def test_encode_parse_encode_keeps_every_byte(example):
    serialized = example_lib.encode(example)
    parsed = example_lib.parse(serialized)
    assert parsed.keys() == EXAMPLE_FEATURES.keys()
    for key, feature in EXAMPLE_FEATURES.items():
        assert parsed[key].shape == feature.shape
        assert parsed[key].dtype.name == feature.dtype
        np.testing.assert_array_equal(parsed[key].numpy(), example[key])
    assert example_lib.encode(parsed) == serialized


def png_of(height, width):
    """A picture of one colour, which packs a thousand to one."""
    return cv2.imencode(".png", np.zeros((height, width), np.uint8))[1].tobytes()


def claiming(encoded, height, width):
    """The same PNG, whose header says another size."""
    header = b"IHDR" + struct.pack(">II", width, height) + encoded[24:29]
    return encoded[:12] + header + struct.pack(">I", zlib.crc32(header)) + encoded[33:]


JPEG = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
FRAME = JPEG.index(b"\xff\xc0") + 5  # where a JPEG says its height and width
SIDES = {"image/height": tf.constant(8, tf.int64), "image/width": tf.constant(8, tf.int64)}


def sides(height, width):
    return {name: tf.constant(v, tf.int64) for name, v in zip(SIDES, (height, width), strict=True)}


@pytest.mark.parametrize(
    "claim",
    [
        {"parts/encoded": b"", **sides(40_000, 40_000)},
        {"parts/encoded": b"", **sides(1 << 62, 1 << 62)},
        {"parts/encoded": b"", **sides(1 << 62, 0)},
        {"parts/encoded": b"", **sides(-1, -(1 << 30))},
        {"parts/encoded": claiming(png_of(8, 8), 12_000, 12_000), **SIDES},
        {"parts/encoded": png_of(9000, 9000), **SIDES},
        {"image/encoded": png_of(9000, 9000)},
        {"image/encoded": claiming(png_of(8, 8), 12_000, 12_000)},
        {"image/encoded": JPEG[:FRAME] + struct.pack(">HH", 60_000, 60_000) + JPEG[FRAME + 4 :]},
        {"image/encoded": b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0xF0, 0, 0) + bytes(7)},
        {"image/encoded": b"\x89PNG\r\n\x1a\n"},
        {"image/encoded": b""},
    ],
)
@pytest.mark.parametrize("in_graph", [False, True])
def test_pictures_that_claim_much_are_not_decoded(claim, in_graph):
    example = {name: tf.constant(value) for name, value in claim.items()}
    decode = tf.function(example_lib.decode) if in_graph else example_lib.decode
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(example)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 16  # kB


def test_pictures_of_all_sizes_below_are_decoded():
    for height, width in ((1, 1), (300, 5), (5, 70_000)):
        encoded = tf.constant(png_of(height, width))
        decoded = example_lib.decode(
            {"image/encoded": encoded, "parts/encoded": encoded, **sides(height, width)}
        )
        assert decoded["image"].shape == (height, width, 3)
        assert decoded["parts"].shape == (height, width)
    assert example_lib.decode({"image/encoded": tf.constant(JPEG)})["image"].shape == (8, 8, 3)
    blank = example_lib.decode({"parts/encoded": tf.constant(b""), **sides(3, 5)})
    assert blank["parts"].shape == (3, 5) and not blank["parts"].numpy().any()


def test_a_change_of_the_spec_raises_its_version():
    spec = [[key, *feature[:4]] for key, feature in EXAMPLE_FEATURES.items()]
    digest = hashlib.sha256(json.dumps(spec).encode()).hexdigest()[:16]
    # Where this fails, raise SPEC_VERSION, so that old shards are refused, and note both here.
    assert {example_lib.SPEC_VERSION: digest} == {3: "25c1aa1b9c549138"}


def test_blank_is_a_whole_example_that_knows_nothing():
    parsed = example_lib.parse(example_lib.encode(example_lib.blank()))
    assert all(not np.any(parsed[key]) for key in EXAMPLE_FEATURES if key.endswith("valid"))


def test_decode_gives_the_pixels(tiny):
    serialized = next(iter(tf.data.TFRecordDataset(str(tiny / "train-00000.tfrecord"))))
    decoded = example_lib.decode(example_lib.parse(serialized))
    assert decoded["image"].shape == (8, 8, 3) and decoded["image"].dtype == tf.uint8
    assert decoded["parts"].shape == (8, 8) and decoded["parts"].numpy().max() <= 24


def test_labels_that_are_unknown_decode_to_background():
    example = example_lib.blank() | {"image/height": 3, "image/width": 5}
    example["image/encoded"] = tf.io.encode_png(np.zeros([3, 5, 3], np.uint8)).numpy()
    decoded = example_lib.decode(example_lib.parse(example_lib.encode(example)))
    np.testing.assert_array_equal(decoded["parts"], np.zeros([3, 5]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"smpl/pose": np.zeros(72)}, r"smpl/pose must have shape \(24, 3\), got \(72,\)"),
        ({"smpl/betas": np.full(10, np.nan)}, "smpl/betas must be finite"),
        ({"smpl/gender": 1.5}, "smpl/gender must hold integers, got float64"),
        ({"id": 7}, "id must be bytes or str, got int"),
        ({"smpl/poze": 0}, r"missing \[\], unknown \['smpl/poze'\]"),
    ],
)
def test_a_wrong_value_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        example_lib.encode(example_lib.blank() | change)


def test_a_missing_key_is_named():
    example = example_lib.blank()
    del example["joints/2d"]
    with pytest.raises(ValueError, match="missing .'joints/2d'.*start from .*blank"):
        example_lib.encode(example)
