r"""Measures how many labels your own data set needs: NBF's Table 4 on it, with a curve and advice.

    python experiments/label_budget.py --flagfile=experiments/flags/nbf_quickstart.cfg \
        --data=data/mine --synthetic_train=0 --synthetic_val=0 --synthetic_test=0

Takes the flags of train_nbf.py and trains once for each share of people whose 3D labels are used
(--shares_3d), each share whose 2D labels are used (--shares_2d) and each seed, which also decides
who keeps labels; a larger share keeps all that a smaller one keeps. All are measured on the whole
of --test_split. --output gets index.html and curve.svg (the error against the share, with the 95 %
confidence interval over the seeds), record.json, and a sentence that says how many labels are
enough. Run the same command again after an interruption: finished trainings are kept, others
continue. The 21 trainings of experiments/flags/nbf_small_tables.cfg take a minute of CPU each.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages come before all others
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.nbf.flags import define_run_flags
from experiments.runs import common
from experiments.runs.common import UsageError
from experiments.runs.flag_definer import FlagDefiner
from experiments.runs.run_folder import git_commit, versions
from experiments.tables import label_budget
from experiments.tables import runs as table_runs
from smpl_tf.files import write_json, write_text

FIRST_FLAGS = ("data", "shares_3d", "shares_2d", "seeds", "output", "jobs", "tolerance")
_SHARES = ("1", "0.5", "0.2", "0.1", "0.05", "0.02", "0")


def define_flags(values) -> None:
    """Adds the script's flags to those of a training.

    Args:
      values: gets the flags.
    """
    define_run_flags(values)
    f = FlagDefiner(values)
    f.strings("shares_3d", _SHARES, "Shares of the people whose 3D labels are used.")
    f.strings("shares_2d", ["1"], "Shares of the people whose 2D labels are used.")
    f.strings("seeds", ["0", "1", "2"], "Seeds of the trainings, separated by commas.")
    f.number(
        "tolerance",
        0.05,
        "Largest relative increase in error, over all labels, that counts as enough.",
    )
    f.integer("jobs", 1, "Number of trainings at the same time.", 1)
    f.integer("threads", 0, "Threads per training (0: as TensorFlow chooses).", 0)
    f.string("output", "label_budget", "Folder of trainings and results.")


def main(values) -> int | None:
    """Runs the missing trainings and writes the curve.

    Args:
      values: the flags.

    Returns:
      1 if a training failed.
    """
    for name in ("share_3d", "share_2d", "seed"):
        if values[name].present:
            raise UsageError(f"--{name}: is set for each training; give --{_many(name)}")
    if values.stage != "fitting":
        raise UsageError(f"--stage={values.stage}: labels in 3D and 2D are of --stage=fitting")
    shares_3d, shares_2d = _shares(values, "shares_3d"), _shares(values, "shares_2d")
    output, seeds = Path(values.output), table_runs.seeds_of(values.seeds)
    steps = label_budget.plan(values, shares_3d, shares_2d, seeds, output / "runs")

    def report(failed=()):
        if any(step.done.is_file() for step in steps.values()):
            return _report(values, steps, output, failed)
        return None

    with common.working_in(output):
        left = [step for step in steps.values() if not step.done.is_file()]
        failed = []
        if left:
            logs = output / "logs"
            failed = table_runs.execute(left, values.jobs, values.threads, logs, report)
        text = report(failed)
    if text:
        print(text)
        print(f"record  {output / 'record.json'}\npage    {output / 'index.html'}")
    if failed:
        print("\n".join(failed), file=sys.stderr)
        return common.EXIT_ERROR
    return None


def _report(values, steps, output, failed) -> str:
    """Writes the curve of the finished trainings; gives table and advice as text."""
    # Imported late: the page's pictures load OpenCV and matplotlib.
    from experiments.pages import report
    from experiments.tables import budget_page

    key, cells = label_budget.read_cells(steps)
    name, unit = label_budget.ERRORS[key]
    people = label_budget.training_people(steps)
    sentences = label_budget.advise(cells, unit, values.tolerance, people)
    done = sum(len(cell.errors) for cell in cells)
    lead = f"{done} of {len(steps)} trainings on {people} people of {values.data}."
    record = {
        "data": values.data,
        "people": people,
        "error": key,
        "advice": sentences,
        "cells": [
            {
                "share_3d": cell.share_3d,
                "share_2d": cell.share_2d,
                "mean": cell.mean,
                "half_interval_95": cell.uncertainty,
                "by_seed": {str(seed): error for seed, error in cell.errors.items()},
            }
            for cell in cells
        ],
        "trainings": {step.name: list(step.command) for step in steps.values()},
        "failures": list(failed),
        "versions": versions(),
        "git_commit": git_commit(),
    }
    details = [("command of the first training", " ".join(next(iter(steps.values())).command))]
    details += [(package, version) for package, version in record["versions"].items()]
    curve = budget_page.curve(cells, f"{name}, {unit}")
    page = budget_page.make_page(cells, curve, unit, sentences, lead, failed, details)
    write_json(output / "record.json", record)
    write_text(output / "curve.svg", curve)
    report.write(page, output / "index.html")
    return "\n".join([f"\n{page.table}\n", *sentences, ""])


def _many(name: str) -> str:
    """The flag of this script for a training's flag."""
    return "seeds" if name == "seed" else name.replace("share_", "shares_")


def _shares(values, flag) -> list[float]:
    try:
        shares = [float(share) for share in values[flag].value]
    except ValueError:
        shares = []
    if not shares or len({*shares}) < len(shares) or not all(0 <= s <= 1 for s in shares):
        raise UsageError(
            f"--{flag}={','.join(values[flag].value)}: expected different shares from 0 to 1, "
            "such as 1,0.5,0.1"
        )
    return sorted(shares, reverse=True)


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags, resumes=True))
