"""IoU and F1 of a part segmenter on a split, per part and per person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from absl import flags

from datasets.splits import Split
from experiments.nbf import data as nbf_data
from experiments.nbf import segmenters
from experiments.pages.report import Table
from experiments.runs.run_folder import RunFolder
from nbf.metrics import confusion, f1_scores, iou
from nbf.segmentation import PartSegmenter
from smpl_tf.parts import PartScheme

METRICS = {
    "mean_iou_percent": "mean IoU of the parts",
    "mean_iou_with_background_percent": "mean IoU with background",
    "mean_f1_percent": "mean F1 per picture",
    "pixel_accuracy_percent": "pixels right",
}


class Evaluation(NamedTuple):
    """The results of a split, in its stored order.

    Attributes:
      split: the evaluated split.
      ids: `[N]` of the Examples.
      scheme: the parts.
      confusions: `[N, C, C]` pixels by true (row) and predicted class; zeros for a picture without
        labels.
    """

    split: Split
    ids: list[str]
    scheme: PartScheme
    confusions: np.ndarray

    @property
    def f1_percent(self) -> np.ndarray:
        """F1 of each picture, `[N]`, NaN without labels or people."""
        return 100 * f1_scores(self.confusions).numpy()

    @property
    def class_iou_percent(self) -> np.ndarray:
        """IoU of each class over the split, `[C]`, NaN for a class that never occurs."""
        return 100 * iou(self.confusions.sum(0)).numpy()

    @property
    def metrics(self) -> dict[str, float | None]:
        """Metric key -> value; None if no part ever occurs."""
        total, ious = self.confusions.sum(0), self.class_iou_percent
        with np.errstate(invalid="ignore"):
            values = {
                "mean_iou_percent": _mean(ious[1:]),
                "mean_iou_with_background_percent": _mean(ious),
                "mean_f1_percent": _mean(self.f1_percent),
                "pixel_accuracy_percent": 100 * np.trace(total) / total.sum(),
            }
        return {name: _number(value) for name, value in values.items()}


def evaluate(segmenter: PartSegmenter, values: flags.FlagValues, split: Split) -> Evaluation:
    """Runs a segmenter over a split.

    Args:
      segmenter: the trained segmenter.
      values: the flags of the run.
      split: an opened split.

    Returns:
      The evaluation.

    Raises:
      RecordError: the split is damaged.
    """
    feed = segmenters.feed(values)
    feed = feed._replace(features=(*feed.features, "id"))
    examples = nbf_data.held_out_examples(values, split, feed)
    count = tf.function(lambda pictures, true: confusions(true, segmenter(pictures)))
    ids, counts = [], []
    with nbf_data.naming_damage(split):
        for batch in examples.batch(values.batch_size).prefetch(2):
            counts.append(count(*feed.convert(batch)))
            ids += [one.decode() for one in batch["id"].numpy()]
    return Evaluation(split, ids, segmenter.scheme, np.concatenate(counts))


def confusions(true: Mapping[str, tf.Tensor], logits: tf.Tensor) -> tf.Tensor:
    """Counts pixels by true and predicted class, for each picture.

    Args:
      true: `labels` `[B, S, S]` and `labels_valid` `[B]`, of `segmentation_targets`.
      logits: `[B, S, S, C]` of a segmenter.

    Returns:
      `[B, C, C]` float32; zeros for a picture without labels.
    """
    counts = confusion(true["labels"], tf.argmax(logits, -1), logits.shape[-1])
    return counts * tf.cast(true["labels_valid"], counts.dtype)[:, tf.newaxis, tf.newaxis]


def make_record(
    run: RunFolder,
    values: flags.FlagValues,
    segmenter: PartSegmenter,
    trained: Mapping[str, Any],
    evaluation: Evaluation,
) -> dict[str, Any]:
    """Makes the record of an evaluated run.

    Args:
      run: the run.
      values: its flags.
      segmenter: the trained segmenter.
      trained: facts about its training, from `checkpoints.facts`.
      evaluation: its evaluation.

    Returns:
      JSON values.
    """
    ious = map(_number, evaluation.class_iou_percent)
    content = {
        "parameters": segmenter.count_params(),
        **trained,
        "data": {**trained["data"], evaluation.split.name: evaluation.split.fingerprint},
        "split": evaluation.split.name,
        "people": len(evaluation.ids),
        "metrics": evaluation.metrics,
        "iou_percent": dict(zip(evaluation.scheme.names, ious, strict=True)),
    }
    return run.make_record(values, content)


def table(record: Mapping[str, Any]) -> Table:
    """Makes a table of the means and the IoU of each class.

    Args:
      record: the run record.

    Returns:
      The table.
    """
    rows = [[label, shown(record["metrics"][key])] for key, label in METRICS.items()]
    rows += [
        [f"IoU of {name.replace('_', ' ')}", shown(value)]
        for name, value in record["iou_percent"].items()
    ]
    return Table(["metric", "segmenter"], rows)


def shown(percent: float | None) -> str:
    """Formats a value with its unit, or a dash if it is None."""
    return "–" if percent is None else f"{percent:.1f} %"


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return known.mean() if known.size else np.nan


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
