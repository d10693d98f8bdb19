"""Measures whether the input pipelines keep a device busy."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf
from absl import flags

from datasets import synthetic
from datasets.splits import Mixture, Split
from experiments.nbf import data as nbf_data
from experiments.nbf import flags as nbf_flags
from experiments.nbf import networks as nbf_networks
from experiments.nbf.stages import stage_of
from experiments.runs.common import REPOSITORY
from experiments.smplr import data as smplr_data
from experiments.smplr import flags as smplr_flags
from experiments.smplr import networks as smplr_networks
from experiments.smplr.training import picture_targets
from smplr import PointBody

# Name -> a small training's flag file.
PIPELINES = {
    "NBF fitting": "nbf_quickstart.cfg",
    "NBF segmentation": "nbf_segmentation_small_64.cfg",
    "SMPLR hourglass": "smplr_small_shn.cfg",
}
_SIZE = 64  # pixels, of the people


def make_people(folder: Path, count: int) -> Mixture:
    """Generates the people that the pipelines read.

    Args:
      folder: for their shards.
      count: number of people.

    Returns:
      Their split, for trainings.
    """
    config = synthetic.SyntheticConfig(image_size=_SIZE)
    manifest = synthetic.generate(str(folder), "train", count, config, workers=0, progress=False)
    return Mixture((Split(str(folder), "train", manifest),), (manifest.count,))


def check(name: str, people: Mixture, batch: int, steps: int, device: str) -> dict[str, float]:
    """Trains alternately from a pipeline and from one batch in memory.

    Args:
      name: one of `PIPELINES`.
      people: from `make_people`, at least two batches.
      batch: Examples of a step.
      steps: of each turn.
      device: where the network is.

    Returns:
      examples_per_second of training from the pipeline, and waiting: the share of that time that
      training from memory does not take; 0 where the pipeline keeps up.
    """
    keras.utils.set_random_seed(0)
    with tf.device(device):
        make = _nbf if name.startswith("NBF") else _smplr
        network, batches = make(PIPELINES[name], people, batch)
        network.make_train_function()
        fed = iter(batches)
        repeated = iter(tf.data.Dataset.from_tensors(next(fed)).repeat())
        times: list[list[float]] = [[], []]
        for turn in range(3):  # the first one traces
            for place, iterator in enumerate((repeated, fed)):
                seconds = _timed(functools.partial(network.train_function, iterator), steps)
                if turn:
                    times[place].append(seconds)
    at_hand, from_pipeline = (min(one) for one in times)
    return {
        "examples_per_second": batch / from_pipeline,
        "waiting": max(0.0, 1.0 - at_hand / from_pipeline),
    }


def _timed(call: Callable[[], object], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        call()
    tf.test.experimental.sync_devices()
    return (time.perf_counter() - start) / times


def _flags(define, flag_file, people, batch):
    values = flags.FlagValues()
    define(values)
    path = REPOSITORY / "experiments" / "flags" / flag_file
    values(
        ["", f"--flagfile={path}", f"--data={people.splits[0].directory}", f"--batch_size={batch}"]
    )
    return values


def _nbf(flag_file, people, batch):
    values = _flags(nbf_flags.define_run_flags, flag_file, people, batch)
    stage, body = stage_of(values), nbf_networks.load_body(values)
    network = stage.build(values, body)
    stage.compile(network, values, 1000)
    return network, nbf_data.training_batches(values, people, 0, stage.feed(values))[0]


def _smplr(flag_file, people, batch):
    values = _flags(smplr_flags.define_run_flags, flag_file, people, batch)
    model = smplr_networks.build_model(values)
    smplr_networks.compile_model(model, values, 1000)
    body = PointBody(smplr_networks.bodies(values), dtype="float32")

    def sort(batch):
        return batch["pictures"], picture_targets(batch, values)

    return model, smplr_data.training_pictures(values, body, people, 0)[0].map(sort)
