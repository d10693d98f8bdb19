"""Errors of a stage of SMPLR on held-out people, compared with their input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from datasets.splits import Split, open_split
from experiments.pages.report import Table
from experiments.runs.common import UserError
from experiments.runs.run_folder import RunFolder
from experiments.smplr import data as smplr_data
from experiments.smplr import networks
from experiments.smplr.flags import POINT_STAGES
from smpl_tf.metrics import JOINT_GROUPS
from smpl_tf.rotations import project_to_rotation
from smplr import PointBody, metrics
from smplr.bones import observed_points
from smplr.targets import shape_vector
from smplr.volumes import projected_peaks

_SURFACE_CHUNK = 64  # bodies whose vertices are in memory at once
_KEPT_PICTURES = 128  # pictures of the first people for the page
_VIEWS: tuple[Literal["depth", "columns"], ...] = ("depth", "columns")  # of their volumes
# Metric -> displayed name, in the order of the table.
LABELS = {
    **{f"{group}_mm": f"{group}, mm" for group in JOINT_GROUPS},
    "joints_16_mm": "mean of 16 joints, mm",
    "joints_23_mm": "mean of 23 joints, mm",
    "landmarks_mm": "landmarks, mm",
    "bones_mm": "bone lengths, mm",
    "pa_joints_mm": "joints, protocol 2, mm",
    "pa_rigid_joints_mm": "joints, aligned without scale, mm",
    "surface_mm": "surface, mm",
    "pa_surface_mm": "surface, protocol 2, mm",
    "rotation_deg": "rotations but those of leaves, degrees",
    "leaf_rotation_deg": "rotations of leaves, degrees",
    "gender_accuracy": "gender, fraction correct",
}
# Prefix of errors of points if a body also has errors.
SEEN = "seen_"


class Evaluation(NamedTuple):
    """The results for people with known labels, in their stored order.

    Attributes:
      true: `points`, `rotations`, `betas`, `gender`; `seen` for stages whose input is points.
      predicted: predicted points `seen`, or `rotations` and `shape` of bodies, or both.
      errors: name -> `[N]`; the name contains the unit.
      baseline: the same for the input points (dae), the mean body (stages that predict a body) and
        the mean points (hourglass, and dae with a detector's points).
      pictures: uint8 `[K, S, S, 3]` of the first people; empty for stages whose input is points.
      volumes: an hourglass's of the same people: `depth` `[K, rows, columns, channels]` seen from
        the camera and `columns` `[K, rows, bins, channels]` from the side, see
        `smplr.volumes.projected_peaks`; empty for stages that get points.
      body: the bodies.
    """

    true: Mapping[str, np.ndarray]
    predicted: Mapping[str, np.ndarray]
    errors: Mapping[str, np.ndarray]
    baseline: Mapping[str, np.ndarray]
    pictures: np.ndarray
    volumes: Mapping[str, np.ndarray]
    body: PointBody


def evaluate(
    model: keras.Model, values: flags.FlagValues, split: Split | None = None
) -> Evaluation:
    """Evaluates a model on held-out people.

    Args:
      model: of the run's stage.
      values: the flags of the run.
      split: already open split of pictures; None opens that of --test_split.

    Returns:
      The evaluation.

    Raises:
      RecordError: the data is missing or damaged.
      UserError: nobody in the data has a known body.
    """
    body = PointBody(networks.bodies(values), dtype="float32")
    if values.stage in POINT_STAGES:
        batches = smplr_data.held_out_bodies(values, body)
    else:
        split = split or open_split(values.data, values.test_split)
        batches = smplr_data.held_out_pictures(values, body, split)
    predict = _predictor(model, values.stage)
    true, predicted, pictures = _collect((batch, predict(batch)) for batch in batches)
    volumes = {name: predicted.pop(name) for name in _VIEWS if name in predicted}
    if not len(true["points"]):
        raise UserError(
            f"{values.data}: no person in the split '{values.test_split}' has a known body and "
            "gender"
        )
    baseline = errors_of(true, _baseline(true, predicted, values.stage), body)
    errors = errors_of(true, predicted, body)
    return Evaluation(true, predicted, errors, baseline, pictures, volumes, body)


def _predictor(model, stage):
    """Returns the function from a batch to the model's predictions."""
    if stage == "hourglass":
        look = tf.function(lambda pictures: _seen(model(pictures)), reduce_retracing=True)
        return lambda batch: look(batch["pictures"])
    if stage == "dae":
        denoise = tf.function(model, reduce_retracing=True)
        return lambda batch: {"seen": denoise(smplr_data.inputs_and_targets(batch, stage)[0])}

    @tf.function(reduce_retracing=True)
    def run(inputs):
        outputs = model(inputs)
        kept = {"rotations": outputs["rotations"], "shape": outputs["shape"]}
        return {**kept, **_seen(outputs)} if stage == "end_to_end" else kept

    if stage == "end_to_end":
        return lambda batch: run(batch["pictures"])
    return lambda batch: run(smplr_data.inputs_and_targets(batch, stage)[0])


def _seen(outputs):
    """What an evaluation keeps of an hourglass's outputs: points, and two views of the volumes."""
    last = outputs["volumes"][:, -1]
    return {"seen": outputs["points"], **{axis: projected_peaks(last, axis) for axis in _VIEWS}}


def _collect(pairs) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """Joins batches of (truth, prediction) for people whose truth is known, and some pictures.

    The volumes that are shown with the pictures are those of as many people.
    """
    true: dict[str, list] = {}
    predicted: dict[str, list] = {}
    pictures, count = [np.zeros((0, 1, 1, 3), np.uint8)], 0
    for batch, outputs in pairs:
        known = np.isfinite(batch["points"]).all(axis=(1, 2))
        shown = "pictures" in batch and count < _KEPT_PICTURES
        if shown:
            pictures.append(np.asarray(batch["pictures"])[known].astype(np.uint8))
            count += len(pictures[-1])
        for name in set(batch) - {"pictures"}:
            true.setdefault(name, []).append(np.asarray(batch[name])[known])
        for name, value in outputs.items():
            if shown or name not in _VIEWS:
                predicted.setdefault(name, []).append(np.asarray(value)[known])
    joined = [
        {name: np.concatenate(parts) for name, parts in every.items()}
        for every in (true, predicted)
    ]
    return *joined, np.concatenate(pictures[1:] or pictures)


def _baseline(true, predicted, stage) -> dict[str, np.ndarray]:
    if stage == "dae" and "weights" not in true:
        return {"seen": observed_points(true["seen"])[0].numpy()}
    found = {}
    if "seen" in predicted:
        mean = np.nanmean(true["points"][:, : predicted["seen"].shape[1]], axis=0, keepdims=True)
        found["seen"] = np.repeat(mean, len(true["points"]), axis=0)
    if "rotations" in predicted:
        shape = shape_vector(true["betas"], true["gender"]).numpy()
        # The baseline gets the same true values as the stage.
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
    """Averages `errors_of` over the people."""
    return metrics.summary(errors_of(true, predicted, body))


def errors_of(
    true: Mapping[str, np.ndarray], predicted: Mapping[str, np.ndarray], body: PointBody
) -> dict[str, np.ndarray]:
    """Computes all errors of a prediction.

    Args:
      true: `points`, `rotations`, `betas`, `gender`.
      predicted: `seen`: points of an hourglass or an autoencoder; `rotations` and `shape` of
        bodies; either or both.
      body: the bodies.

    Returns:
      Name -> `[N]`; the name contains the unit. With both, the errors of `seen` are named
      `seen_...`.
    """
    found: dict[str, np.ndarray] = {}
    if "seen" in predicted:
        points = true["points"][:, : predicted["seen"].shape[1]]
        prefix = SEEN if "rotations" in predicted else ""
        for name, values in metrics.point_errors(points, predicted["seen"]).items():
            found[prefix + name] = values
    if "rotations" in predicted:
        found |= _body_errors(true, predicted, body)
        rotations = project_to_rotation(predicted["rotations"]).numpy()
        found |= metrics.rotation_errors(true["rotations"], rotations)
        found |= metrics.gender_hits(true["gender"], predicted["shape"][:, -1])
    return found


def _body_errors(true, predicted, body) -> dict[str, np.ndarray]:
    """Computes errors of joints, landmarks, bones and surface in chunks of bodies."""
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
    evaluation: Evaluation,
    model: keras.Model,
    state: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Puts the record of an evaluated run together.

    Args:
      run: the run.
      values: its flags.
      evaluation: of its model.
      model: the model.
      state: of its last checkpoint; None without training.

    Returns:
      JSON values.
    """
    content = {
        "stage": values.stage,
        "bodies": [one.fingerprint for one in evaluation.body.bodies],
        "people": len(evaluation.true["points"]),
        "metrics": metrics.summary(evaluation.errors),
        "baseline_metrics": metrics.summary(evaluation.baseline),
    }
    if state is not None:
        content |= {
            "trained_parameters": sum(int(np.prod(w.shape)) for w in model.trainable_weights),
            "epochs": values.epochs,
            "training_seconds": round(state["seconds"], 1),
            "replicas": state.get("replicas", 1),
            "data": state.get("data", {}),
            "history": state["history"],
        }
    return run.make_record(values, content)


def table(record: Mapping[str, Any]) -> Table:
    """Makes a table of a record's metrics next to the baseline's.

    Args:
      record: with `metrics` and `baseline_metrics`.

    Returns:
      The table; a picture stage's points come first.
    """
    ours, theirs = record["metrics"], record["baseline_metrics"]
    baseline = "noisy points" if record["stage"] == "dae" else "mean of the people"
    rows = [
        [
            ("points: " if prefix else "") + label,
            _shown(name, ours[key]),
            _shown(name, theirs[key]),
        ]
        for prefix in (SEEN, "")
        for name, label in LABELS.items()
        if (key := prefix + name) in ours and key in theirs
    ]
    return Table(["metric", record["stage"], baseline], rows)


def _shown(name, value) -> str:
    return f"{value:.3f}" if name == "gender_accuracy" else f"{value:.1f}"
