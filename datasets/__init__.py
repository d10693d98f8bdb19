"""Data sets of people as TFRecords of Examples.

    import datasets

    datasets.write("data/mine", "train", examples)  # any iterable of Examples -> shards
    people = datasets.load("data/mine", "train", seed=0, epochs=1)  # a tf.data.Dataset

TensorFlow is loaded when one of these is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets.example import EXAMPLE_FEATURES
    from datasets.photographs.finder import LandmarkFinder
    from datasets.pipelines import load
    from datasets.writing import write

__all__ = ["EXAMPLE_FEATURES", "LandmarkFinder", "load", "write"]

_HOME = {
    "EXAMPLE_FEATURES": "example",
    "LandmarkFinder": "photographs.finder",
    "load": "pipelines",
    "write": "writing",
}


# Names by which code that expects Hugging Face's package of this name is recognised.
_OTHERS = ("load_dataset", "load_from_disk", "Dataset", "DatasetDict", "IterableDataset")


def __getattr__(name: str) -> Any:
    if name in _OTHERS:
        raise ImportError(
            f"datasets.{name} is Hugging Face's, but {__file__} is neural-body-fitting's "
            "package, found first inside its checkout. Run from another folder, or install "
            "the wheel (pip install . in the repository), which does not use this name."
        )
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
