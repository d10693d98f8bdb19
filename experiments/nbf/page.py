"""The page of an NBF run: numbers, curves, and people from every quarter of the errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from absl import flags

from datasets import pipelines
from experiments.nbf import data as nbf_data
from experiments.nbf import evaluation as nbf_evaluation
from experiments.nbf import protocols
from experiments.nbf.evaluation import METRICS, Evaluation
from experiments.pages import quarters, report
from experiments.pages.curves import Chart
from experiments.pages.montage import montage
from experiments.pages.scatter import Axis, Scatter
from nbf import FittingNetwork, input_maps
from nbf.targets import body_targets, picture_camera
from smpl_tf import SMPL, figures, kinematics
from smpl_tf.parts import PARTS_24, PartScheme, colour_code, merge_labels
from smpl_tf.skeleton import SMPL_24

PICTURE_SIZE = 256  # pixels, of every picture on the page
_HEADLINES = (
    *("err_joints3d_mm", "pa_mpjpe_mean_mm", "pckh_percent", "err_quat_rad"),
    *("measured_pa_mpjpe_mean_mm", "measured_pa_mpjpe_median_mm"),
)
# Name in Keras' logs -> metric key.
_BASELINE_OF = {"err_joints3d_mm": "err_joints3d_mm", "pa_mpjpe_mm": "pa_mpjpe_mean_mm"}
# A decoded Example -> the network's input.
ShowInput = Callable[[Mapping[str, Any]], report.Picture]


def make_page(
    values: flags.FlagValues,
    network: FittingNetwork,
    evaluation: Evaluation,
    record: Mapping[str, Any],
    show_input: ShowInput | None = None,
) -> report.Page:
    """Makes the page.

    Args:
      values: the flags of the run.
      network: the trained network.
      evaluation: its evaluation.
      record: the run record.
      show_input: an Example -> the network's input; None: its true parts.

    Returns:
      The page.
    """
    ours, theirs = record["metrics"], record["mean_pose_metrics"]
    return report.Page(
        title=f"Neural Body Fitting: {record['run']}",
        lead=(
            f"The fitting network ({values.backbone} encoder, {values.input_map} at "
            f"{values.input_size} × {values.input_size} pixels, body: {record['body']['name']}) "
            f"learnt from {record['training_people']:,} people for {record['epochs']} epochs, "
            f"and was evaluated on {record['people']:,} people of the split “{record['split']}”."
        ),
        headlines=[
            report.Headline(
                nbf_evaluation.shown(metric, ours[metric.key]),
                metric.label,
                f"mean pose: {nbf_evaluation.shown(metric, theirs[metric.key])}",
            )
            for metric in METRICS
            if metric.key in _HEADLINES and metric.key in ours
        ],
        table=nbf_evaluation.table(ours, theirs),
        charts=charts(record["history"], theirs),
        groups=people(values, network, evaluation, show_input),
        details=details(record),
    )


def details(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the information to repeat a run.

    Args:
      record: the run record.

    Returns:
      Names and values.
    """
    return [
        (
            "command",
            f"python experiments/train_nbf.py --flagfile=runs/{record['run']}/flags.cfg "
            f"--run_name={record['run']}_again",
        ),
        ("git commit", str(record["git_commit"])),
        *((f"version of {name}", version) for name, version in record["versions"].items()),
        ("seconds of training", f"{record['training_seconds']:.0f}"),
        *((f"--{name}", str(value)) for name, value in record["flags"].items()),
    ]


def charts(history: Mapping[str, Sequence[float]], baseline: Mapping[str, float]) -> list[Chart]:
    """Returns the curves of a training.

    Args:
      history: Keras' log name -> one value per epoch.
      baseline: metric key -> value of the mean pose.

    Returns:
      The charts that have values.
    """
    titles = {
        "loss": "Loss with weight decay",
        "err_joints3d_mm": "err_joints3D, mm",
        "pa_mpjpe_mm": "PA-MPJPE, mm",
        "L_lat": "L_lat: shape and rotation matrices",
        "L_3D": "L_3D: 3D joints, metres",
        "L_2D": "L_2D: projected joints, half pictures",
    }
    found = []
    for key, title in titles.items():
        series = {"training": history.get(key), "validation": history.get(f"val_{key}")}
        series = {name: values for name, values in series.items() if values}
        level = baseline.get(_BASELINE_OF.get(key))
        if series:
            found.append(Chart(title, series, ("mean pose", level) if level else None))
    return found


