"""A segmenter's parts instead of true ones as input: NBF's Table 2."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from absl import flags

from datasets.splits import Split
from experiments.nbf import evaluation, networks, segmenters
from experiments.nbf.data import Feed
from experiments.nbf.evaluation import Evaluation
from experiments.runs.run_folder import RunFolder
from nbf import FittingNetwork, input_maps


def feed(values: flags.FlagValues, held_out: bool = False) -> Feed:
    """Returns the conversion of Examples with the segmenter of --segmentation_run.

    Args:
      values: the flags of the fitting network's run.
      held_out: whether they are held out.

    Returns:
      The features it needs, and the function that makes inputs and targets; pictures are segmented
      after augmentation.

    Raises:
      UserError: the run is not a segmentation, is unfinished, or has other parts.
    """
    run = RunFolder.existing(values.segmentation_run, "NBF")
    segmenter = segmenters.load_segmenter(run)
    segmenters.check_parts(segmenter, values.input_map)
    of_parts = networks.feed(values, held_out)
    # For each class, the first of the 24 parts that are merged to it.
    classes = range(segmenter.scheme.num_classes)
    part_of_class = np.array([np.argmax(segmenter.scheme.from_24 == c) for c in classes])

    def convert(examples):
        pictures = input_maps.resize_picture(examples["image"], segmenter.input_size)
        found = tf.gather(part_of_class, tf.argmax(segmenter(pictures), -1))
        return of_parts.convert({**examples, "parts": tf.cast(found, tf.uint8)})

    return Feed((*of_parts.features, "image/encoded"), convert)


def evaluate(network: FittingNetwork, values: flags.FlagValues, split: Split) -> Evaluation:
    """Runs the fitting network over a split with the segmenter's parts.

    Args:
      network: the trained network.
      values: the flags of its run.
      split: an opened split.

    Returns:
      The evaluation.

    Raises:
      RecordError: the split is damaged.
      UserError: its parameters belong to another body, or the segmentation does not fit.
    """
    return evaluation.measure(network, values, split, feed(values, held_out=True))
