"""Measures how the time of scripts grows with the number of their items.

    python experiments/benchmark_growth.py --output=growth.json

Synthetic people are converted, their pictures predicted, their 3D points fitted, each in a new
process with 1, 2, 4 and 8 times --items. Growth compares what a further item costs in the last
doubling and in the first: 1 is linear. CPU time with one thread is valid on a busy machine. It
takes some 10 minutes.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.runs import common
from experiments.runs.common import UserError
from experiments.runs.flag_definer import FlagDefiner
from smpl_tf.files import write_json

FACTORS = (1, 2, 4, 8)
SCRIPTS = ("convert", "predict", "fit")


class Cost(NamedTuple):
    """What a script cost.

    Attributes:
      items: how many it was given.
      cpu_seconds: of its processes.
      page_bytes: size of its page; None: it has none.
    """

    items: int
    cpu_seconds: float
    page_bytes: int | None


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: gets the flags.
    """
    f = FlagDefiner(values)
    f.integer("items", 16, "Smallest number of items; people, pictures or bodies.", 1)
    f.strings("scripts", SCRIPTS, "Scripts to measure.")
    f.string("output", None, "JSON file to write the numbers to.")


def main(values) -> None:
    """Runs the scripts and prints what an item costs.

    Args:
      values: the flags.
    """
    unknown = [name for name in values.scripts if name not in SCRIPTS]
    if unknown:
        raise UserError(f"--scripts: expected convert, predict or fit, got {', '.join(unknown)}")
    common.load_tensorflow()
    from experiments.pages.report import Table

    counts = [factor * values.items for factor in FACTORS]
    with tempfile.TemporaryDirectory() as folder:
        commands = _commands(Path(folder), counts)
        measured = {
            name: [_cost(commands[name], count, Path(folder)) for count in counts]
            for name in values.scripts
        }
    rows = []
    for name, costs in measured.items():
        rows += [[f"{name}, {cost.items}", *_cells(cost)] for cost in costs]
        rows.append([f"{name}, growth", f"{growth(costs):.2f}", "", ""])
    print(Table(["", "CPU", "CPU per item", "page"], rows))
    if values.output:
        record = {
            name: {"costs": [cost._asdict() for cost in costs], "growth": growth(costs)}
            for name, costs in measured.items()
        }
        write_json(Path(values.output), record)


def growth(costs: list[Cost]) -> float:
    """Compares what a further item costs among many with what it costs among few.

    Args:
      costs: with ever more items, at least three.

    Returns:
      CPU time per further item of the last step over that of the first; 1 if the time grows
      linearly, whatever the start costs. NaN if the first step cannot be told from noise.
    """
    slopes = [
        (later.cpu_seconds - earlier.cpu_seconds) / (later.items - earlier.items)
        for earlier, later in zip(costs, costs[1:], strict=False)
    ]
    return slopes[-1] / slopes[0] if slopes[0] > 0 else float("nan")


def _cells(cost: Cost) -> list[str]:
    page = "" if cost.page_bytes is None else f"{cost.page_bytes / 1e6:.1f} MB"
    return [f"{cost.cpu_seconds:.1f} s", f"{1000 * cost.cpu_seconds / cost.items:.0f} ms", page]


def _commands(folder: Path, counts: list[int]) -> dict[str, Callable[[int, Path], list[str]]]:
    """Name -> the arguments of a script for one of the numbers of items and an output folder."""
    from datasets.synthetic.generator import SyntheticConfig, read_examples

    people = list(read_examples(SyntheticConfig(image_size=128), "t", 0, max(counts)))
    for count in counts:
        np.savez(folder / f"{count}.npz", points=[one["joints/3d"] for one in people[:count]])
        (folder / f"pictures_{count}").mkdir()
        for index, one in enumerate(people[:count]):
            picture = folder / f"pictures_{count}" / f"{index:04}.png"
            picture.write_bytes(one["image/encoded"])
    return {
        "convert": lambda count, output: [
            *("convert_dataset.py", "--dataset=synthetic", "--split=train", "--workers=0"),
            *(f"--count={count}", f"--output={output}"),
        ],
        "predict": lambda count, output: [
            *("predict.py", str(folder / f"pictures_{count}"), f"--output={output}"),
        ],
        "fit": lambda count, output: [
            *("fit.py", f"--points={folder / f'{count}.npz'}", "--skeleton=smpl_24"),
            f"--output={output}",
        ],
    }


def _cost(command: Callable[[int, Path], list[str]], count: int, folder: Path) -> Cost:
    """Runs a script in a new process.

    Raises:
      UserError: it failed.
    """
    output = Path(tempfile.mkdtemp(dir=folder)) / "output"
    script, *arguments = command(count, output)
    before = _cpu_of_children()
    threads = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
    answer = subprocess.run(
        [sys.executable, str(common.REPOSITORY / "experiments" / script), *arguments],
        env={**os.environ, **threads},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise UserError(f"{script} failed with {count} items: {answer.stderr.strip()[-300:]}")
    page = output / "index.html"
    size = page.stat().st_size if page.exists() else None
    return Cost(count, _cpu_of_children() - before, size)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
