"""The error as a function of the share of labels: runs, their statistics, and advice."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags

from experiments.runs.common import UserError
from experiments.runs.run_folder import RunFolder, serialize_flags
from experiments.tables.plan import Step

# What is drawn: the first of these that every run has measured.
ERRORS = {
    "err_joints3d_mm": ("err_joints3D", "mm"),
    "measured_pa_mpjpe_mean_mm": ("PA-MPJPE of the measured joints", "mm"),
    "missed_percent": ("joints outside of PCKh@0.5", "%"),
}
_SET_HERE = ("share_3d", "share_2d", "seed", "runs_dir", "run_name")
_CONFIDENCE = 0.95


class Cell(NamedTuple):
    """The trainings with some share of the labels.

    Attributes:
      share_3d: of the people whose 3D labels are used, 0 to 1.
      share_2d: of those whose 2D labels are used.
      errors: seed -> error of the finished run.
    """

    share_3d: float
    share_2d: float
    errors: Mapping[int, float]

    @property
    def mean(self) -> float:
        """Of the seeds."""
        return statistics.fmean(self.errors.values())

    @property
    def uncertainty(self) -> float | None:
        """Half the 95 % confidence interval of the mean; None of a single seed."""
        return half_interval([*self.errors.values()])


def half_interval(values: Sequence[float]) -> float | None:
    """Half the 95 % confidence interval of a mean, by Student's t; None of one value."""
    if len(values) < 2:
        return None
    from scipy.stats import t

    deviation = statistics.stdev(values) / math.sqrt(len(values))
    return float(t.ppf((1 + _CONFIDENCE) / 2, len(values) - 1)) * deviation


def name_of(share_3d: float, share_2d: float, seed: int) -> str:
    """The folder of a run, such as `3d_20_2d_100_seed0`."""
    return f"3d_{100 * share_3d:g}_2d_{100 * share_2d:g}_seed{seed}"


def plan(
    values: flags.FlagValues,
    shares_3d: Sequence[float],
    shares_2d: Sequence[float],
    seeds: Sequence[int],
    runs: Path,
) -> dict[tuple[float, float, int], Step]:
    """Plans a training for each share and seed; seeds come last, so that a curve is there early.

    Args:
      values: the flags of a training, and others.
      shares_3d: 0 to 1.
      shares_2d: 0 to 1.
      seeds: of the runs; they decide who keeps labels, too.
      runs: the folder of the runs.

    Returns:
      Shares of 3D and 2D labels and seed -> step.

    Raises:
      UserError: a folder has results of other flags.
    """
    steps: dict[tuple[float, float, int], Step] = {}
    for seed in seeds:
        for share_2d in shares_2d:
            for share_3d in shares_3d:
                if share_3d == share_2d == 0:
                    continue  # nobody has labels
                name = name_of(share_3d, share_2d, seed)
                own = dict(zip(_SET_HERE, (share_3d, share_2d, seed, runs, name), strict=True))
                run = RunFolder(runs / name)
                needs = ()
                if steps and values.synthetic_train:
                    # Two trainings must not make the same people at the same time.
                    needs = (next(iter(steps.values())).name,)
                command = _command(values, own)
                changed = run.has_results() and run.changed_flag(_parsed(command))
                if changed:
                    raise UserError(
                        f"{run.path}: recorded with {changed}; move the folder away, or give "
                        "another --output"
                    )
                steps[share_3d, share_2d, seed] = Step(
                    name, command, run.path, run.record_file, needs
                )
    return steps


