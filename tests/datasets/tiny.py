"""A data set of tiny Examples, for the tests of records and pipelines."""

import cv2
import numpy as np

from datasets import example as example_lib
from datasets import manifests


def numbered_example(index, size=8):
    """A tiny whole Example that differs from every other one."""
    rng = np.random.default_rng(index)
    example = example_lib.blank()
    for key, feature in example_lib.EXAMPLE_FEATURES.items():
        if feature.dtype == "float32":
            example[key] = rng.normal(size=feature.shape).astype(np.float32)
        elif key.endswith("valid"):
            example[key] = rng.integers(0, 2, feature.shape)
    picture = rng.integers(0, 255, (size, size, 3), dtype=np.uint8)
    labels = rng.integers(0, 25, (size, size), dtype=np.uint8)
    example.update(
        {
            "id": f"tiny/{index:04d}",
            "source": "tiny",
            "image/encoded": cv2.imencode(".png", picture)[1].tobytes(),
            "image/height": size,
            "image/width": size,
            "parts/encoded": cv2.imencode(".png", labels)[1].tobytes(),
            "parts/valid": 1,
        }
    )
    return example


def numbered_examples(start, stop):
    return (numbered_example(index) for index in range(start, stop))


def tiny_manifest(num_items=10, items_per_shard=4, split="train", **changes):
    fields = {"dataset": "tiny", "bodies": {"neutral": "abc"}, "config": {"sizes": (8, 8)}}
    fields |= {"split": split, "num_items": num_items, "items_per_shard": items_per_shard}
    return manifests.Manifest(**fields | changes)
