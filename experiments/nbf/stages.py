"""The two stages of NBF, and their differences in a script."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from absl import flags

from experiments.nbf import (
    evaluation,
    networks,
    page,
    segmentation_evaluation,
    segmentation_page,
    segmented_parts,
    segmenters,
    watched_people,
)


class Stage(NamedTuple):
    """The functions to train, evaluate and show one of the two networks.

    Attributes:
      load: (run, body model file or None) -> the trained network.
      feed: (flags, whether they are held out) -> conversion of Examples for the network.
      build: (flags, body) -> the network.
      compile: (network, flags, steps of the whole training) -> None.
      prepare: (new network, flags, training set) -> None; initialises the network from the set.
      drawer: (network, batches) -> function that draws pictures for TensorBoard.
      evaluate: (network, flags, split) -> evaluation.
      make_record: (run, flags, network, facts of its training, evaluation) -> the run record.
      make_page: (flags, network, evaluation, record) -> the page.
    """

    load: Callable
    feed: Callable
    build: Callable
    compile: Callable
    prepare: Callable
    drawer: Callable
    evaluate: Callable
    make_record: Callable
    make_page: Callable


FITTING = Stage(
    networks.load_network,
    networks.feed,
    networks.build_network,
    networks.compile_network,
    networks.prepare_network,
    watched_people.fitting_drawer,
    evaluation.evaluate,
    evaluation.make_record,
    page.make_page,
)
SEGMENTATION = Stage(
    lambda run, body=None: segmenters.load_segmenter(run),
    segmenters.feed,
    segmenters.build_segmenter,
    segmenters.compile_segmenter,
    lambda segmenter, values, train: None,
    watched_people.segmentation_drawer,
    segmentation_evaluation.evaluate,
    segmentation_evaluation.make_record,
    segmentation_page.make_page,
)


def stage_of(values: flags.FlagValues) -> Stage:
    """Returns the stage of a run.

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
