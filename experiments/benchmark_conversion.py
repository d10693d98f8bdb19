r"""Measures how fast a data set's raw files are converted to Examples.

    python experiments/benchmark_conversion.py --dataset=surreal --source=DIR --female_body=open \
        --male_body=open
    python -m tests.datasets.large_trees DIR    # generated trees of every set, for a test

It takes the flags of convert_dataset.py, reads items repeatedly on all cores until --cpu_seconds
are used, and writes nothing. The start of each process (reading the body, compiling) is not
counted. CPU time per Example is valid on a busy machine, Examples per second is not.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import sys
import time
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments import convert_dataset
from experiments.runs import common
from experiments.runs.common import UserError
from experiments.runs.flag_definer import FlagDefiner

_WARM_UP = 3  # uncounted items per process
_REPEATS = 10_000  # maximum repetitions of the source's items


def define_flags(values) -> None:
    """Adds the script's flags to those of the conversion.

    Args:
      values: gets the flags.
    """
    convert_dataset.define_flags(values)
    text = "How long to read, seconds of all processes together."
    FlagDefiner(values).number("cpu_seconds", 20.0, text, low=0.01)


def main(values) -> None:
    """Reads one split for some time and prints the speed.

    Args:
      values: the flags.
    """
    common.require(values, "dataset", "source")
    if values.dataset == convert_dataset.SYNTHETIC:
        raise UserError("--dataset=synthetic has no raw files to read")
    common.load_tensorflow()
    from datasets import processes

    source = convert_dataset.SOURCES[values.dataset](values)
    items = list(source.items())
    workers = processes.num_cores() if values.workers is None else values.workers
    with common.quiet_c():
        counted = measure(source, items, workers, values.cpu_seconds)
    examples, num_bytes, cpu_seconds, seconds = counted
    if not examples:
        raise UserError(f"{values.source}: no item of split '{values.split}' gave an Example")
    milliseconds = 1000 * cpu_seconds / examples
    print(
        f"{values.dataset}: {examples} Examples of {num_bytes / examples / 1000:.1f} kB, "
        f"{milliseconds:.2f} ms of CPU each; {examples / seconds:.0f} a second in "
        f"{max(workers, 1)} processes, which had {100 * cpu_seconds / seconds:.0f} % of a core "
        f"({1000 * max(workers, 1) / milliseconds:.0f} a second with a core for each)"
    )


def measure(source, items, workers: int, enough: float) -> tuple[int, int, float, float]:
    """Reads and encodes items repeatedly.

    Args:
      source: the split.
      items: its items.
      workers: processes; 0 = this one.
      enough: CPU seconds after which it ends, without those of the processes' first items.

    Returns:
      Examples, their bytes, CPU seconds and wall seconds.
    """
    from datasets import processes

    many = list(itertools.islice(itertools.cycle(items), _REPEATS * len(items)))
    read = functools.partial(_read, source)
    examples = num_bytes = 0
    cpu_seconds = 0.0
    start = time.perf_counter()
    with contextlib.closing(processes.map_in_order(read, many, workers)) as results:
        for number, (count, size, cpu) in enumerate(results, 1 - _WARM_UP * max(workers, 1)):
            if number == 0:
                start = time.perf_counter()
            if number > 0:
                examples += count
                num_bytes += size
                cpu_seconds += cpu
                if cpu_seconds > enough:
                    break
    return examples, num_bytes, cpu_seconds, time.perf_counter() - start


def _read(source, item) -> tuple[int, int, float]:
    """Examples of an item, their bytes, and CPU seconds."""
    from datasets import conversion

    start = time.process_time()
    converted = conversion.convert_item(source, item)
    return len(converted.examples), converted.size, time.process_time() - start


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
