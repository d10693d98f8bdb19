"""Measures the cost of one example in each stage: operations and CPU milliseconds.

    python experiments/benchmark_stages.py
    python experiments/benchmark_stages.py --sizes=full --steps=0

Operations are floating point operations of the traced graph (two for each multiply-add); CPU time
is of all threads, so that other load on the machine has little effect. A training step is a
forward and a backward pass, without the optimiser. SCALING.md computes its tables from these. The
small sizes take 2 minutes, the full ones 6 and 4 GB of memory.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.runs import common
from experiments.runs.common import UsageError
from experiments.runs.flag_definer import FlagDefiner
from smpl_tf.files import write_json

SIZES = ("small", "full")
# Reading, decoding, augmentation and targets, for people of 512 x 512 pixels.
INPUTS = {
    "NBF input of the segmentation": "nbf_segmentation_refinenet.cfg",
    "NBF input of the fitting network": "nbf_up3d.cfg",
}
_PEOPLE = 16


class Stage(NamedTuple):
    """One network.

    Attributes:
      name: of the row.
      build: returns the network.
      shape: of one example.
      batch: examples at once.
    """

    name: str
    build: Callable
    shape: tuple[int, ...]
    batch: int


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: gets the flags.
    """
    f = FlagDefiner(values)
    f.strings("sizes", ["small"], f"Some of {','.join(SIZES)}.")
    f.integer("rounds", 3, "Number of runs of each stage; the median is reported.", 1)
    f.integer("steps", 1, "1: also measure training steps; 0: do not.", 0)
    f.string("output", None, "JSON file to write the numbers to.")


def main(values) -> None:
    """Measures and prints.

    Args:
      values: the flags.
    """
    unknown = sorted(set(values.sizes) - set(SIZES))
    if unknown:
        raise UsageError(f"--sizes={','.join(unknown)}: expected {', '.join(SIZES)}")
    common.load_tensorflow()
    from experiments.pages.report import Table

    rows, record = [], []
    for stage in [stage for size in values.sizes for stage in stages()[size]]:
        one = measure(stage, values.rounds, bool(values.steps))
        record.append(one)
        rows.append(
            [
                stage.name,
                f"{one['gflop']:.3g}",
                f"{one['forward_cpu_ms']:.3g} ms",
                f"{one['step_cpu_ms']:.3g} ms" if "step_cpu_ms" in one else "",
                f"{one['parameters'] / 1e6:.2f} M",
            ]
        )
        print(f"{stage.name}: done", file=sys.stderr)
    if "full" in values.sizes:
        for name, flag_file in INPUTS.items():
            one = {"name": name, "cpu_ms": input_cpu_ms(flag_file, values.rounds)}
            record.append(one)
            rows.append([name, "", f"{one['cpu_ms']:.3g} ms", "", ""])
    header = ["per example", "GFLOP forward", "forward", "forward and back", "weights"]
    print(Table(header, rows))
    if values.output:
        write_json(Path(values.output), record)


def stages() -> dict[str, list[Stage]]:
    """Returns the networks of both papers, as built by the flag files.

    Returns:
      Size -> stages.
    """
    from nbf import DeepLab, FittingNetwork, RefineNet, SmallSegmenter
    from smplr import SMPLR, DenoisingAutoencoder, StackedHourglass

    points = (41, 3)
    mlps = [
        Stage("SMPLR autoencoder", DenoisingAutoencoder, points, 256),
        Stage("SMPLR Omega, Psi and SMPL's points", SMPLR, points, 256),
    ]
    return {
        "small": [
            Stage("NBF small segmenter 96", lambda: SmallSegmenter(12, 96, 16), (96, 96, 3), 16),
            Stage(
                "NBF small fitting 64",
                lambda: FittingNetwork("small", 64, head="flatten"),
                (64, 64, 3),
                32,
            ),
            Stage(
                "SMPLR hourglass 128, 1 stack of 64",
                lambda: StackedHourglass(128, 1, 64, 8),
                (128, 128, 3),
                4,
            ),
            *mlps,
        ],
        "full": [
            Stage("NBF fitting ResNet-50, 224", FittingNetwork, (224, 224, 3), 2),
            Stage(
                "NBF RefineNet ResNet-101, 512",
                lambda: RefineNet(12, backbone="resnet101", input_size=512),
                (512, 512, 3),
                1,
            ),
            Stage(
                "NBF DeepLab ResNet-101, 512",
                lambda: DeepLab(12, backbone="resnet101", input_size=512),
                (512, 512, 3),
                1,
            ),
            Stage("SMPLR hourglass 256, 5 stacks", StackedHourglass, (256, 256, 3), 1),
        ],
    }


def measure(stage: Stage, rounds: int, steps: bool) -> dict[str, float]:
    """Measures one stage.

    Args:
      stage: to measure.
      rounds: number of repetitions; the median is returned.
      steps: whether to measure training steps, too.

    Returns:
      name, gflop, parameters, forward_cpu_ms and, with `steps`, step_cpu_ms, per example.
    """
    import tensorflow as tf

    from experiments.benchmarks.operations import operations

    network = stage.build()
    spec = tf.TensorSpec([stage.batch, *stage.shape], tf.float32)
    forward = tf.function(lambda given: network(given, training=False), input_signature=[spec])

    @tf.function(input_signature=[spec])
    def step(given):
        with tf.GradientTape() as tape:
            outputs = tf.nest.flatten(network(given, training=True))
            total = tf.add_n([tf.reduce_mean(tf.square(one)) for one in outputs])
        return tape.gradient(total, network.trainable_variables)

    examples = tf.constant(np.random.default_rng(0).uniform(-1, 1, spec.shape), tf.float32)
    one = {
        "name": stage.name,
        "gflop": operations(forward) / stage.batch / 1e9,
        "parameters": network.count_params(),
        "forward_cpu_ms": cpu_ms(lambda: forward(examples), rounds) / stage.batch,
    }
    if steps:
        one["step_cpu_ms"] = cpu_ms(lambda: step(examples), rounds) / stage.batch
    return one


def input_cpu_ms(flag_file: str, rounds: int) -> float:
    """Measures the input pipeline of a flag file.

    Args:
      flag_file: its name.
      rounds: epochs of a few synthetic people; the median is returned.

    Returns:
      Processor time per Example, milliseconds.
    """
    from absl import flags

    from datasets import synthetic
    from datasets.splits import Split
    from experiments.nbf import data as nbf_data
    from experiments.nbf import stages as nbf_stages
    from experiments.nbf.flags import define_run_flags

    values = flags.FlagValues()
    define_run_flags(values)
    with tempfile.TemporaryDirectory() as folder:
        path = common.REPOSITORY / "experiments" / "flags" / flag_file
        values(["", f"--flagfile={path}", f"--data={folder}", "--batch_size=4"])
        config = synthetic.SyntheticConfig(image_size=512)
        manifest = synthetic.generate(folder, "train", _PEOPLE, config, workers=0, progress=False)
        feed = nbf_stages.stage_of(values).feed(values)
        split = Split(folder, "train", manifest)
        batches, steps = nbf_data.training_batches(values, split, 0, feed)
        iterator = iter(batches)
        return cpu_ms(lambda: [next(iterator) for _ in range(steps)], rounds) / _PEOPLE


def cpu_ms(call: Callable[[], object], rounds: int) -> float:
    """Measures the processor time of a call, all threads together.

    Args:
      call: to measure.
      rounds: number of calls, after one to warm up.

    Returns:
      The median, milliseconds.
    """
    call()
    times = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return 1000 * statistics.median(times)


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
