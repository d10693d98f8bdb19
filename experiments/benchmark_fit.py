"""Compares fitting bodies to points: `fit_points`, eager code, and Adam through smplx.

    python experiments/benchmark_fit.py --output=fit.json

The points are those of SMPLR's 42 on known bodies of the pose sampler. The implementations run
alternately, round after round; numbers are medians, ratios the medians of the rounds' ratios, in
CPU time of one thread each. Adam starts from the torso's Procrustes fit and runs --iterations
through smplx (`pip install -e '.[bench]'`), a typical loop without this library. 10 minutes.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

if __name__ == "__main__":  # run by path: the repository's packages come before all others
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.runs import common
from experiments.runs.flag_definer import FlagDefiner
from smpl_tf.files import write_json

OURS, EAGER, ADAM = "fit_points", "fit_points, eager", "smplx and Adam"
_RATE = 0.05  # of Adam, a usual value; not tuned
_DISTANCE = np.float32([0.2, 0.1, 3.0])


class Truth(NamedTuple):
    """Bodies to find.

    Attributes:
      points: metres, `[N, 42, 3]`.
      joints: SMPL's, `[N, 24, 3]`.
    """

    points: np.ndarray
    joints: np.ndarray


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: where the flags are added.
    """
    f = FlagDefiner(values)
    f.strings("batches", ["1", "32", "256"], "Numbers of bodies fitted at once.")
    f.integer("rounds", 5, "Number of rounds; contestants alternate.", 1)
    f.integer("iterations", 100, "Number of Adam's iterations.", 1)
    f.number("noise", 0.0, "Standard deviation of the points' coordinates, metres.")
    f.string("output", None, "JSON file to write the numbers to.")


def main(values) -> None:
    """Fits, times and prints.

    Args:
      values: the flags.
    """
    # One thread for each framework; read when they are loaded.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
    if importlib.util.find_spec("torch"):
        # Adam loads it and Triton with it, whose library crashes if TensorFlow's is there before.
        importlib.import_module("torch._dynamo")
    tf = common.load_tensorflow()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from experiments.pages.report import Table

    record, rows = [], []
    for batch in map(int, values.batches):
        truth = _truth(batch, values.noise)
        with tempfile.TemporaryDirectory() as folder:
            calls = _contestants(truth, values.iterations, Path(folder))
            times: dict[str, list[float]] = {name: [] for name in calls}
            errors, first = {}, {}
            for turn in range(values.rounds + 1):
                for name, call in calls.items():
                    start = time.process_time()
                    joints = call()
                    seconds = time.process_time() - start
                    if turn:
                        times[name].append(seconds)
                    else:
                        first[name] = seconds
                    errors[name] = 1000 * np.linalg.norm(joints - truth.joints, axis=-1).mean()
        for name in calls:
            median = float(np.median(times[name]))
            ratio = float(np.median(np.array(times[name]) / np.array(times[OURS])))
            record.append(
                {
                    "batch": batch,
                    "name": name,
                    "cpu_ms": 1000 * median,
                    "first_cpu_ms": 1000 * first[name],
                    "bodies_per_second": batch / median,
                    "times_slower": ratio,
                    "joint_error_mm": float(errors[name]),
                }
            )
            rows.append(
                [
                    f"{name}, {batch}",
                    *(f"{1000 * one:,.0f} ms" for one in (median, first[name])),
                    f"{batch / median:,.1f}",
                    f"{ratio:.1f}",
                    f"{errors[name]:.2f} mm",
                ]
            )
        print(f"{batch} bodies: done", file=sys.stderr)
    header = ["", "CPU", "first call", "bodies/s", f"times {OURS}", "joints' error"]
    print(Table(header, rows))
    if values.output:
        write_json(Path(values.output), record)


