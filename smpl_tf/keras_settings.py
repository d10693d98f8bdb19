"""Checks the user's Keras settings before our layers are created."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def check_backend() -> None:
    """Rejects a Keras that does not run on TensorFlow; called before Keras is imported.

    Raises:
      ImportError: KERAS_BACKEND or keras.json names another backend, or Keras runs on one.
    """
    backend, where = _backend()
    if backend != "tensorflow":
        raise ImportError(
            f"Keras is set to the backend {backend!r} by {where}, expected tensorflow; set "
            "KERAS_BACKEND=tensorflow before Python starts"
        )


def check_channels_last() -> None:
    """Rejects Keras' channels_first setting; called before convolutions are created.

    Raises:
      ValueError: Keras is set to channels_first.
    """
    import keras  # not at the top: `check_backend` must run first

    order = keras.config.image_data_format()
    if order != "channels_last":
        raise ValueError(
            f"Keras is set to {order}, expected channels_last; change image_data_format in "
            "keras.json, or call keras.config.set_image_data_format('channels_last') first"
        )


def _backend() -> tuple[str, str]:
    """Returns the backend that Keras uses or will use, and where it is set."""
    if keras := sys.modules.get("keras"):
        if hasattr(keras, "config"):  # otherwise it is being imported right now
            return keras.config.backend(), "the Keras that is imported already"
    if named := os.environ.get("KERAS_BACKEND"):
        return named, "the variable KERAS_BACKEND"
    folder = os.environ.get("KERAS_HOME")
    file = (Path(folder) if folder else Path(os.path.expanduser("~"), ".keras")) / "keras.json"
    try:
        settings = json.loads(file.read_text("utf-8"))
        return str(settings.get("backend", "tensorflow")), str(file)
    except (OSError, ValueError, AttributeError):  # Keras ignores a damaged file, too
        return "tensorflow", str(file)