def people(
    values: flags.FlagValues,
    network: FittingNetwork,
    evaluation: Evaluation,
    show_input: ShowInput | None = None,
) -> list[report.Group]:
    """Draws people from every quarter of the errors: input, part map, predicted and true body.

    Args:
      values: the flags of the run.
      network: the trained network.
      evaluation: its evaluation.
      show_input: see `make_page`.

    Returns:
      One group for each quarter with people.
    """
    smpl = SMPL(network.body.model_data)
    split = evaluation.split
    examples = pipelines.load(split.directory, split, transform=nbf_data.crop(values))
    protocol = protocols.protocol_of(values, network.body.model_data)
    if protocol:
        examples = examples.filter(protocol.counts)

    def draw(index, example):
        seen = show_input(example) if show_input else _true_parts(values, example)
        return _draw(seen, smpl, evaluation, index, example)

    return quarters.groups(evaluation.ranked_errors, examples, draw, "errors")


def quality_plot(evaluation: Evaluation) -> Scatter:
    """Plots the error of the fits over the quality of their parts.

    Args:
      evaluation: chained, with `f1_percent` among its errors.

    Returns:
      The plot. The colour is the distance of the true joints from the mean pose.

    Source: paper figure 3, "the distance to mean pose as a proxy measure for difficulty".
    """
    return Scatter(
        Axis("F1 of the parts, %", evaluation.errors["f1_percent"]),
        Axis("err_joints3D, mm", evaluation.errors["err_joints3d_mm"]),
        Axis("from the mean pose, mm", evaluation.baseline["err_joints3d_mm"]),
    )


def pictures_of(page: report.Page) -> dict[str, np.ndarray]:
    """Extracts the paper's figures from a page, for files.

    Args:
      page: of a fitting network, alone or chained.

    Returns:
      File name -> `[H, W, 3]` uint8 RGB: `figure_4.png`, people from every quarter of the errors,
      the best at the top; for a chained evaluation also `figure_3.png`.

    Source: paper figures 3 and 4.
    """
    rows = [
        (group.heading, [report.pixels(picture) for picture in person.pictures])
        for group in page.groups
        for person in group.people
    ]
    found = {"figure_4.png": montage(rows)} if rows else {}
    if page.plots:
        found["figure_3.png"] = report.pixels(page.plots[0])
    return found


def _draw(seen, smpl, evaluation, index, example) -> report.Person:
    picture = figures.enlarge(example["image"].numpy(), PICTURE_SIZE)
    # The person's position, or NBF's default.
    placed, _ = body_targets(example)
    camera = picture_camera(placed["intrinsics"])
    relative = kinematics.global_to_relative(evaluation.global_rotations[index], SMPL_24.parents)
    bodies = {"predicted": (evaluation.betas[index], relative)}
    if example["smpl/valid"]:
        bodies["true"] = (example["smpl/neutral_betas"], example["smpl/pose"])
    posed = {
        name: smpl(betas=betas, pose=pose, translation=placed["translation"]).vertices.numpy()
        for name, (betas, pose) in bodies.items()
    }
    colours = {"predicted": figures.PREDICTED, "true": figures.TRUE}
    pictures = [report.picture("picture", picture), seen]
    for name, vertices in posed.items():
        drawn = figures.body_over(picture, vertices, smpl.faces, camera, colours[name])
        pictures.append(report.picture(f"{name} body", drawn))
    for name, vertices in posed.items():
        drawn = figures.body_from_side(PICTURE_SIZE, vertices, smpl.faces, camera, colours[name])
        pictures.append(report.picture(f"{name}, from the side", drawn))
    found = {
        label: evaluation.errors[error][index]
        for label, error in (
            ("err_joints3D", "err_joints3d_mm"),
            ("PA-MPJPE", "pa_mpjpe_mm"),
            ("PA-MPJPE of measured joints", "measured_pa_mpjpe_mm"),
        )
        if error in evaluation.errors and np.isfinite(evaluation.errors[error][index])
    }
    said = [f"{label} {value:.0f} mm" for label, value in found.items()]
    if not said:  # only 2D points are known
        said = [f"PCKh@0.5 {evaluation.errors['pckh_percent'][index]:.0f} %"]
    return report.Person(" · ".join([evaluation.ids[index], *said]), pictures)


def _true_parts(values, example) -> report.Picture:
    """Draws the network's input; for RGB also the true parts."""
    scheme = input_maps.input_map(values.input_map).scheme or PARTS_24
    parts = merge_labels(example["parts"].numpy(), scheme)
    return part_map(f"part map, {scheme.num_classes - 1} parts", parts, scheme)


def part_map(label: str, parts: np.ndarray, scheme: PartScheme) -> report.Picture:
    """Draws a label map.

    Args:
      label: what it shows.
      parts: `[S, S]` labels of the scheme.
      scheme: the parts.

    Returns:
      The picture.
    """
    pixels = figures.enlarge(colour_code(parts, scheme), PICTURE_SIZE, smooth=False)
    return report.picture(label, pixels, lossless=True)
