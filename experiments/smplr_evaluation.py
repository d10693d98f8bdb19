"""Errors of a stage of SMPLR on held-out people, beside what it started from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from experiments import smplr_data, smplr_runs
from experiments.report import Table
from experiments.run_folder import RunFolder
from experiments.smplr_flags import POINT_STAGES
from smpl_tf.rotations import project_to_rotation
from smplr import PointBody, metrics
from smplr.bones import observed_points
from smplr.targets import shape_vector

_SURFACE_CHUNK = 64  # bodies whose vertices are held at once


def evaluate(model: keras.Model, values: flags.FlagValues) -> dict[str, Any]:
    """Measures a model on people that its training did not see.

    Args:
      model: of the run's stage.
      values: the flags of the run.

    Returns:
      `people`: how many; `metrics` of the model; `baseline_metrics`: of the points that went in
      (dae), of the mean body (stages that give a body), of the mean points (hourglass).

    Raises:
      RecordError: the data is missing or damaged.
    """
    body = PointBody(smplr_runs.bodies(values), dtype="float32")
    if values.stage in POINT_STAGES:
        batches = smplr_data.held_out_bodies(values, body)
    else:
        batches = smplr_data.held_out_pictures(values, body, values.test_split)
    predict = _predictor(model, values.stage)
    true, predicted = _collect((batch, predict(batch)) for batch in batches)
    return {
        "people": len(true["points"]),
        "metrics": measure(true, predicted, body),
        "baseline_metrics": measure(true, _baseline(true, predicted, values.stage), body),
    }


def _predictor(model, stage):
    """Returns the function from a batch to what the model says of it."""
    if stage == "hourglass":
        points_of = tf.function(model.points_model, reduce_retracing=True)
        return lambda batch: {"seen": points_of(batch["pictures"])}
    if stage == "dae":
        denoise = tf.function(model, reduce_retracing=True)
        return lambda batch: {"seen": denoise(observed_points(batch["seen"])[0])}
    run = tf.function(model, reduce_retracing=True)

    def predict(batch):
        if stage == "end_to_end":
            outputs = run(batch["pictures"])
        else:
            outputs = run(smplr_data.inputs_and_targets(batch, stage)[0])
        kept = {"rotations": outputs["rotations"], "shape": outputs["shape"]}
        return {**kept, "seen": outputs["points"]} if stage == "end_to_end" else kept

    return predict


def _collect(pairs) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Joins batches of (truth, prediction); pictures are not kept."""
    true: dict[str, list] = {}
    predicted: dict[str, list] = {}
    for batch, outputs in pairs:
        for name in set(batch) - {"pictures"}:
            true.setdefault(name, []).append(np.asarray(batch[name]))
        for name, value in outputs.items():
            predicted.setdefault(name, []).append(np.asarray(value))
    return tuple(
        {name: np.concatenate(parts) for name, parts in every.items()}
        for every in (true, predicted)
    )


def _baseline(true, predicted, stage) -> dict[str, np.ndarray]:
    if stage == "dae":
        return {"seen": observed_points(true["seen"])[0].numpy()}
    found = {}
    if "seen" in predicted:
        mean = np.nanmean(true["points"][:, : predicted["seen"].shape[1]], axis=0, keepdims=True)
        found["seen"] = np.repeat(mean, len(true["points"]), axis=0)
    if "rotations" in predicted:
        shape = shape_vector(true["betas"], true["gender"]).numpy()
        # What the stage is given as truth stays true in the baseline.
        mean = {
            "rotations": project_to_rotation(np.nanmean(true["rotations"], 0)).numpy(),
            "shape": np.nanmean(shape, axis=0),
        }
        given = {"pose": "shape", "shape": "rotations"}.get(stage)
        for name, value in mean.items():
            repeated = np.repeat(value[None], len(true["points"]), axis=0)
            found[name] = predicted[name] if name == given else repeated
    return found


