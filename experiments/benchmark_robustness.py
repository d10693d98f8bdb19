r"""Measures the effect of corrupted part maps on fitting networks, for docs/results.md.

    python experiments/benchmark_robustness.py --data=data/synthetic_128 \
        --networks=runs/nbf_fitting_small_segmented,runs/nbf_fitting_small_corrupted

True part maps of held-out people are corrupted in one way at a time (datasets.part_corruption);
a row is the mean err_joints3D of each network. 256 people: 40 seconds of CPU time for a network.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.runs import common
from experiments.runs.common import UserError
from experiments.runs.flag_definer import FlagDefiner
from smpl_tf.files import write_json

# Name of a corruption -> function from (labels, seed) to corrupted labels.
Corruptions = Mapping[str, Callable]


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: gets the flags.
    """
    f = FlagDefiner(values)
    f.strings(
        "networks",
        ["small_synthetic_parts"],
        "Networks to compare: names, run folders or .keras files.",
    )
    f.string("data", "data/synthetic_128", "Folder of the data set's shards.")
    f.string("split", "test", "Split of the data set to use.")
    f.integer("people", 256, "Number of people, from the start of the split.", 1)
    f.string("output", None, "JSON file to write the numbers to.")


def main(values) -> None:
    """Measures and prints.

    Args:
      values: the flags.
    """
    common.load_tensorflow()
    from datasets import pipelines
    from nbf import FittingNetwork, targets

    networks = {name: FittingNetwork.from_pretrained(name) for name in values.networks}
    for name, network in networks.items():
        if not network.sees_parts:
            raise UserError(f"--networks={name}: its input is {network.input_map}, expected parts")
    features = (*targets.TARGET_FEATURES, "parts/encoded", "parts/valid")
    examples = pipelines.load(values.data, values.split, features=features)
    errors: dict[str, dict[str, float]] = {}
    for label, corrupt in corruptions().items():
        batches = corrupted(examples.take(values.people), corrupt).batch(64)
        errors[label] = {name: mean_error(network, batches) for name, network in networks.items()}
        print(label, *(f"{value:.1f}" for value in errors[label].values()), flush=True)
    print(f"\n{table(errors)}")
    if values.output:
        write_json(Path(values.output), errors)


def corruptions() -> Corruptions:
    """The rows of the table; the first is the true map."""
    from datasets import part_corruption as parts

    return {
        "true maps": lambda labels, seed: labels,
        "each part missing with p = 0.1": lambda labels, seed: parts.hide_parts(labels, seed, 0.1),
        "a box of 48 of 256 pixels hidden": lambda labels, seed: parts.hide_box(
            labels, seed, 48 / 256
        ),
        "a box of 96 of 256 pixels hidden": lambda labels, seed: parts.hide_box(
            labels, seed, 96 / 256
        ),
        "outlines shifted by 2 of 128 pixels": lambda labels, seed: parts.shift_outlines(
            labels, seed, 2 / 128
        ),
        "dilated by 2 of 128 pixels": lambda labels, seed: parts.grow(labels, 2),
        "dilated by 4 of 128 pixels": lambda labels, seed: parts.grow(labels, 4),
        "crop shifted by 5 of 128 pixels": lambda labels, seed: parts.displace(
            labels, 1.0, _direction(seed) * 5 / 128
        ),
        "crop scale 0.8 to 1.2": lambda labels, seed: parts.displace(
            labels, _scale(seed), [0.0, 0.0]
        ),
        "legs swapped": lambda labels, seed: parts.swap_legs(labels),
    }


def _direction(seed):
    import tensorflow as tf

    angle = tf.random.stateless_uniform([], seed, 0.0, 6.2831853)
    return tf.stack([tf.sin(angle), tf.cos(angle)])


def _scale(seed):
    import tensorflow as tf

    return tf.random.stateless_uniform([], seed, 0.8, 1.2)


def corrupted(examples, corrupt: Callable):
    """Corrupts the maps of Examples, each with its own seed.

    Args:
      examples: dataset of decoded Examples.
      corrupt: labels, seed -> labels.

    Returns:
      The dataset.
    """
    import tensorflow as tf

    def change(number, example):
        seed = tf.stack([number, tf.constant(0, number.dtype)])
        return {**example, "parts": corrupt(example["parts"], seed)}

    return tf.data.Dataset.zip(tf.data.Dataset.counter(), examples).map(change)


def mean_error(network, batches) -> float:
    """The mean distance of SMPL's joints from the true ones, without alignment, mm.

    Args:
      network: a fitting network whose input is parts.
      batches: of decoded Examples.
    """
    import numpy as np
    import tensorflow as tf

    from nbf import targets

    predict = tf.function(network, reduce_retracing=True)
    found = []
    for batch in batches:
        inputs, true = targets.fitting_targets(batch, network.input_map, network.input_size)
        offsets = predict(inputs)["joints_3d"] - true["joints_3d"]
        found.append(1000 * np.linalg.norm(offsets, axis=-1).mean(-1))
    return float(np.concatenate(found).mean())


def table(errors: Mapping[str, Mapping[str, float]]) -> str:
    """Formats errors as Markdown: of each network, and in brackets the increase by the corruption.

    Args:
      errors: corruption (the true maps first) -> network -> mm.
    """
    clean = next(iter(errors.values()))
    lines = [
        f"| err_joints3D, mm | {' | '.join(Path(name).name for name in clean)} |",
        "|---" * (len(clean) + 1) + "|",
    ]
    for label, row in errors.items():
        cells = [
            f"{value:.1f}" if row is clean else f"{value:.1f} (+{value - clean[name]:.1f})"
            for name, value in row.items()
        ]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines).replace("+-", "−")


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