def _truth(count: int, noise: float) -> Truth:
    from smpl_tf import SMPL, named_points

    rng = np.random.default_rng(0)
    pose = rng.normal(0, 0.25, (count, 24, 3)).astype(np.float32)
    pose[:, 0] = rng.normal(size=(count, 3))
    betas = rng.normal(size=(count, 10)).astype(np.float32)
    smpl = SMPL()
    body = smpl(betas=betas, pose=pose, translation=_DISTANCE)
    points = named_points(body, "smplr_42", smpl).numpy()
    noisy = points + rng.normal(0, 1, points.shape) * noise
    return Truth(noisy.astype(np.float32), body.joints.numpy())


def _contestants(truth: Truth, iterations: int, folder: Path) -> dict[str, Callable]:
    """Name -> call that fits and returns joints `[N, 24, 3]`."""
    import tensorflow as tf

    from smpl_tf import load_model_data
    from smpl_tf.skeleton import SMPL_24, SMPLR_42
    from smplr import fit_points
    from smplr.probable_fit import fit_body, point_model

    models = [point_model(load_model_data(), one) for one in (SMPLR_42, SMPL_24)]
    points = tf.constant(truth.points)
    weights = tf.ones(points.shape[:2])

    def eager():
        fit = fit_body(points, weights, *models)
        global_rotations = relative_to_global(fit["rotations"], models[1].parents)
        rest = models[1].rest_sources(fit["rotations"], fit["betas"])
        posed = models[1].pose(rest, global_rotations).joints
        return (posed + fit["pelvis"][:, None]).numpy()

    from smpl_tf.kinematics import relative_to_global

    calls = {
        OURS: lambda: fit_points(truth.points, method="optimise").joints.numpy(),
        EAGER: eager,
    }
    if importlib.util.find_spec("smplx") and importlib.util.find_spec("torch"):
        calls[ADAM] = _adam(truth, iterations, folder, models[0])
    return calls


def _adam(truth: Truth, iterations: int, folder: Path, point_model) -> Callable:
    """Runs the loop through smplx, including its initialisation."""
    import smplx
    import tensorflow as tf
    import torch

    from experiments.benchmarks import peers
    from smpl_tf import load_model_data
    from smpl_tf.rotations import matrix_to_axis_angle
    from smpl_tf.skeleton import SMPLR_42
    from smplr.inverse_fit import torso_placed

    torch.set_num_threads(1)
    data = load_model_data()
    peers.write_pickle(data, folder / "SMPL_NEUTRAL.pkl")
    count = len(truth.points)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = smplx.SMPL(str(folder), gender="neutral", batch_size=count)
    ids = torch.tensor(np.int64(data.landmark_ids(SMPLR_42.names[24:])))
    points = torch.tensor(truth.points)

    def call():
        given = tf.constant(truth.points)
        root, place = torso_placed(given, tf.ones(given.shape[:2]), point_model)
        pose = torch.zeros(count, 72)
        pose[:, :3] = torch.tensor(matrix_to_axis_angle(root).numpy())
        # smplx's pelvis is not at the origin; the mean body's is as good as any to start from.
        mean_pelvis = torch.tensor(np.float32(point_model.template[0]))
        parameters = [pose, torch.zeros(count, 10), torch.tensor(place.numpy()) - mean_pelvis]
        parameters = [one.requires_grad_() for one in parameters]
        adam = torch.optim.Adam(parameters, lr=_RATE)
        for _ in range(iterations):
            adam.zero_grad()
            body = model(
                betas=parameters[1],
                body_pose=parameters[0][:, 3:],
                global_orient=parameters[0][:, :3],
                transl=parameters[2],
            )
            seen = torch.cat([body.joints[:, :24], body.vertices[:, ids]], dim=1)
            # Summed over people, so that each one is optimised independently.
            torch.square(seen - points).sum().backward()
            adam.step()
        with torch.no_grad():
            body = model(
                betas=parameters[1],
                body_pose=parameters[0][:, 3:],
                global_orient=parameters[0][:, :3],
                transl=parameters[2],
            )
        return body.joints[:, :24].numpy()

    return call


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
