"""The pictures, meshes and page of bodies fitted to points."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from absl import flags

from experiments.pages import report
from experiments.prediction.fitted_bodies import mean_miss, seen_points, table
from experiments.prediction.point_files import GivenPoints
from smpl_tf import SMPL, SMPLModelData, figures, mesh_io
from smpl_tf.camera import Camera
from smpl_tf.files import written_aside
from smpl_tf.rotations import matrix_to_axis_angle
from smpl_tf.skeleton import Skeleton
from smpl_tf.viewer import body_viewer
from smplr.point_fitting import PointFit

_PICTURE = 420  # pixels
_DEPTH = 8.0  # metres from the drawing camera to the body
_GOOD, _POOR = (70, 170, 90), (215, 90, 60)  # colours of matched and missed points
_MISSED = 0.05  # metres from which a point counts as missed


def draw(
    fit: PointFit,
    given: GivenPoints,
    skeleton: Skeleton,
    bodies: Sequence[SMPLModelData],
    values: flags.FlagValues,
    output: Path,
) -> list[report.Person]:
    """Writes meshes and draws the first bodies with their points, from the front and the side.

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
    view, seen = upright_view(fit), seen_points(given)
    people = []
    for i in pictured(len(seen), values):
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
            f"{_noun(values)} {i}: points missed by {mean_miss(fit, seen, i):.1f} mm, expected "
            f"joint error {1000 * fit.joint_errors[i].mean():.1f} mm"
        )
        people.append(report.Person(caption, pictures, scene=_scene(i, values)))
    return people


# Rotates the front view to a view from the person's right.
_QUARTER_TURN = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])


def upward(fit: PointFit) -> np.ndarray:
    """Finds the axis `[3]` of the points' frame, or its opposite, that is nearest to "up"."""
    mean_up = fit.rotations[:, 0, :, 1].mean(axis=0)
    axis = np.argmax(np.abs(mean_up))
    return np.sign(mean_up[axis]) * np.eye(3)[axis]


def upright_view(fit: PointFit) -> np.ndarray:
    """Finds the rotation that shows the bodies upright and from the front.

    Up is the axis of the points' frame that is nearest to the bodies' own; the view is from where
    the first body faces.

    Args:
      fit: of arrays.

    Returns:
      `[3, 3]`, axes of the points to camera axes.
    """
    up = upward(fit)
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
    viewed = _viewed(fit, values) if people else []
    who = f"{len(given.points)} {_noun(values)}s"
    page = report.Page(
        title="Bodies fitted to points",
        lead=(
            f"{who}, {skeleton.name} points of {values.points}. Green points are within "
            f"{1000 * _MISSED:.0f} mm of the body's, red ones are not; a line joins each point to "
            "the body's."
        ),
        viewer=body_viewer.body_viewer(viewed, bodies[0]) if viewed else "",
        table=table(fit, given, skeleton),
        groups=[report.Group("Bodies and points", people)] if people else [],
        details=[("method", values.method), ("body", ", ".join(body.name for body in bodies))],
    )
    report.write(page, path)


def pictured(count: int, values: flags.FlagValues) -> list[int]:
    """Chooses the bodies that get a mesh and a picture: the first, or of a sequence some frames.

    Args:
      count: how many bodies there are.
      values: the script's flags.

    Returns:
      Their places.
    """
    most = min(count, values.meshes)
    if not values.sequence:
        return list(range(most))
    return sorted(set(np.linspace(0, count - 1, most).round().astype(int).tolist()))


def _noun(values) -> str:
    return "frame" if values.sequence else "person"


def _scene(i: int, values) -> str:
    return "motion" if values.sequence else f"person {i}"


def _viewed(fit: PointFit, values: flags.FlagValues) -> list[body_viewer.ViewedBody]:
    """The bodies that the page turns around, upright and from the front."""
    view = upright_view(fit)
    # The viewer has one body model; with two, the first one shows all bodies.
    poses = fit.pose.copy()
    poses[:, 0] = matrix_to_axis_angle(view @ fit.rotations[:, 0]).numpy()
    if values.sequence:
        pelvis = fit.joints[:, 0]
        places = (pelvis - pelvis.mean(axis=0)) @ view.T
        return [
            body_viewer.ViewedBody(
                "motion", fit.betas[0], poses, places, frame_rate=values.frame_rate
            )
        ]
    return [
        body_viewer.ViewedBody(_scene(i, values), fit.betas[i], poses[i])
        for i in pictured(len(poses), values)
    ]
