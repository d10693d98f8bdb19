"""Trained models by name or folder: shared by `from_pretrained` of nbf and smplr."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from smpl_tf import keras_files
from smpl_tf.errors import one_line
from smpl_tf.model_data import BodyNotFoundError

MODEL_FILE = "model.keras"
_HERE = Path(__file__).resolve().parents[1]
# A wheel keeps experiments inside neural_body_fitting (setup.py says why).
_WHEEL = _HERE / "neural_body_fitting" / "experiments" / "pretrained"
SHIPPED = _WHEEL if _WHEEL.is_dir() else _HERE / "experiments" / "pretrained"
"""The folder of the trained runs that come with the library."""


class ModelNotFoundError(ValueError):
    """A name or folder has no trained model; the one-line message lists the names."""


def find_model(name: str | Path, shipped: Mapping[str, str]) -> Path:
    """Finds the file of a trained model.

    Args:
      name: one of `shipped`, a run folder, or a `.keras` file.
      shipped: name -> folder in SHIPPED.

    Returns:
      The `.keras` file.

    Raises:
      ModelNotFoundError: it is not found.
    """
    path = SHIPPED / shipped[str(name)] if str(name) in shipped else Path(name)
    if path.suffix != ".keras":
        path = path / MODEL_FILE
    if not path.is_file():
        raise ModelNotFoundError(
            f"{path}: no trained model; expected the folder of a finished run, a .keras file, or "
            f"one of the names {', '.join(shipped)}"
        )
    return path


def load_model(path: str | Path, kind: type) -> Any:
    """Loads a saved model of this library.

    Args:
      path: the `.keras` file.
      kind: its expected class.

    Returns:
      The model, not compiled.

    Raises:
      BodyNotFoundError: its body cannot be found.
      ValueError: the file is damaged, or holds a model of another kind.
    """
    try:
        with keras_files.checked(path):
            model = keras.saving.load_model(path, compile=False)
    except BodyNotFoundError:
        raise
    except Exception as error:  # Keras raises many kinds of errors on damaged archives
        raise ValueError(
            f"{path}: not a saved {kind.__name__}, or damaged ({one_line(error)[:200]}); train it "
            "again, or get a whole copy"
        ) from error
    if not isinstance(model, kind):
        raise ValueError(f"{path}: expected a {kind.__name__}, got a {type(model).__name__}")
    return model
