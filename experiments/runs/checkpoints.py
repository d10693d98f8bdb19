"""Checkpoints of a training: weights, optimiser, and all other state to continue.

`epoch_0007.weights.h5` is an ordinary Keras weight file (with the optimiser's variables in it), so
any model of the same shape can load it; `epoch_0007.json` has the rest, including the states of
dropouts, which Keras does not save. The weights get their final name last: if they exist, the pair
is complete.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras

from experiments.runs import side_files
from experiments.runs.common import UserError
from smpl_tf import keras_files
from smpl_tf.files import write_json, written_aside

_RANDOM = "random_states"  # in the JSON file
# The state of a training: name -> type.
OF_TRAINING: Mapping[str, Any] = {"seconds": (int, float), "history": dict}
_PATTERN = re.compile(r"epoch_(\d+)\.weights\.h5")


class Checkpoint(NamedTuple):
    """One saved state.

    Attributes:
      epoch: number of finished epochs.
      weights: the weight file.
      state: saved with the weights.
      random_states: of the model's random layers, in order.
    """

    epoch: int
    weights: Path
    state: dict[str, Any]
    random_states: list[list[int]]


def save(folder: Path, epoch: int, model: keras.Model, state: dict[str, Any], keep: int = 2):
    """Saves a model, and removes old checkpoints.

    Args:
      folder: where the checkpoints of the run are.
      epoch: number of finished epochs.
      model: the model, with its optimiser if it is compiled.
      state: JSON values to keep with it.
      keep: number of checkpoints to keep, this one included.

    Raises:
      OSError: the disk is full.
    """
    name = f"epoch_{epoch:04d}"
    folder.mkdir(parents=True, exist_ok=True)
    optimizer = getattr(model, "optimizer", None)  # missing before compilation
    variables = [*model.variables, *(optimizer.variables if optimizer else ())]
    size = sum(variable.numpy().nbytes for variable in variables)
    if shutil.disk_usage(folder).free < size:
        # Checked before HDF5 fails, whose files print more errors when they are freed.
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / name))
    random_states = [variable.numpy().tolist() for variable in _random_states(model)]
    write_json(folder / f"{name}.json", {**state, _RANDOM: random_states})
    with written_aside(folder / f"{name}.weights.h5") as aside:
        model.save_weights(aside)
    for old in _epochs(folder)[:-keep]:
        (folder / f"epoch_{old:04d}.weights.h5").unlink()
        (folder / f"epoch_{old:04d}.json").unlink()


def latest(folder: Path, needed: Mapping[str, Any] | None = None) -> Checkpoint | None:
    """Finds the newest checkpoint.

    Args:
      folder: where the checkpoints of the run are; it need not exist.
      needed: name -> type, required in its state; None: nothing.

    Returns:
      The checkpoint, or None.

    Raises:
      UserError: the JSON file next to the weights is unreadable.
    """
    epochs = _epochs(folder)
    if not epochs:
        return None
    name = f"epoch_{epochs[-1]:04d}"
    remedy = f"delete {name}.*; the training then continues from the previous checkpoint"
    state = side_files.read(folder / f"{name}.json", needed or {}, remedy)
    random_states = state.pop(_RANDOM, [])
    return Checkpoint(epochs[-1], folder / f"{name}.weights.h5", state, random_states)


_FACTS = ("epochs", "training_people", "training_seconds", "replicas", "data", "history")


def facts(checkpoint: Checkpoint) -> dict[str, Any]:
    """Returns the facts about the training for the run record.

    Args:
      checkpoint: the last one.

    Returns:
      Epochs, people, seconds, replicas, fingerprints of the data, and the history.
    """
    state = checkpoint.state
    values = (
        *(checkpoint.epoch, state["people"], round(state["seconds"], 1)),
        *(state.get("replicas", 1), state["data"], state["history"]),
    )
    return dict(zip(_FACTS, values, strict=True))


def facts_of_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the same as `facts`, from the record of a finished run."""
    return {name: record[name] for name in _FACTS if name in record}


def restore(checkpoint: Checkpoint, model: keras.Model) -> None:
    """Loads weights, and the optimiser's variables if the model is compiled.

    Args:
      checkpoint: to load.
      model: a built model of the same shape.

    Raises:
      UserError: the file does not fit the model.
    """
    if model.compiled and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    try:
        keras_files.check_weights(checkpoint.weights)
        model.load_weights(checkpoint.weights)
        # zip stops at the shorter one: a model without the training's random layers needs no
        # states.
        for variable, value in zip(_random_states(model), checkpoint.random_states, strict=False):
            variable.assign(value)
    except (ValueError, OSError, RuntimeError, KeyError, TypeError) as error:
        raise UserError(
            f"{checkpoint.weights}: not the weights of this network, or damaged; delete this "
            "checkpoint if there is an earlier one, otherwise the run's folder, and train again"
        ) from error


def _random_states(model: keras.Model) -> list[keras.Variable]:
    known = {id(weight) for weight in model.weights}
    return [variable for variable in model.variables if id(variable) not in known]


def _epochs(folder: Path) -> list[int]:
    if not folder.is_dir():
        return []
    found = (_PATTERN.fullmatch(path.name) for path in folder.iterdir())
    return sorted(int(match.group(1)) for match in found if match)
