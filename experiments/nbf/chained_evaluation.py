"""Evaluates both stages chained: errors of bodies fitted to pictures, and quality of parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from absl import flags

from datasets.splits import Split
from experiments.nbf import evaluation as nbf_evaluation
from experiments.nbf import page as nbf_report
from experiments.nbf import segmenters
from experiments.nbf.data import Feed
from experiments.nbf.evaluation import Evaluation
from experiments.nbf.segmentation_evaluation import confusions, shown
from experiments.pages import report
from experiments.runs.run_folder import RunFolder
from nbf import NeuralBodyFitting, targets
from nbf.metrics import f1_scores, iou

# Errors that the record stores for each person, for figure 3.
_BY_PERSON = ("f1_percent", "iou_percent", "err_joints3d_mm", "pa_mpjpe_mm")


def evaluate(model: NeuralBodyFitting, values: flags.FlagValues, split: Split) -> Evaluation:
    """Runs both stages over a split.

    Args:
      model: both stages.
      values: the flags of the fitting network's run.
      split: an opened split.

    Returns:
      The evaluation; its errors include `f1_percent` and `iou_percent` of each person's parts.

    Raises:
      RecordError: the split is damaged.
      UserError: its parameters belong to another body.

    Source: paper figure 3 and Table 2.
    """
    segmenter = model.segmenter

    def convert(examples):
        inputs, true = targets.picture_targets(examples, segmenter.input_size)
        _, labels = targets.segmentation_targets(
            examples, segmenter.num_parts, segmenter.input_size
        )
        return inputs, {**true, **labels}

    features = (*targets.TARGET_FEATURES, *segmenters.FEATURES)
    feed = Feed(tuple(sorted({*features})), convert)
    return nbf_evaluation.measure(model, values, split, feed, part_scores)


def part_scores(
    true: Mapping[str, tf.Tensor], predicted: Mapping[str, tf.Tensor]
) -> dict[str, tf.Tensor]:
    """Scores the parts of each person, as a mean over the parts in the picture.

    Args:
      true: with the labels of `segmentation_targets`.
      predicted: of `NeuralBodyFitting`.

    Returns:
      `f1_percent` and `iou_percent` `[B]`, NaN for a picture without labels or people.
    """
    counts = confusions(true, predicted["logits"])
    present = tf.reduce_sum(counts, -1)[..., 1:] > 0
    ious = tf.where(present, iou(counts)[..., 1:], 0.0)
    mean = tf.reduce_sum(ious, -1) / tf.reduce_sum(tf.cast(present, ious.dtype), -1)
    return {"f1_percent": 100 * f1_scores(counts), "iou_percent": 100 * mean}


def make_record(
    run: RunFolder,
    values: flags.FlagValues,
    model: NeuralBodyFitting,
    trained: Mapping[str, Any],
    evaluation: Evaluation,
    segmentation: RunFolder,
) -> dict[str, Any]:
    """Makes the record of a chained evaluation.

    Args:
      run: the fitting network's run.
      values: its flags.
      model: both stages.
      trained: facts about the fitting network's training, from `checkpoints.facts`.
      evaluation: the chained evaluation.
      segmentation: the segmenter's run.

    Returns:
      JSON values.
    """
    network = model.get_fitting_network()
    record = nbf_evaluation.make_record(run, values, network, trained, evaluation)
    by_person = {name: _numbers(evaluation.errors[name]) for name in _BY_PERSON}
    return {
        **record,
        "segmentation_run": segmentation.path.name,
        "segmentation_metrics": {
            f"mean_{name}": _mean(evaluation.errors[name])
            for name in ("f1_percent", "iou_percent")
        },
        "rank_correlation_of_f1_and_error": _number(
            nbf_report.quality_plot(evaluation).rank_correlation
        ),
        "by_person": {"id": evaluation.ids, **by_person},
    }


def make_page(
    values: flags.FlagValues,
    model: NeuralBodyFitting,
    evaluation: Evaluation,
    record: Mapping[str, Any],
) -> report.Page:
    """Makes the page of a chained evaluation.

    Args:
      values: the flags of the fitting network's run.
      model: both stages.
      evaluation: the chained evaluation.
      record: its record.

    Returns:
      The page.
    """
    page = nbf_report.make_page(
        values, model.get_fitting_network(), evaluation, record, predicted_parts(model)
    )
    f1 = shown(record["segmentation_metrics"]["mean_f1_percent"])
    note = f"segmenter: {record['segmentation_run']}"
    plot = nbf_report.quality_plot(evaluation)
    plots = [report.picture("Parts and fits, person by person", plot.pixels, lossless=True)]
    return page._replace(
        title=f"Neural Body Fitting from pictures: {record['run']}",
        lead=f"{page.lead} Its input was parts that {record['segmentation_run']} found.",
        headlines=[*page.headlines, report.Headline(f1, "mean F1 of the parts", note)],
        plots=[] if np.isnan(plot.rank_correlation) else plots,
    )


def predicted_parts(model: NeuralBodyFitting) -> Callable[[Mapping[str, Any]], report.Picture]:
    """Returns a function that draws the parts found in an Example's picture.

    Args:
      model: both stages.

    Returns:
      A function for `nbf_report.make_page`.
    """
    segmenter = model.segmenter

    def show(example):
        picture, _ = targets.segmentation_targets(
            example, segmenter.num_parts, segmenter.input_size
        )
        parts = segmenter(picture[np.newaxis]).numpy()[0].argmax(-1)
        return nbf_report.part_map("predicted parts", parts, segmenter.scheme)

    return show


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None


def _number(value: float) -> float | None:
    return round(float(value), 3) if np.isfinite(value) else None


def _numbers(values: np.ndarray) -> list[float | None]:
    return [_number(value) for value in values]