def _command(values: flags.FlagValues, own: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the training script and its flags."""
    known = _parsed(())
    lines = {n: line for n, line in serialize_flags(values).items() if n in known}
    lines |= {name: f"--{name}={value}" for name, value in own.items()}
    if values.workers is not None:  # how a run is carried out is not among the others
        lines["workers"] = f"--workers={values.workers}"
    return ("experiments/train_nbf.py", *lines.values())


def _parsed(command: Sequence[str]) -> flags.FlagValues:
    from experiments.nbf.flags import define_run_flags

    values = flags.FlagValues()
    define_run_flags(values)
    values(["", *command[1:]])
    return values


def read_cells(steps: Mapping[tuple[float, float, int], Step]) -> tuple[str, list[Cell]]:
    """Reads the finished runs.

    Args:
      steps: of `plan`.

    Returns:
      Which of ERRORS all of them have, and the cells that have a run, in the order of the plan.

    Raises:
      UserError: they have no measure in common.
    """
    measured: dict[tuple[float, float], dict[int, dict[str, float]]] = {}
    for (share_3d, share_2d, seed), step in steps.items():
        record = RunFolder(step.folder).read_record()
        if record:
            metrics = dict(record["metrics"])
            if "pckh_percent" in metrics:
                metrics["missed_percent"] = 100 - metrics["pckh_percent"]
            measured.setdefault((share_3d, share_2d), {})[seed] = metrics
    every = [metrics for by_seed in measured.values() for metrics in by_seed.values()]
    common = [key for key in ERRORS if all(metrics.get(key) is not None for metrics in every)]
    if not common:
        raise UserError(
            "the runs have no error in common: the split for test knows neither 3D joints nor "
            "annotated points; give one that does as --test_split"
        )
    cells = [
        Cell(*shares, {seed: float(metrics[common[0]]) for seed, metrics in by_seed.items()})
        for shares, by_seed in measured.items()
    ]
    return common[0], cells


def training_people(steps: Mapping[tuple[float, float, int], Step]) -> int:
    """Returns the number of people in the first finished training."""
    records = (RunFolder(step.folder).read_record() for step in steps.values())
    return next(record["training_people"] for record in records if record)


def advise(cells: Sequence[Cell], unit: str, tolerance: float, people: int) -> list[str]:
    """Gives advice on 3D labels, and on 2D labels if their share differs too.

    Args:
      cells: all of them.
      unit: of the errors.
      tolerance: see `advice`.
      people: in the training set.

    Returns:
      One sentence or two.
    """
    most_2d = max(cell.share_2d for cell in cells)
    with_most = [cell for cell in cells if cell.share_2d == most_2d]
    sentences = [advice(with_most, "3D", unit, tolerance, people)]
    if len({cell.share_2d for cell in cells}) > 1:
        # Where 3D labels are few, 2D labels are worth most.
        few = min((cell.share_3d for cell in cells if cell.share_3d), default=0.0)
        line = [cell for cell in cells if cell.share_3d == few]
        sentence = advice(line, "2D", unit, tolerance, people)
        sentences.append(f"With 3D labels of {100 * few:g} %: {sentence}")
    return sentences


def advice(cells: Sequence[Cell], kind: str, unit: str, tolerance: float, people: int) -> str:
    """Returns a sentence on how many labels are enough.

    A share is enough where it, and every larger one, is within the tolerance of all labels, the
    uncertainty of that included: of the differences between runs of one seed.

    Args:
      cells: of one curve.
      kind: "3D" or "2D", the labels whose share differs.
      unit: of the errors.
      tolerance: how much larger an error may be than with all labels, 0.05 for 5 %.
      people: in the training set.

    Returns:
      The sentence.
    """
    by_share = sorted(cells, key=lambda cell: _share(cell, kind), reverse=True)
    most, *others = by_share
    whole = f"{most.mean:.1f} {unit} with {_shown(most, kind)}"
    if not others:
        return f"One share alone, {whole}: give more shares to see what {kind} labels bring."
    gaps = [_gap(cell, most) for cell in others]
    if any(uncertainty is None for _, uncertainty in gaps):
        return (
            f"One seed has been run ({whole}), and chance is unknown: give more seeds before you "
            f"decide about {kind} labels."
        )
    enough = most
    for cell, (gap, uncertainty) in zip(others, gaps, strict=True):
        if gap + uncertainty > tolerance * most.mean:
            break
        enough = cell
    if enough is not most:
        gap, uncertainty = gaps[others.index(enough)]
        count = round(_share(enough, kind) * people)
        return (
            f"{kind} labels of {_shown(enough, kind)} of the people ({count} of {people}) are "
            f"enough: {enough.mean:.1f} {unit}, {gap:+.1f} ± {uncertainty:.1f} {unit} from the "
            f"{whole}."
        )
    gap, uncertainty = gaps[0]
    change = (
        f"from {_shown(others[0], kind)} to {_shown(most, kind)} of the people it changes by "
        f"{-gap:+.1f} ± {uncertainty:.1f} {unit}, to {most.mean:.1f}"
    )
    if gap - uncertainty > 0:
        return f"Label more people in {kind}: the error still falls, {change}."
    return (
        f"The seeds differ too much to say how many {kind} labels are enough ({change}): give "
        "more seeds or more people for test."
    )


def _share(cell: Cell, kind: str) -> float:
    return cell.share_3d if kind == "3D" else cell.share_2d


def _shown(cell: Cell, kind: str) -> str:
    return f"{100 * _share(cell, kind):g} %"


def _gap(cell: Cell, most: Cell) -> tuple[float, float | None]:
    """How much worse a cell is than the one with most labels, seed by seed, and ± of that."""
    shared = [seed for seed in cell.errors if seed in most.errors]
    gaps = [cell.errors[seed] - most.errors[seed] for seed in shared]
    return (statistics.fmean(gaps) if gaps else cell.mean - most.mean), half_interval(gaps)
