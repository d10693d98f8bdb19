"""Checks untrusted `.keras` and weight files before Keras opens them.

Keras' safe_mode rejects lambdas, but builds any layer that a configuration names, of any size, and
some layers read or download files. Here only the classes that networks need are allowed, and no
more weights are created than the file has numbers for.
"""

from __future__ import annotations

import math
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import keras

from smpl_tf import bounds, file_kinds, hdf5_files, json_files

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_MEMBERS = ("metadata.json", _CONFIG, _WEIGHTS)
_OWN_PACKAGES = ("smpl_tf", "nbf", "smplr")
_LAYERS = frozenset(
    {
        *("InputLayer", "Functional", "Sequential", "Dense", "Conv1D", "Conv2D", "Conv3D"),
        *("Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D", "BatchNormalization"),
        *("LayerNormalization", "GroupNormalization", "UnitNormalization", "Normalization"),
        *("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "Dropout"),
        *("SpatialDropout2D", "GaussianNoise", "GaussianDropout", "Add", "Subtract", "Multiply"),
        *("Average", "Maximum", "Minimum", "Concatenate", "Flatten", "Reshape", "Permute"),
        *("ZeroPadding2D", "Cropping2D", "UpSampling2D", "Resizing", "Rescaling"),
        *("MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D"),
        *("MultiHeadAttention", "Identity"),
    }
)
_MODULES_OF_LAYERS = (
    *("keras", "keras.layers", "keras.models", "keras.src.models.functional"),
    "keras.src.models.sequential",
)
# Modules of Keras whose classes and functions neither read files nor hold arrays.
_HARMLESS_MODULES = (
    *("keras.initializers", "keras.regularizers", "keras.constraints", "keras.activations"),
)
_HARMLESS_CLASSES = ("DTypePolicy", "__keras_tensor__", "__ellipsis__", "__slice__")
# Numbers under these keys are sizes of tensors that are never created, or random seeds.
_UNBOUNDED = frozenset(
    {
        *("shape", "batch_shape", "batch_input_shape", "build_config", "seed", "vertex_ids"),
        "shared_object_id",
    }
)
_EXPANSION = 64  # bytes of weights per byte of the file; our compressed files have 4
_SPARE_NUMBERS = 1 << 16  # weights that are created but not stored, such as dropout's seeds
_LOCK = threading.RLock()


def check_weights(path: str | Path) -> int:
    """Checks a `.weights.h5` or `.keras` file.

    Args:
      path: the file.

    Returns:
      The number of its weights.

    Raises:
      ValueError: it refers to other files, or claims more than it can hold.
    """
    file_kinds.check_ordinary(path)
    if not zipfile.is_zipfile(path):
        with h5py.File(path, "r") as file:
            return _count(file, Path(path).stat().st_size)
    with zipfile.ZipFile(path) as archive:
        _check_members(archive)
        return _count_weights(archive)


@contextmanager
def checked(path: str | Path) -> Iterator[None]:
    """Checks a `.keras` file, and lets no more weights be created than it has numbers for.

    Args:
      path: the file.

    Yields:
      Nothing; load the file inside.

    Raises:
      ValueError: it names classes or functions that networks do not need, refers to other files,
        or claims more than it can hold; also inside the block.
    """
    with file_kinds.open_file(path) as file, zipfile.ZipFile(file) as archive:
        _check_members(archive)
        with archive.open(_CONFIG) as member:
            config = json_files.parse(member.read(bounds.MOST_SIDE_FILE_BYTES + 1))
        if not isinstance(config, dict):
            raise ValueError(f"{_CONFIG} is not an object")
        config.pop("compile_config", None)  # never read: nothing is compiled
        _check_config(config, bounded=True)
        most = _count_weights(archive) + _SPARE_NUMBERS
    with _no_more_weights_than(most):
        yield


@contextmanager
def _no_more_weights_than(most: int) -> Iterator[None]:
    made = 0
    with _LOCK:
        add_weight = keras.layers.Layer.add_weight

        def add_counted(layer: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal made
            shape = kwargs.get("shape", args[0] if args and isinstance(args[0], tuple) else ())
            made += math.prod(shape or ())
            bounds.check(made, most, f"weights, of which the file holds {most - _SPARE_NUMBERS}")
            return add_weight(layer, *args, **kwargs)

        keras.layers.Layer.add_weight = add_counted
        try:
            yield
        finally:
            keras.layers.Layer.add_weight = add_weight


def _check_members(archive: zipfile.ZipFile) -> None:
    for one in archive.infolist():
        if one.filename not in _MEMBERS:
            raise ValueError(f"holds {one.filename[:60]!r}; a network needs {', '.join(_MEMBERS)}")
        if one.filename == _WEIGHTS and one.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{_WEIGHTS} is compressed; Keras stores it uncompressed")
        if one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(
                f"{one.filename} is compressed by method {one.compress_type}, expected 0 or 8 "
                "(stored, deflated); save the network again with Keras"
            )
        most = 4 * bounds.MOST_WEIGHTS
        if one.filename != _WEIGHTS:
            most = bounds.MOST_SIDE_FILE_BYTES
        bounds.check(one.file_size, most, f"bytes of {one.filename}")


def _count_weights(archive: zipfile.ZipFile) -> int:
    size = archive.getinfo(_WEIGHTS).file_size
    with archive.open(_WEIGHTS) as member, h5py.File(member, "r") as file:
        return _count(file, size)


def _count(file: h5py.File, size: int) -> int:
    numbers = hdf5_files.check_tree(file, bounds.MOST_WEIGHTS)
    bounds.check(numbers, _EXPANSION * size, f"weights in {size} bytes")
    return numbers


def _check_config(value: Any, bounded: bool) -> None:
    """Rejects unknown classes and settings that are too large."""
    if isinstance(value, dict):
        if "class_name" in value:
            _check_class(value)
        if value.get("backbone_weights"):
            raise ValueError("names a file of weights; a saved network holds its own")
        for key, inner in value.items():
            _check_config(inner, bounded and key not in _UNBOUNDED)
    elif isinstance(value, list):
        for inner in value:
            _check_config(inner, bounded)
    elif isinstance(value, int) and bounded:
        bounds.check(abs(value), bounds.LARGEST_SETTING, "in one of its settings")


def _check_class(value: dict[str, Any]) -> None:
    name, module = str(value["class_name"]), str(value.get("module"))
    registered = value.get("registered_name")
    if name == "function":
        name = str(value.get("config"))
    elif isinstance(registered, str) and keras.saving.get_registered_object(registered):
        return  # ours, or registered by the user's own program
    if name in _HARMLESS_CLASSES or module in _HARMLESS_MODULES:
        return
    if module in _MODULES_OF_LAYERS and name in _LAYERS:
        return
    if module.split(".")[0] in _OWN_PACKAGES:
        raise ValueError(f"needs {module[:40]}.{name[:40]}, which this version does not have")
    raise ValueError(f"names {module[:40]}.{name[:40]}, which none of our networks uses")
