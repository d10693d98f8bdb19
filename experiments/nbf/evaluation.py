"""Errors of the fitting network on a split, per person, and of the mean pose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from absl import flags

from datasets.splits import Split
from experiments.nbf import data as nbf_data
from experiments.nbf import networks, protocols
from experiments.nbf.data import Feed
from experiments.pages.report import Table
from experiments.runs.common import UserError
from experiments.runs.run_folder import RunFolder
from nbf import FittingNetwork
from nbf.body_fitting_model import BodyFittingModel
from nbf.metrics import Batch, HeadSize, SurfaceErrors, annotated_head_size, fitting_errors

_HEAD_FEATURES = ("lsp/2d", "lsp/2d/valid")


class Metric(NamedTuple):
    """One line of the table.

    Attributes:
      key: its name in the run record, with the unit.
      label: its displayed name.
      error: the per-person error that it reduces.
      reduce: over the people; NaN for a person without labels.
      unit: of the value.
      digits: after the point.
    """

    key: str
    label: str
    error: str
    reduce: Callable[[np.ndarray], float]
    unit: str
    digits: int


METRICS = (
    Metric("err_joints3d_mm", "err_joints3D", "err_joints3d_mm", np.nanmean, "mm", 1),
    Metric("pa_mpjpe_mean_mm", "PA-MPJPE, mean", "pa_mpjpe_mm", np.nanmean, "mm", 1),
    Metric("pa_mpjpe_median_mm", "PA-MPJPE, median", "pa_mpjpe_mm", np.nanmedian, "mm", 1),
    Metric("pa_mpjpe_rigid_mm", "PA-MPJPE, rigid", "pa_mpjpe_rigid_mm", np.nanmean, "mm", 1),
    Metric("surface_mm", "surface, vertex to vertex", "surface_mm", np.nanmean, "mm", 1),
    Metric("pckh_percent", "PCKh@0.5", "pckh_percent", np.nanmean, "%", 1),
    Metric("err_quat_rad", "err_quat", "err_quat_rad", np.nanmean, "rad", 3),
    *(
        Metric(key, f"measured joints, {label}", error, reduce, "mm", 1)
        for key, label, error, reduce in (
            ("measured_pa_mpjpe_mean_mm", "PA, mean", "measured_pa_mpjpe_mm", np.nanmean),
            ("measured_pa_mpjpe_median_mm", "PA, median", "measured_pa_mpjpe_mm", np.nanmedian),
            ("measured_pa_mpjpe_rigid_mm", "PA, rigid", "measured_pa_mpjpe_rigid_mm", np.nanmean),
            ("measured_mpjpe_mm", "from the hips", "measured_mpjpe_mm", np.nanmean),
        )
    ),
)


class Evaluation(NamedTuple):
    """The results of a split, in its stored order.

    Attributes:
      split: the evaluated split.
      ids: `[N]` of the Examples.
      errors: name -> `[N]` errors of the network; NaN without labels.
      baseline: the same for the mean pose.
      betas: `[N, 10]` predicted.
      global_rotations: `[N, 24, 3, 3]` predicted, camera frame.
    """

    split: Split
    ids: list[str]
    errors: Mapping[str, np.ndarray]
    baseline: Mapping[str, np.ndarray]
    betas: np.ndarray
    global_rotations: np.ndarray

    @property
    def metrics(self) -> dict[str, float]:
        """Metric key -> value of the network, for metrics with labels."""
        return _reduced(self.errors)

    @property
    def baseline_metrics(self) -> dict[str, float]:
        """Metric key -> value of the mean pose."""
        return _reduced(self.baseline)

    @property
    def ranking(self) -> str:
        """The error that ranks people: of SMPL's joints, measured joints, or 2D joints."""
        candidates = ("err_joints3d_mm", "measured_pa_mpjpe_mm")
        known = (key for key in candidates if np.isfinite(self.errors.get(key, np.nan)).any())
        return next(known, "pckh_percent")

    @property
    def ranked_errors(self) -> np.ndarray:
        """`[N]` errors that rank people, smaller is better; NaN if unknown."""
        errors = self.errors[self.ranking]
        return 100 - errors if self.ranking == "pckh_percent" else errors


def evaluate(network: FittingNetwork, values: flags.FlagValues, split: Split) -> Evaluation:
    """Runs the network over a split.

    Args:
      network: the trained network.
      values: the flags of the run.
      split: an opened split.

    Returns:
      The evaluation.

    Raises:
      RecordError: the split is damaged.
      UserError: its parameters belong to another body.
    """
    return measure(network, values, split, networks.feed(values, held_out=True))


