"""Trains NBF as one of several workers, in float64, and may kill itself; for test_distribution.py.

    python tests/experiments/runs/worker.py MOMENT FLAGS...

MOMENT is `never`, `step:EPOCH` (in the middle of an epoch, counted from 1), `all:EPOCH` (there,
with all workers), `between:EPOCH` (after it, before the next) or `write:EPOCH` (while its
checkpoint is written).
"""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import keras  # noqa: E402

from experiments.nbf.flags import define_run_flags  # noqa: E402
from experiments.runs import common, training  # noqa: E402


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def arrange_death(moment):
    """Changes what a training calls at a moment, so that it dies there."""
    from experiments.runs import callbacks

    kind, _, epoch = moment.partition(":")
    if kind in ("step", "all"):

        def on_train_batch_begin(self, batch, logs=None):
            if self._epoch == int(epoch) - 1 and batch == 1:
                os.killpg(os.getpgrp(), signal.SIGKILL) if kind == "all" else die()

        callbacks.StopAtNonFinite.on_train_batch_begin = on_train_batch_begin
    elif kind == "between":
        keep = callbacks.StopAtNonFinite.on_epoch_begin

        def on_epoch_begin(self, number, logs=None):
            if number == int(epoch):
                die()
            keep(self, number, logs)

        callbacks.StopAtNonFinite.on_epoch_begin = on_epoch_begin
    elif kind == "write":
        save = keras.Model.save_weights

        def save_weights(self, path, **kwargs):
            save(self, path, **kwargs)
            if f"epoch_{int(epoch):04d}" in Path(path).name:
                os.truncate(path, os.path.getsize(path) // 2)
                die()

        keras.Model.save_weights = save_weights


def main(values):
    """Trains; an evaluation would need float32."""
    with training.opened(values) as opened:
        from experiments.nbf import stages
        from experiments.nbf import training as nbf_training

        arrange_death(MOMENT)
        nbf_training.train(opened, values, stages.stage_of(values))


if __name__ == "__main__":
    # Float32 rounds otherwise in each grouping of a sum, and Adam makes that as large as a step.
    keras.config.set_floatx("float64")
    MOMENT = sys.argv.pop(1)
    sys.exit(common.run(main, define_run_flags))
