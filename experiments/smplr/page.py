"""The page of an SMPLR run: numbers, curves, and people from every quarter of the errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import flags

from experiments.pages import quarters, report
from experiments.pages.curves import Chart
from experiments.smplr import evaluation as smplr_evaluation
from experiments.smplr import figures as smplr_figures
from experiments.smplr.evaluation import LABELS, SEEN, Evaluation
from experiments.smplr.flags import POINT_STAGES
from smpl_tf import figures
from smplr import PointBody

_LEADS = {
    "hourglass": "A stacked hourglass finds people's points in pictures.",
    "dae": "A denoising autoencoder cleans points.",
    "pose": "Ω turns points into rotations; the true shape is given.",
    "shape": "Ψ turns points into betas and gender; the true pose is given.",
    "pose_shape": "Ω and Ψ turn points into a body.",
    "end_to_end": "Pictures become points, and points become a body.",
}
_HEADLINES = (
    *("joints_16_mm", "landmarks_mm", "surface_mm", "bones_mm", "rotation_deg"),
    "gender_accuracy",
)
_CHARTS = {
    "loss": "Loss",
    "mpjpe_mm": "Mean error of 41 points, mm",
    "points_mpjpe_mm": "Mean error of the points, mm",
    "joints_mpjpe_mm": "Mean error of the body's 23 joints, mm",
    "rotations_loss": "L1 of the rotations",
    "shape_loss": "L1 of betas and gender",
    "gradient_ratio": "SMPLR's gradient by the volumes'",
}


def make_page(
    values: flags.FlagValues, evaluation: Evaluation, record: Mapping[str, Any]
) -> report.Page:
    """Puts a page together.

    Args:
      values: the flags of the run.
      evaluation: of its model.
      record: the run record.

    Returns:
      The page.
    """
    ours, theirs = record["metrics"], record["baseline_metrics"]
    if values.stage in POINT_STAGES:
        kind = values.noise if values.test_noise == "same" else values.test_noise
        source = {"none": "clean points", "hourglass": "the points of an hourglass"}
        source["finder"] = f"points with the errors of a finder of {values.skeleton}"
        tried = f"that it has not seen, from {source.get(kind, f'points with {kind} noise')}"
    else:
        tried = f"in the pictures of {values.data} (split “{values.test_split}”)"
    return report.Page(
        title=f"SMPLR: {record['run']}",
        lead=f"{_LEADS[values.stage]} Evaluated on {record['people']:,} people {tried}.",
        headlines=[
            report.Headline(
                _value(name, ours[name]), LABELS[name], f"baseline: {_value(name, theirs[name])}"
            )
            for name in _HEADLINES
            # Equal values are given to the stage as truth.
            if name in ours and name in theirs and ours[name] != theirs[name]
        ],
        table=smplr_evaluation.table(record),
        charts=charts(record.get("history", {})),
        groups=_people(evaluation),
        details=_details(record),
    )


def charts(history: Mapping[str, Sequence[float]]) -> list[Chart]:
    """The curves of a training.

    Args:
      history: Keras' log name -> one value per epoch.

    Returns:
      The charts that have values.
    """
    found = []
    for name, title in _CHARTS.items():
        series = {"training": history.get(name), "validation": history.get(f"val_{name}")}
        series = {name: numbers for name, numbers in series.items() if numbers}
        if series:
            found.append(Chart(title, series))
    return found


def _value(name, value) -> str:
    if name == "gender_accuracy":
        return f"{100 * value:.1f} %"
    return f"{value:.1f} {'°' if name.endswith('_deg') else 'mm'}"


def _details(record) -> list[tuple[str, str]]:
    seconds = record.get("training_seconds")
    return [
        ("git commit", str(record["git_commit"])),
        *((f"version of {name}", version) for name, version in record["versions"].items()),
        *([("seconds of training", f"{seconds:.0f}")] if seconds else []),
        *((f"--{name}", str(value)) for name, value in record["flags"].items()),
    ]


def _people(evaluation: Evaluation) -> list[report.Group]:
    """Draws people from every quarter of the errors; only those with a stored picture, if any."""
    errors = evaluation.errors["joints_23_mm"]
    if len(evaluation.pictures):
        errors = errors[: len(evaluation.pictures)]
    surface = PointBody(evaluation.body.bodies, surface=True, dtype="float32")

    def draw(index, _):
        return _person(evaluation, surface, index)

    return quarters.groups(errors, range(len(errors)), draw, "joint errors")


def _person(evaluation: Evaluation, surface: PointBody, index: int) -> report.Person:
    true, predicted = evaluation.true, evaluation.predicted
    shown = []
    if len(evaluation.pictures):
        shown.append(report.picture("picture", evaluation.pictures[index]))
    for axis, view in zip(evaluation.volumes, smplr_figures.VIEWS, strict=False):
        peaks = evaluation.volumes[axis][index]
        drawn = smplr_figures.draw_volumes(peaks, predicted["seen"].shape[1])
        shown += [report.picture(f"volumes of {kind}, {view}", one) for kind, one in drawn.items()]
    # A detector's points have another skeleton than the drawing.
    given = None if "weights" in true else true.get("seen")
    points = {"points given": given, "points found": predicted.get("seen")}
    for label, every in points.items():
        if every is not None:
            sticks = every[index], true["points"][index, : every.shape[1]]
            shown += _two_views(label, smplr_figures.draw_points, *sticks)
    if "rotations" in predicted:
        faces = surface.smpl.faces
        shape = predicted["shape"][index : index + 1]
        bodies = {
            "body": (predicted["rotations"], shape[:, :-1], shape[:, -1], figures.PREDICTED),
            "truth": (
                true["rotations"],
                true["betas"][index : index + 1],
                true["gender"][index : index + 1],
                figures.TRUE,
            ),
        }
        for label, (rotations, betas, gender, colour) in bodies.items():
            posed = surface(rotations=rotations[index : index + 1], betas=betas, gender=gender)
            vertices = posed["vertices"][0].numpy()
            shown += _two_views(label, smplr_figures.draw_body, vertices, faces, colour)
    caption = [f"person {index}"]
    for name in (f"{SEEN}joints_23_mm", "joints_23_mm", "landmarks_mm", "surface_mm"):
        if name in evaluation.errors:
            label = LABELS[name.removeprefix(SEEN)].removesuffix(", mm")
            of = "points: " if name.startswith(SEEN) else ""
            caption.append(f"{of}{label} {evaluation.errors[name][index]:.0f} mm")
    return report.Person(" · ".join(caption), shown)


def _two_views(label, draw, *what) -> list[report.Picture]:
    return [
        report.picture(f"{label}, {view}", np.ascontiguousarray(draw(*what, view)))
        for view in smplr_figures.VIEWS
    ]
