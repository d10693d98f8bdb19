"""Keras callbacks of the training scripts: a checkpoint and pictures after each epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from experiments.runs import checkpoints
from experiments.runs.common import UserError
from experiments.runs.run_folder import RunFolder
from smpl_tf.files import write_json

_NAMES_SHOWN = 8


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
          earlier: "history" and "seconds" of the checkpoint that training continues from.
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


class LeaveOutUnknown(keras.callbacks.Callback):
    """Takes measures that are NaN, for want of labels, out of the logs of all callbacks after it.

    Neither the progress bar, the history, TensorBoard nor the page then shows them. Where the loss
    is not finite either the training has diverged, and all stay, to be named.
    """

    def on_train_batch_end(self, batch, logs=None):
        """Shortens a step's logs."""
        _leave_out_unknown(logs)

    def on_test_batch_end(self, batch, logs=None):
        """Shortens a step's logs."""
        _leave_out_unknown(logs)

    def on_epoch_end(self, epoch, logs=None):
        """Shortens an epoch's logs."""
        _leave_out_unknown(logs)


def _leave_out_unknown(logs):
    for prefix in ("", "val_"):
        if math.isfinite(logs.get(f"{prefix}loss", math.nan)):
            names = [name for name in logs if name.startswith("val_") == bool(prefix)]
            for name in names:
                if math.isnan(logs[name]):
                    del logs[name]


class StopAtNonFinite(keras.callbacks.Callback):
    """Stops at the first step with a loss that is not finite, and names the batch."""

    def __init__(self, run: RunFolder, name_batch: Callable[[int, int], Sequence[str]]):
        """Sets what a batch is called.

        Args:
          run: where the names of a batch are written, and where checkpoints are.
          name_batch: epoch, step -> names of the Examples; asked for that batch alone.
        """
        super().__init__()
        self._run, self._name_batch = run, name_batch

    def on_epoch_begin(self, epoch, logs=None):
        """Keeps the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        """Looks at the loss; the logs are means since the epoch began, so the first one counts."""
        if math.isfinite(logs["loss"]):
            return
        bad = [name for name, value in logs.items() if not math.isfinite(value)]
        names = list(self._name_batch(self._epoch, batch))
        where = {"epoch": self._epoch + 1, "step": batch + 1, "terms": bad, "examples": names}
        file = self._run.path / "not_finite.json"
        write_json(file, where)
        shown = ", ".join(names[:_NAMES_SHOWN])
        if len(names) > _NAMES_SHOWN:
            shown += f" and {len(names) - _NAMES_SHOWN} more in {file}"
        raise UserError(
            f"{', '.join(bad)} not finite in step {batch + 1} of epoch {self._epoch + 1}, "
            f"Examples {shown}; the checkpoint before it is kept in {self._run.checkpoints}: look "
            "at these Examples, or lower --learning_rate under another --run_name"
        )


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
