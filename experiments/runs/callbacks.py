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
    """Writes a checkpoint after each epoch, and stops if a number is not finite.

    Attributes:
      history: log name -> one value per finished epoch.
      seconds: of training, earlier starts included.
    """

    def __init__(self, folder: Path, earlier: dict[str, Any], facts: dict[str, Any]):
        """Continues from an earlier state.

        Args:
          folder: for checkpoints.
          earlier: "history" and "seconds" of the checkpoint to continue from.
          facts: additional JSON values for every checkpoint.
        """
        super().__init__()
        self.history = {name: list(values) for name, values in earlier["history"].items()}
        self.seconds = earlier["seconds"]
        self._folder, self._facts = folder, facts

    def on_train_begin(self, logs=None):
        """Starts the clock."""
        self._started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        """Records the epoch's logs and saves."""
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
    """Removes metrics that are NaN, without labels, from the logs of all later callbacks.

    The progress bar, the history, TensorBoard and the page then do not show them. If the loss is
    not finite either, the training has diverged, and all are kept for the message.
    """

    def on_train_batch_end(self, batch, logs=None):
        """Filters a step's logs."""
        _leave_out_unknown(logs)

    def on_test_batch_end(self, batch, logs=None):
        """Filters a step's logs."""
        _leave_out_unknown(logs)

    def on_epoch_end(self, epoch, logs=None):
        """Filters an epoch's logs."""
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
        """Sets the naming of batches.

        Args:
          run: its folder gets the names; has the checkpoints.
          name_batch: (epoch, step) -> names of the Examples; called only for the bad batch.
        """
        super().__init__()
        self._run, self._name_batch = run, name_batch

    def on_epoch_begin(self, epoch, logs=None):
        """Stores the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        """Checks the loss; logs are means over the epoch so far, so the first bad step counts."""
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
        """Sets the drawing function.

        Args:
          folder: of the event file.
          draw: returns name -> `[N, H, W, 3]` uint8 pictures with the current network.
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