def measure(
    model: BodyFittingModel,
    values: flags.FlagValues,
    split: Split,
    feed: Feed,
    further: Callable[[Batch, Batch], Batch] | None = None,
) -> Evaluation:
    """Runs a model over a split.

    Args:
      model: a fitting network, or both stages in one.
      values: the flags of the fitting network's run.
      split: an opened split.
      feed: conversion for the model.
      further: (targets, predictions) of a batch -> name -> `[B]` additional errors.

    Returns:
      The evaluation.

    Raises:
      RecordError: the split is damaged.
      UserError: its parameters belong to another body, or no picture is of --protocol.
    """
    network = model.get_fitting_network()
    body = network.body.model_data
    nbf_data.check_body_of(split, body)
    protocol = protocols.protocol_of(values, body)
    measures = [tf.function(SurfaceErrors(body), reduce_retracing=True)]
    measures += [further] if further else []
    if protocol:
        feed = protocol.feed(feed)
        measures.append(protocols.MeasuredErrors(body, protocol))
    feed = feed._replace(features=(*feed.features, *_HEAD_FEATURES))
    examples = nbf_data.held_out_examples(values, split, feed)
    if protocol:
        examples = examples.filter(protocol.counts)
    predict = tf.function(model)
    head_size = HeadSize(body)

    def all_errors(true, predicted, sizes):
        found = fitting_errors(true, predicted, sizes)
        for measured in measures:
            found |= measured(true, predicted)
        return found

    ids, errors, baseline, betas, global_rotations = [], [], [], [], []
    with nbf_data.naming_damage(split):
        for batch in examples.batch(values.batch_size).prefetch(2):
            inputs, true = feed.convert(batch)
            predicted = predict(inputs)
            sizes = head_size(inputs, true)
            sizes = tf.where(tf.math.is_finite(sizes), sizes, annotated_head_size(batch))
            errors.append(all_errors(true, predicted, sizes))
            # The second stage's input is among the inputs, or among the predictions.
            mean_pose = network.mean_pose({**predicted, **inputs})
            baseline.append(all_errors(true, {**predicted, **mean_pose}, sizes))
            ids += [one.decode() for one in batch["id"].numpy()]
            betas.append(predicted["betas"])
            global_rotations.append(predicted["global_rotations"])
    if not ids:
        raise UserError(
            f"{split.directory}: no picture of split '{split.name}' is one of "
            f"--protocol={values.protocol}"
        )
    return Evaluation(
        split,
        ids,
        _join(errors),
        _join(baseline),
        np.concatenate(betas),
        np.concatenate(global_rotations),
    )


def make_record(
    run: RunFolder,
    values: flags.FlagValues,
    network: FittingNetwork,
    trained: Mapping[str, Any],
    evaluation: Evaluation,
) -> dict[str, Any]:
    """Makes the record of an evaluated run.

    Args:
      run: the run.
      values: its flags.
      network: the trained network.
      trained: facts about its training, from `checkpoints.facts`.
      evaluation: its evaluation.

    Returns:
      JSON values.
    """
    body = network.body.model_data
    content = {
        "body": {"name": body.name, "gender": body.gender, "fingerprint": body.fingerprint},
        "parameters": network.count_params(),
        **trained,
        "data": {**trained["data"], evaluation.split.name: evaluation.split.fingerprint},
        "split": evaluation.split.name,
        "people": len(evaluation.ids),
        "metrics": evaluation.metrics,
        "mean_pose_metrics": evaluation.baseline_metrics,
    }
    return run.make_record(values, content)


def table(metrics_of: Mapping[str, float], baseline: Mapping[str, float]) -> Table:
    """Makes a table of metrics next to the mean pose's.

    Args:
      metrics_of: metric key -> value of the network.
      baseline: metric key -> value of the mean pose.

    Returns:
      The table; the last column is the network's value in percent of the mean pose's.
    """
    rows = []
    for metric in METRICS:
        if metric.key not in metrics_of:
            continue
        ours, theirs = metrics_of[metric.key], baseline[metric.key]
        ratio = "" if metric.unit == "%" else f"{100 * ours / theirs:.1f} %"
        rows.append([metric.label, shown(metric, ours), shown(metric, theirs), ratio])
    return Table(["metric", "network", "mean pose", "ratio"], rows)


def shown(metric: Metric, value: float) -> str:
    """Formats a value with its unit.

    Args:
      metric: which metric.
      value: its value.

    Returns:
      The text.
    """
    return f"{value:.{metric.digits}f} {metric.unit}"


def _reduced(errors: Mapping[str, np.ndarray]) -> dict[str, float]:
    return {
        m.key: float(m.reduce(errors[m.error]))
        for m in METRICS
        if m.error in errors and np.isfinite(errors[m.error]).any()
    }


def _join(batches: list[dict[str, tf.Tensor]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
