"""Keras callbacks of the training scripts: a checkpoint and pictures after each epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from experiments import checkpoints
from experiments.common import UserError


class SaveEpochs(keras.callbacks.Callback):
    """Writes a checkpoint after each epoch, and refuses to go on with numbers that are not finite.

    Attributes:
      history: log name -> one value per finished epoch.
      seconds: spent training, earlier starts included.
    """

    def __init__(self, folder: Path, earlier: dict[str, Any], facts: dict[str, Any]):
        """Goes on from an earlier state.

        Args:
          folder: where checkpoints go.
          earlier: "history" and "seconds" of the checkpoint that training goes on from.
          facts: JSON values that every checkpoint holds besides.
        """
        super().__init__()
        self.history = {name: list(values) for name, values in earlier["history"].items()}
        self.seconds = earlier["seconds"]
        self._folder, self._facts = folder, facts

    def on_train_begin(self, logs=None):
        """Starts the clock."""
        self._started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        """Keeps the epoch's logs and saves."""
        logs = {name: float(value) for name, value in logs.items()}
        bad = [name for name, value in logs.items() if not math.isfinite(value)]
        if bad:
            raise UserError(
                f"{', '.join(bad)} not finite in epoch {epoch + 1}; the checkpoint before it is "
                f"kept in {self._folder}: lower --learning_rate under another --run_name"
            )
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
        now = time.monotonic()
        self.seconds += now - self._started
        self._started = now
        state = {"history": self.history, "seconds": self.seconds, **self._facts}
        checkpoints.save(self._folder, epoch + 1, self.model, state)


class LogPictures(keras.callbacks.Callback):
    """Writes pictures to TensorBoard after each epoch."""

    def __init__(self, folder: Path, draw: Callable[[], dict[str, np.ndarray]]):
        """Sets what is drawn.

        Args:
          folder: of the event file.
          draw: gives name -> `[N, H, W, 3]` uint8 pictures of the network as it is.
        """
        super().__init__()
        self._folder, self._draw = folder, draw

    def on_train_begin(self, logs=None):
        """Opens the event file."""
        self._writer = tf.summary.create_file_writer(str(self._folder))

    def on_epoch_end(self, epoch, logs=None):
        """Draws."""
        with self._writer.as_default():
            for name, pictures in self._draw().items():
                tf.summary.image(name, pictures, step=epoch, max_outputs=len(pictures))
        self._writer.flush()

    def on_train_end(self, logs=None):
        """Closes the event file."""
        self._writer.close()
