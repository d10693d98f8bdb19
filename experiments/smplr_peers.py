"""SMPLR's networks beside fits that need no training: accuracy and speed on the same bodies."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from experiments import smplr_data, smplr_evaluation, smplr_runs
from experiments.report import Table
from smplr import PointBody
from smplr.inverse_fit import InverseFit, PointModel, closed_form_fit, gradient_fit

# Points `[N, 41, 3]` -> rotations and shape.
Method = Callable[[tf.Tensor], Mapping[str, tf.Tensor]]

# Pulls towards plain poses and shapes that suit points with errors of centimetres.
_NOISY_CLOSED_FORM = {"twist_weight": 3e-3, "beta_weight": 1e-2}
_NOISY_GRADIENT = {"pose_weight": 1e-2, "beta_weight": 1e-2}
SHOWN = ("joints_23_mm", "pa_joints_mm", "landmarks_mm", "surface_mm", "rotation_deg")


def compare(
    models: Mapping[str, keras.Model], values: flags.FlagValues, count: int, kind: str
) -> list[dict]:
    """Gives the same people to every method, clean and noisy.

    Args:
      models: name -> SMPLR from points.
      values: the flags of a run: bodies and held-out people.
      count: how many people.
      kind: of noise.

    Returns:
      One dict per method and input: `method`, `points` ("clean" or the kind), `bodies_per_second`
      and the errors of `smplr_evaluation.measure`.
    """
    body = PointBody(smplr_runs.bodies(values), dtype="float32")
    values.batch_size = values.test_bodies = count
    values.test_noise = kind
    people = next(smplr_data.held_out_bodies(values, body))
    true = {name: value.numpy() for name, value in people.items()}
    found = []
    for points, seen in (("clean", people["points"]), (kind, people["seen"])):
        for name, method in _methods(models, body, noisy=points != "clean").items():
            predicted, seconds = _timed(method, seen)
            errors = smplr_evaluation.measure(true, predicted, body)
            rate = {"bodies_per_second": count / seconds}
            found.append({"method": name, "points": points, **rate, **errors})
    return found


def _methods(models, body, noisy) -> dict[str, Method]:
    def network(model, points):
        outputs = model(points, training=False)
        return {"rotations": outputs["rotations"], "shape": outputs["shape"]}

    closed_form = partial(closed_form_fit, **_NOISY_CLOSED_FORM if noisy else {})
    gradient = partial(gradient_fit, steps=200, **_NOISY_GRADIENT if noisy else {})
    return {
        **{name: partial(network, model) for name, model in models.items()},
        "closed form": partial(_best_gender, closed_form, body),
        "200 steps of gradient descent": partial(_best_gender, gradient, body),
    }


def _best_gender(fit, body: PointBody, points):
    """Fits every body and keeps for each person the one whose points come out nearer."""
    fits: list[InverseFit] = [fit(points, PointModel.of(one)) for one in body.bodies]
    misses = [tf.reduce_mean(tf.norm(one.points - points, axis=-1), axis=-1) for one in fits]
    best = tf.argmin(tf.stack(misses), axis=0)
    # The bodies stand female first.
    gender = 2.0 * tf.cast(best, tf.float32) - 1

    def pick(values):
        return tf.gather(tf.stack(values, axis=1), best, axis=1, batch_dims=1)

    betas = pick([one.betas for one in fits])
    shape = tf.concat([betas, gender[:, None]], axis=-1)
    return {"rotations": pick([one.rotations for one in fits]), "shape": shape}


def _timed(method: Method, points: tf.Tensor) -> tuple[dict[str, np.ndarray], float]:
    """Runs a method as a graph; the time is that of the faster of two runs after the first."""
    graph = tf.function(method)
    results = graph(points)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        results = {name: value.numpy() for name, value in graph(points).items()}
        seconds.append(time.perf_counter() - start)
    return results, min(seconds)


def table(found: list[dict]) -> Table:
    """Lays the methods out, one per row.

    Args:
      found: from `compare`.

    Returns:
      The table.
    """
    rows = [
        [
            f"{one['method']}, {one['points']}",
            *(f"{one[name]:.1f}" for name in SHOWN),
            f"{100 * one['gender_accuracy']:.0f} %",
            f"{one['bodies_per_second']:.0f}",
        ]
        for one in found
    ]
    return Table(["method, points", *SHOWN, "gender", "bodies/s"], rows)
