"""The page of a segmentation: numbers, curves, and people from every quarter of the F1 scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from absl import flags

from experiments.nbf import data as nbf_data
from experiments.nbf import page, segmentation_evaluation, segmenters
from experiments.nbf.segmentation_evaluation import METRICS, Evaluation
from experiments.pages import quarters, report
from experiments.pages.curves import Chart
from nbf.segmentation import PartSegmenter
from smpl_tf import figures

_CHARTS = {
    "loss": "Loss with weight decay",
    "cross_entropy": "Cross-entropy",
    "iou_parts": "Mean IoU of the parts",
}


def make_page(
    values: flags.FlagValues,
    segmenter: PartSegmenter,
    evaluation: Evaluation,
    record: Mapping[str, Any],
) -> report.Page:
    """Makes the page.

    Args:
      values: the flags of the run.
      segmenter: the trained segmenter.
      evaluation: its evaluation.
      record: the run record.

    Returns:
      The page.
    """
    return report.Page(
        title=f"Part segmentation: {record['run']}",
        lead=(
            f"The segmenter ({segmenter.network.name}, {values.num_parts} parts at "
            f"{values.input_size} × {values.input_size} pixels) was trained on "
            f"{record['training_people']:,} people for {record['epochs']} epochs and evaluated on "
            f"the {record['people']:,} people of the split “{record['split']}”."
        ),
        headlines=[
            report.Headline(segmentation_evaluation.shown(record["metrics"][key]), label, "")
            for key, label in METRICS.items()
        ],
        table=segmentation_evaluation.table(record),
        charts=charts(record["history"]),
        groups=people(values, segmenter, evaluation),
        details=page.details(record),
    )


def charts(history: Mapping[str, list[float]]) -> list[Chart]:
    """Returns the curves of a training.

    Args:
      history: Keras' log name -> one value per epoch.

    Returns:
      The charts.
    """
    return [
        Chart(title, {"training": history[key], "validation": history[f"val_{key}"]}, None)
        for key, title in _CHARTS.items()
    ]


def people(
    values: flags.FlagValues, segmenter: PartSegmenter, evaluation: Evaluation
) -> list[report.Group]:
    """Draws people from every quarter of the scores: picture, predicted parts, true parts.

    Args:
      values: the flags of the run.
      segmenter: the trained segmenter.
      evaluation: its evaluation.

    Returns:
      One group for each quarter with people.
    """
    scores = evaluation.f1_percent
    feed = segmenters.feed(values)
    examples = nbf_data.held_out_examples(values, evaluation.split, feed)

    def draw(index, example):
        picture, true = feed.convert(example)
        predicted = segmenter(picture[np.newaxis]).numpy()[0].argmax(-1)
        pixels = figures.enlarge(figures.rounded(picture), page.PICTURE_SIZE)
        pictures = [
            report.picture("picture", pixels),
            page.part_map("predicted parts", predicted, segmenter.scheme),
            page.part_map("true parts", true["labels"].numpy(), segmenter.scheme),
        ]
        return report.Person(f"{evaluation.ids[index]} · F1 {scores[index]:.0f} %", pictures)

    return quarters.groups(-scores, examples, draw, "F1 scores")
