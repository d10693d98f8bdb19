"""Fits bodies to points in chunks, and writes files, pictures and the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import keras
import numpy as np
from absl import flags
from tqdm import tqdm

from experiments.pages import report
from experiments.pages.report import Table
from experiments.prediction.point_files import GivenPoints, weakest
from experiments.runs.common import UserError
from experiments.runs.run_folder import RunFolder
from experiments.smplr import networks as smplr_runs
from smpl_tf import SMPL, SMPLModelData, figures, load_model_data, mesh_io
from smpl_tf.camera import Camera
from smpl_tf.files import written_aside
from smpl_tf.rotations import matrix_to_axis_angle
from smpl_tf.skeleton import SMPL_24, Skeleton
from smpl_tf.viewer import body_viewer
from smplr import SMPLR
from smplr.point_fitting import PointFit, fit_points

_CHUNK = 256  # bodies per chunk
_LISTED = 20  # bodies in the table
_PICTURE = 420  # pixels
_DEPTH = 8.0  # metres from the drawing camera to the body
_GOOD, _POOR = (70, 170, 90), (215, 90, 60)  # colours of matched and missed points
_MISSED = 0.05  # metres from which a point counts as missed


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
    """Fits bodies in chunks.

    Args:
      given: the points.
      skeleton: of the points.
      values: the script's flags.
      networks: SMPLR, or None.
      bodies: one or two.

    Returns:
      The fit, of arrays.
    """
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


def _seen(given: GivenPoints) -> np.ndarray:
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
    seen = _seen(given)
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
                f"{_mean_miss(fit, seen, i):.1f}",
                weakest(skeleton.names, fit.residuals[i]) if seen[i].any() else "",
                f"{1000 * fit.noise[i]:.1f}",
                f"{1000 * fit.joint_errors[i].mean():.1f}",
                fit.method[i],
            ]
        )
    mean_miss = 1000 * fit.residuals[seen].mean()
    numbers = [f"{1000 * value.mean():.1f}" for value in (fit.noise, fit.joint_errors)]
    rows.append([f"mean of {len(seen)}", "", f"{mean_miss:.1f}", "", *numbers, ""])
    return Table(header, rows)


def _mean_miss(fit, seen, i) -> float:
    return 1000 * float(fit.residuals[i][seen[i]].mean()) if seen[i].any() else 0.0


def draw(
    fit: PointFit,
    given: GivenPoints,
    skeleton: Skeleton,
    bodies: Sequence[SMPLModelData],
    values: flags.FlagValues,
    output: Path,
) -> list[report.Person]:
    """Writes meshes of the first bodies and draws them with their points, from front and side.

    Args:
      fit: of arrays.
      given: the points.
      skeleton: of the points.
      bodies: one or two.
      values: the script's flags.
      output: folder of the meshes, which are in the axes of the points.

    Returns:
      The people of the page.
    """
    layers = [SMPL(body) for body in bodies]
    view, seen = upright_view(fit), _seen(given)
    people = []
    for i in range(min(len(seen), values.meshes)):
        layer = layers[int(fit.gender[i] > 0)]
        posed = layer(betas=fit.betas[i], pose=fit.pose[i], translation=fit.translation[i])
        vertices = posed.vertices.numpy()
        write = {"glb": mesh_io.write_glb, "obj": mesh_io.write_obj, "ply": mesh_io.write_ply}
        output.mkdir(parents=True, exist_ok=True)
        with written_aside(output / f"body_{i:03d}.{values.mesh}") as aside:
            write[values.mesh](aside, vertices, layer.faces)
        centre = (vertices.min(0) + vertices.max(0)) / 2
        shown = (vertices - centre) @ view.T
        points = np.where(seen[i][:, None], given.points[i] - centre, np.nan) @ view.T
        targets = (fit.points[i] - centre) @ view.T
        pictures = [
            report.picture(
                label, _picture(*(one @ turn.T for one in (shown, points, targets)), layer)
            )
            for label, turn in (("front", np.eye(3)), ("from the right", _QUARTER_TURN))
        ]
        caption = (
            f"person {i}: points missed by {_mean_miss(fit, seen, i):.1f} mm, expected joint "
            f"error {1000 * fit.joint_errors[i].mean():.1f} mm"
        )
        people.append(report.Person(caption, pictures, scene=f"person {i}"))
    return people


# Rotates the front view to a view from the person's right.
_QUARTER_TURN = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])


def upright_view(fit: PointFit) -> np.ndarray:
    """Finds the rotation that shows the bodies upright and from the front.

    Up is the axis of the points' frame that is nearest to the bodies' up axis; the camera is in
    front of the first body.

    Args:
      fit: of arrays.

    Returns:
      `[3, 3]`, axes of the points to camera axes.
    """
    mean_up = fit.rotations[:, 0, :, 1].mean(axis=0)
    axis = np.argmax(np.abs(mean_up))
    up = np.sign(mean_up[axis]) * np.eye(3)[axis]
    facing = fit.rotations[0, 0, :, 2]
    away = up * (up @ facing) - facing
    if np.linalg.norm(away) < 1e-3:  # the body lies on its back or front
        away = np.roll(up, 1)
    away /= np.linalg.norm(away)
    return np.stack([np.cross(-up, away), -up, away])


def _picture(vertices, points, targets, layer) -> np.ndarray:
    """Draws a body about the origin of camera axes, and its points."""
    extent = 1.15 * np.abs(vertices[:, :2]).max() * 2
    focal = _PICTURE / extent * _DEPTH
    intrinsics = np.array([[focal, 0, _PICTURE / 2], [0, focal, _PICTURE / 2], [0, 0, 1]])
    camera = Camera(intrinsics, _PICTURE, _PICTURE)
    place = np.array([0, 0, _DEPTH])
    canvas = np.full((_PICTURE, _PICTURE, 3), 246, np.uint8)
    canvas = figures.body_over(canvas, vertices + place, layer.faces, camera, figures.PREDICTED)
    given = camera.project(points + place).numpy()
    fitted = camera.project(targets + place).numpy()
    missed = np.linalg.norm(points - targets, axis=-1) > _MISSED
    for point, target, is_missed in zip(given, fitted, missed, strict=True):
        if not np.isfinite(point).all():
            continue
        colour = _POOR if is_missed else _GOOD
        point, target = (tuple(int(round(x)) for x in one) for one in (point, target))
        cv2.line(canvas, point, target, colour, 1, cv2.LINE_AA)
        cv2.circle(canvas, point, 4, colour, -1, cv2.LINE_AA)
        cv2.circle(canvas, point, 4, (255, 255, 255), 1, cv2.LINE_AA)
    return canvas


def write_page(
    fit: PointFit,
    given: GivenPoints,
    skeleton: Skeleton,
    bodies: Sequence[SMPLModelData],
    people: Sequence[report.Person],
    values: flags.FlagValues,
    path: Path,
) -> None:
    """Writes the page of a fit.

    Args:
      fit: of arrays.
      given: the points.
      skeleton: of the points.
      bodies: one or two.
      people: from `draw`.
      values: the script's flags.
      path: the HTML file.
    """
    view = upright_view(fit)
    # The viewer has one body model; with two, the first one shows all bodies.
    roots = view @ fit.rotations[:, 0]
    shown = []
    for i in range(len(people)):
        pose = fit.pose[i].copy()
        pose[0] = matrix_to_axis_angle(roots[i]).numpy()
        shown.append(body_viewer.ViewedBody(f"person {i}", fit.betas[i], pose))
    page = report.Page(
        title="Bodies fitted to points",
        lead=(
            f"{len(given.points)} people, {skeleton.name} points of {values.points}. Green points "
            f"are matched within {1000 * _MISSED:.0f} mm, red ones are missed; lines end at the "
            "body's points."
        ),
        viewer=body_viewer.body_viewer(shown, bodies[0]) if shown else "",
        table=table(fit, given, skeleton),
        groups=[report.Group("Bodies and points", people)] if people else [],
        details=[("method", values.method), ("body", ", ".join(body.name for body in bodies))],
    )
    report.write(page, path)
