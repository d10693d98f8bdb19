"""An SMPL layer in pure TensorFlow, and the geometry around it.

TensorFlow is loaded when one of the names below is first used: `smpl_tf.files` and
`smpl_tf.errors`, which every script needs to answer a mistyped flag at once, do without it. Where
Keras or TensorFlow is loaded already, the layers are too, so that saved models find them.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from smpl_tf.version import __version__ as __version__

if TYPE_CHECKING:
    from smpl_tf import rotations
    from smpl_tf.body_model import SMPL, BodyModelOutput
    from smpl_tf.measurements import measure
    from smpl_tf.mixed_gender import MixedGenderSMPL
    from smpl_tf.model_data import (
        BodyNotFoundError,
        ModelFileError,
        SMPLModelData,
        load_model_data,
        save_model_data,
    )
    from smpl_tf.skeleton_points import named_points

__all__ = [
    "SMPL",
    "BodyModelOutput",
    "BodyNotFoundError",
    "MixedGenderSMPL",
    "ModelFileError",
    "SMPLModelData",
    "load_model_data",
    "measure",
    "named_points",
    "rotations",
    "save_model_data",
]

_HOME = {
    "SMPL": "body_model",
    "BodyModelOutput": "body_model",
    "MixedGenderSMPL": "mixed_gender",
    "measure": "measurements",
    "named_points": "skeleton_points",
    **dict.fromkeys(
        (
            *("BodyNotFoundError", "ModelFileError", "SMPLModelData"),
            *("load_model_data", "save_model_data"),
        ),
        "model_data",
    ),
}


def __getattr__(name: str) -> Any:
    if name == "rotations":
        return importlib.import_module("smpl_tf.rotations")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _HOME[name] in ("body_model", "mixed_gender"):
        importlib.import_module(f"{__name__}.keras_settings").check_backend()
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


if "keras" in sys.modules or "tensorflow" in sys.modules:
    importlib.import_module("smpl_tf.mixed_gender")  # and body_model with it
