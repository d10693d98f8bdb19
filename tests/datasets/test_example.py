import hashlib
import json

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


def test_a_change_of_the_spec_raises_its_version():
    spec = [[key, *feature[:4]] for key, feature in EXAMPLE_FEATURES.items()]
    digest = hashlib.sha256(json.dumps(spec).encode()).hexdigest()[:16]
    # Where this fails, raise SPEC_VERSION, so that old shards are refused, and note both here.
    assert {example_lib.SPEC_VERSION: digest} == {2: "8407769d49582c75"}


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
