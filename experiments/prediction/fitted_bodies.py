"""Fits bodies to points in chunks, and lists and writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from absl import flags
from tqdm import tqdm

from experiments.pages.report import Table
from experiments.prediction.point_files import GivenPoints, weakest
from experiments.runs.common import UserError
from experiments.runs.run_folder import RunFolder
from experiments.smplr import networks as smplr_runs
from smpl_tf import SMPLModelData, load_model_data
from smpl_tf.files import written_aside
from smpl_tf.skeleton import SMPL_24, Skeleton
from smplr import SMPLR, fit_sequence
from smplr.point_fitting import PointFit, fit_points

_CHUNK = 256  # bodies per chunk
_LISTED = 20  # bodies in the table


def load(
    values: flags.FlagValues, run: RunFolder | None
) -> tuple[keras.Model | None, list[SMPLModelData]]:
    """Loads the networks of a run, and the bodies.

    Args:
      values: the script's flags.
      run: of the networks, or None.

    Returns:
      The networks or None; one body, or a female and a male one.

    Raises:
      UserError: if the run has no networks from points to bodies.
    """
    if run is not None:
        model, stage = smplr_runs.load_model(run)
        if not isinstance(model, SMPLR) or model.hourglass is not None:
            raise UserError(
                f"{run.path}: its stage {stage} has no Ω and Ψ from points; give a run of "
                "--stage=pose_shape"
            )
        return model, list(model.body.bodies)
    if values.body_model:
        return None, [load_model_data(values.body_model)]
    genders = ("female", "male") if values.gender == "nearer" else (values.gender,)
    return None, [load_model_data(gender=gender) for gender in genders]


def fit(
    given: GivenPoints,
    skeleton: Skeleton,
    values: flags.FlagValues,
    networks: keras.Model | None,
    bodies: Sequence[SMPLModelData],
) -> PointFit:
    """Fits bodies in chunks, or with --sequence one body over time.

    Args:
      given: the points.
      skeleton: of the points.
      values: the script's flags.
      networks: SMPLR, or None.
      bodies: one or two.

    Returns:
      The fit, of arrays.
    """
    if values.sequence:
        weights = given.weights
        points = given.points.astype(np.float32)
        found = fit_sequence(points, skeleton, values.frame_rate, weights, body=bodies)
        return PointFit(*(np.asarray(value) for value in found))
    chunks = []
    with tqdm(total=len(given.points), desc="fit", unit="body", disable=None) as bar:
        for start in range(0, len(given.points), _CHUNK):
            rows = slice(start, start + _CHUNK)
            weights = None if given.weights is None else given.weights[rows]
            chunk = fit_points(
                given.points[rows].astype(np.float32),
                skeleton,
                weights,
                method=values.method,
                body=bodies,
                networks=networks,
                camera_axes=values.camera_axes,
            )
            chunks.append([np.asarray(value) for value in chunk])
            bar.update(len(chunk.betas))
    return PointFit(*(np.concatenate(parts) for parts in zip(*chunks, strict=True)))


def seen_points(given: GivenPoints) -> np.ndarray:
    """Which points are given, bool `[N, P]`."""
    seen = np.isfinite(given.points).all(axis=-1)
    return seen if given.weights is None else seen & (given.weights > 0)


def write_parameters(fit: PointFit, given: GivenPoints, skeleton: Skeleton, path: Path) -> None:
    """Writes all arrays of a fit, with the names of points and joints.

    Args:
      fit: of arrays.
      given: the points.
      skeleton: of the points.
      path: the NPZ file.
    """
    arrays = fit._asdict()
    names = {"point_names": np.array(skeleton.names), "joint_names": np.array(SMPL_24.names)}
    with written_aside(path) as aside, open(aside, "wb") as file:
        np.savez(file, **arrays, **names, given_points=given.points)


def table(fit: PointFit, given: GivenPoints, skeleton: Skeleton) -> Table:
    """Makes a table of the first bodies and the mean.

    Args:
      fit: of arrays.
      given: the points.
      skeleton: of the points.

    Returns:
      The table; millimetres.
    """
    seen = seen_points(given)
    header = [
        *("person", "points", "mean miss, mm", "largest miss", "noise, mm"),
        *("expected error, mm", "method"),
    ]
    rows = []
    for i in range(min(len(seen), _LISTED)):
        rows.append(
            [
                str(i),
                f"{seen[i].sum()} of {len(skeleton)}",
                f"{mean_miss(fit, seen, i):.1f}",
                weakest(skeleton.names, fit.residuals[i]) if seen[i].any() else "",
                f"{1000 * fit.noise[i]:.1f}",
                f"{1000 * fit.joint_errors[i].mean():.1f}",
                fit.method[i],
            ]
        )
    mean = 1000 * fit.residuals[seen].mean()
    numbers = [f"{1000 * value.mean():.1f}" for value in (fit.noise, fit.joint_errors)]
    rows.append([f"mean of {len(seen)}", "", f"{mean:.1f}", "", *numbers, ""])
    return Table(header, rows)


def mean_miss(fit: PointFit, seen: np.ndarray, i: int) -> float:
    """How far body `i` misses the points that were seen, millimetres."""
    return 1000 * float(fit.residuals[i][seen[i]].mean()) if seen[i].any() else 0.0