def measure(
    true: Mapping[str, np.ndarray], predicted: Mapping[str, np.ndarray], body: PointBody
) -> dict[str, float]:
    """Computes every error that a prediction allows.

    Args:
      true: `points`, `rotations`, `betas`, `gender`.
      predicted: `seen`: points that an hourglass or an autoencoder gives; `rotations` and `shape`
        of bodies; either or both.
      body: the bodies.

    Returns:
      Name -> mean error over the people whose truth is known, the unit in the name. With both,
      the errors of `seen` are called `seen_...`.
    """
    known = np.isfinite(true["points"]).all(axis=(1, 2))
    true = {name: value[known] for name, value in true.items()}
    predicted = {name: value[known] for name, value in predicted.items()}
    found: dict[str, np.ndarray] = {}
    if "seen" in predicted:
        points = true["points"][:, : predicted["seen"].shape[1]]
        prefix = "seen_" if "rotations" in predicted else ""
        for name, values in metrics.point_errors(points, predicted["seen"]).items():
            found[prefix + name] = values
    if "rotations" in predicted:
        found |= _body_errors(true, predicted, body)
        rotations = project_to_rotation(predicted["rotations"])
        found |= metrics.rotation_errors(true["rotations"], rotations)
        found |= metrics.gender_hits(true["gender"], predicted["shape"][:, -1])
    return metrics.summary(found)


def _body_errors(true, predicted, body) -> dict[str, np.ndarray]:
    """Errors of joints, landmarks, bones and surface, a few bodies at a time."""
    surface = PointBody(body.bodies, gender_mode=body.gender_mode, surface=True, dtype="float32")
    pose = tf.function(surface, reduce_retracing=True)
    chunks = []
    for start in range(0, len(true["points"]), _SURFACE_CHUNK):
        rows = slice(start, start + _SURFACE_CHUNK)
        shape = predicted["shape"][rows]
        ours = pose(
            rotations=predicted["rotations"][rows], betas=shape[:, :-1], gender=shape[:, -1]
        )
        theirs = pose(
            rotations=true["rotations"][rows],
            betas=true["betas"][rows],
            gender=true["gender"][rows],
        )
        chunks.append(
            metrics.point_errors(theirs["points"], ours["points"])
            | metrics.surface_errors(theirs["vertices"], ours["vertices"])
        )
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def make_record(
    run: RunFolder,
    values: flags.FlagValues,
    model: keras.Model,
    state: Mapping[str, Any],
    evaluation: Mapping[str, Any],
) -> dict[str, Any]:
    """Puts the record of an evaluated run together.

    Args:
      run: the run.
      values: its flags.
      model: the trained model.
      state: of its last checkpoint.
      evaluation: from `evaluate`.

    Returns:
      JSON values.
    """
    content = {
        "stage": values.stage,
        "bodies": state["bodies"],
        "trained_parameters": sum(int(np.prod(w.shape)) for w in model.trainable_weights),
        "epochs": values.epochs,
        "training_seconds": round(state["seconds"], 1),
        "history": state["history"],
        **evaluation,
    }
    return run.make_record(values, content)


def table(record: Mapping[str, Any]) -> Table:
    """Lays the metrics of a record out beside the baseline's.

    Args:
      record: with `metrics` and `baseline_metrics`.

    Returns:
      The table.
    """
    ours, theirs = record["metrics"], record["baseline_metrics"]
    rows = [[name, f"{ours[name]:.2f}", f"{theirs[name]:.2f}"] for name in ours if name in theirs]
    return Table(["metric", record["stage"], "baseline"], rows)


def columns(names: Iterable[str], records: Mapping[str, Mapping[str, float]]) -> Table:
    """Lays several methods out side by side, one per row.

    Args:
      names: of the metrics to show.
      records: method -> metrics.

    Returns:
      The table; a metric that a method lacks is left blank.
    """
    names = list(names)
    rows = [
        [method, *(f"{found[name]:.1f}" if name in found else "" for name in names)]
        for method, found in records.items()
    ]
    return Table(["method", *names], rows)
