"""Compares SMPLR's networks with non-learned fits: accuracy and speed on the same bodies."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from absl import flags
from tqdm import tqdm

from experiments.pages.report import Table
from experiments.smplr import data as smplr_data
from experiments.smplr import evaluation, networks
from smpl_tf.skeleton import SMPL_24, SMPLR_42
from smplr import PointBody, probable_fit
from smplr.bones import observed_points
from smplr.gradient_fit import gradient_fit
from smplr.inverse_fit import InverseFit

# Points `[N, 41, 3]` -> rotations and shape.
Method = Callable[[tf.Tensor], Mapping[str, tf.Tensor]]

# Errors of the points: name -> kind of noise, fraction of missing points.
INPUTS = {
    "clean": ("none", 0.0),
    "Gaussian": ("gaussian", 0.0),
    "structured": ("structured", 0.0),
    "clean, 20 % missing": ("none", 0.2),
    "structured, 20 % missing": ("structured", 0.2),
}
# The root is the origin and exact.
_ROOT_WEIGHT = 100.0
# Prior weights of pose and shape for points with errors of centimetres.
_NOISY_GRADIENT = {"pose_weight": 1e-2, "beta_weight": 1e-2}
SHOWN = ("joints_23_mm", "pa_joints_mm", "landmarks_mm", "surface_mm", "rotation_deg")


def compare(models: Mapping[str, keras.Model], values: flags.FlagValues, count: int) -> list[dict]:
    """Runs every method on the same people, clean, noisy and with missing points.

    Args:
      models: name -> SMPLR whose input is points.
      values: the flags of a run: bodies and held-out people.
      count: number of people.

    Returns:
      One dict per method and input: `method`, `points` (of `INPUTS`), `bodies_per_cpu_second` and
      the errors of `smplr_evaluation.measure`.
    """
    body = PointBody(networks.bodies(values), dtype="float32")
    values.batch_size = count
    # Traced once for clean inputs and once for noisy ones.
    methods = {
        noisy: {name: tf.function(run) for name, run in _methods(models, body, noisy).items()}
        for noisy in (False, True)
    }
    found = []
    with tqdm(total=len(INPUTS) * len(methods[True]), desc="peers", disable=None) as bar:
        for name, (kind, missing) in INPUTS.items():
            values.test_noise, values.missing_rate = kind, missing
            people = next(smplr_data.held_out_bodies(values, body))
            true = {key: value.numpy() for key, value in people.items()}
            for method, run in methods[kind != "none"].items():
                predicted, seconds = _timed(run, people["seen"])
                errors = evaluation.measure(true, predicted, body)
                rate = {"bodies_per_cpu_second": len(true["points"]) / seconds}
                found.append({"method": method, "points": name, **rate, **errors})
                bar.update()
    return found


def _methods(models, body, noisy) -> dict[str, Method]:
    def network(model, points):
        outputs = model(points, training=False)
        return {"rotations": outputs["rotations"], "shape": outputs["shape"]}

    gradient = partial(gradient_fit, steps=200, **_NOISY_GRADIENT if noisy else {})
    last = list(models.values())[-1]
    return {
        "closed form": partial(_fitted, body, refine=False),
        "closed form and Gauss-Newton": partial(_fitted, body, refine=True),
        "200 steps of gradient descent": partial(_descended, body, gradient),
        "200 steps from the networks": partial(_descended_from, body, gradient, last),
        **{name: partial(network, model) for name, model in models.items()},
        **{
            f"{name}: autoencoder, then Gauss-Newton": partial(_denoised, body, model)
            for name, model in models.items()
            if model.autoencoder is not None
        },
    }


def _rooted(points):
    """Returns points with the root prepended, and their weights."""
    rooted = tf.concat([tf.zeros_like(points[:, :1]), points], axis=1)
    weights = tf.concat([[_ROOT_WEIGHT], tf.ones(len(SMPLR_42) - 1)], axis=0)
    missing = tf.reduce_any(tf.math.is_nan(rooted), axis=-1)
    rooted = tf.where(missing[..., None], tf.zeros_like(rooted), rooted)
    return rooted, tf.where(missing, 0.0, weights)


def _fitted(body: PointBody, points, refine: bool):
    points, weights = _rooted(points)
    found = [
        probable_fit.fit_body(
            points,
            weights,
            probable_fit.point_model(one, SMPLR_42),
            probable_fit.point_model(one, SMPL_24),
            refine=refine,
        )
        for one in body.bodies
    ]
    best = probable_fit.nearest_body(found)
    shape = tf.concat([best["betas"], best["gender"][:, None]], axis=-1)
    return {"rotations": best["rotations"], "shape": shape}


def _denoised(body: PointBody, model, points):
    cleaned = model.autoencoder(observed_points(points)[0], training=False)
    return _fitted(body, cleaned, refine=True)


def _descended(body: PointBody, gradient, points, starts=None):
    points, weights = _rooted(points)
    found = []
    for one in body.bodies:
        fit = gradient(points, probable_fit.point_model(one, SMPLR_42), weights, starts)
        misses = tf.norm(fit.points - points, axis=-1) * weights
        found.append({**fit._asdict(), "cost": tf.reduce_sum(misses, axis=-1)})
    best = probable_fit.nearest_body(found)
    shape = tf.concat([best["betas"], best["gender"][:, None]], axis=-1)
    return {"rotations": best["rotations"], "shape": shape}


def _descended_from(body: PointBody, gradient, model, points):
    outputs = model(points, training=False)
    betas = outputs["shape"][:, :-1]
    start = InverseFit(outputs["rotations"], betas, tf.zeros_like(betas[:, :3]), None)
    return _descended(body, gradient, points, start)


def _timed(method: Method, points: tf.Tensor) -> tuple[dict[str, np.ndarray], float]:
    """Runs a method; the time is the shorter one of two runs after the first."""
    results = method(points)
    seconds = []
    for _ in range(2):
        start = time.process_time()
        results = {name: value.numpy() for name, value in method(points).items()}
        seconds.append(time.process_time() - start)
    return results, min(seconds)


def table(found: list[dict]) -> Table:
    """Makes a table with one method per row.

    Args:
      found: from `compare`.

    Returns:
      The table.
    """
    rows = [
        [
            f"{one['points']}: {one['method']}",
            *(f"{one[name]:.1f}" for name in SHOWN),
            f"{100 * one['gender_accuracy']:.0f} %",
            f"{one['bodies_per_cpu_second']:.0f}",
        ]
        for one in found
    ]
    return Table(["points: method", *SHOWN, "gender", "bodies / CPU s"], rows)
