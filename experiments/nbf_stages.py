"""The two stages of NBF, and what differs between them in a script."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from absl import flags

from experiments import (
    nbf_evaluation,
    nbf_report,
    nbf_runs,
    segmentation_evaluation,
    segmentation_report,
    segmentation_runs,
    segmented_parts,
    watched_people,
)


class Stage(NamedTuple):
    """What one of the two networks needs to be trained, measured and shown.

    Attributes:
      feed: flags -> how the network takes Examples.
      build: flags, body -> the network.
      compile: network, flags, steps of the whole training.
      prepare: a new network, flags; takes from the training set what it starts with.
      drawer: network, batches -> what draws pictures for TensorBoard.
      evaluate: network, flags, split -> evaluation.
      make_record: run, flags, network, checkpoint, evaluation -> the run record.
      make_page: flags, network, evaluation, record -> the page.
    """

    feed: Callable
    build: Callable
    compile: Callable
    prepare: Callable
    drawer: Callable
    evaluate: Callable
    make_record: Callable
    make_page: Callable


FITTING = Stage(
    nbf_runs.feed,
    nbf_runs.build_network,
    nbf_runs.compile_network,
    nbf_runs.prepare_network,
    watched_people.fitting_drawer,
    nbf_evaluation.evaluate,
    nbf_evaluation.make_record,
    nbf_report.make_page,
)
SEGMENTATION = Stage(
    segmentation_runs.feed,
    segmentation_runs.build_segmenter,
    segmentation_runs.compile_segmenter,
    lambda segmenter, values: None,
    watched_people.segmentation_drawer,
    segmentation_evaluation.evaluate,
    segmentation_evaluation.make_record,
    segmentation_report.make_page,
)


def stage_of(values: flags.FlagValues) -> Stage:
    """The stage of a run.

    Args:
      values: the flags of the run.

    Returns:
      The stage.
    """
    if values.stage == "segmentation":
        return SEGMENTATION
    if values.segmentation_run:
        return FITTING._replace(feed=segmented_parts.feed, evaluate=segmented_parts.evaluate)
    return FITTING
