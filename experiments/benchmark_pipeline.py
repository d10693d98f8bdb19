"""Measures whether the input pipeline keeps up with the training of NBF's networks.

    python experiments/benchmark_pipeline.py --flagfile=experiments/flags/nbf_quickstart.cfg

It takes the flags of train_nbf.py. In each round it reads an epoch from the shards, then the same
number of batches of the next epoch (from memory with --cache), and then trains on one batch in
memory, so that other load on the machine affects all three equally. The ratios are medians over
the rounds: of wall time, and of CPU time, which does not depend on other load.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.nbf.flags import define_run_flags
from experiments.runs import common
from experiments.runs.flag_definer import FlagDefiner


def define_flags(values) -> None:
    """Adds the script's flags to those of the training.

    Args:
      values: gets the flags.
    """
    define_run_flags(values)
    flag = FlagDefiner(values)
    flag.integer("rounds", 5, "Number of rounds; reading and training alternate.", 1)
    flag.integer("training_steps", 10, "Steps of training per round.", 1)


def main(values) -> None:
    """Times reading and training in turns and prints their ratios.

    Args:
      values: the flags.
    """
    common.load_tensorflow(values.deterministic)
    from experiments.nbf import data as nbf_data
    from experiments.nbf import networks
    from experiments.nbf.stages import stage_of
    from experiments.runs import epochs, synthetic_people

    made = synthetic_people.generate(values, networks.people_of(values))
    stage, body = stage_of(values), networks.load_body(values)
    read = epochs.open_splits(values, made)
    split = read.train
    nbf_data.check_body_of(read.train.splits[0], body)
    network = stage.build(values, body)
    stage.compile(network, values, 1000)
    rounds = []
    for _ in range(1 + values.rounds):
        batches, steps = nbf_data.training_batches(values, split, 0, stage.feed(values))
        iterator = iter(batches)
        batch = next(iterator)  # opens the files, traces
        first = timed(iterator.get_next, steps - 1)
        later = timed(iterator.get_next, steps)
        del iterator
        train = trainer(network, batch)
        train()  # traces
        rounds.append((first, later, timed(train, values.training_steps)))
    examples_per_step = values.batch_size
    for name, place in (("first epoch, from the shards", 0), ("later epochs", 1)):
        # The first round warms up.
        pairs = [(one[2], one[place]) for one in rounds[1:]]
        wall, cpu = (
            statistics.median(train[kind] / read[kind] for train, read in pairs) for kind in (0, 1)
        )
        read = statistics.median(one[place][1] for one in rounds[1:]) / examples_per_step
        print(
            f"{name}: {1000 * read:.3f} ms of CPU per Example; the pipeline delivers "
            f"{wall:.1f} times what training consumes ({cpu:.1f} times by CPU time)"
        )
    trained = statistics.median(one[2][1] for one in rounds[1:]) / examples_per_step
    print(f"training: {1000 * trained:.3f} ms of CPU per Example")


def trainer(network, batch):
    """Returns a function that trains on a batch."""
    import tensorflow as tf

    repeated = iter(tf.data.Dataset.from_tensors(batch).repeat())
    network.make_train_function()
    return lambda: network.train_function(repeated)


def timed(call, times: int) -> tuple[float, float]:
    """Calls a function `times` times.

    Returns:
      Wall and CPU seconds per call; CPU seconds are of all threads.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        result = call()
    del result
    return (time.perf_counter() - wall) / times, (time.process_time() - cpu) / times


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
