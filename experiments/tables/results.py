"""The results of the rows of a table: results/<scale>/<table>.json."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from experiments.runs import side_files
from experiments.runs.common import UserError
from experiments.tables.plan import Plan, Source, difference
from experiments.tables.types import Row, Table
from smpl_tf.files import write_json

# From the record of a chained evaluation.
_CHAINED = {
    "chained_f1_percent": ("segmentation_metrics", "mean_f1_percent"),
    "chained_iou_percent": ("segmentation_metrics", "mean_iou_percent"),
    "chained_rank_correlation": ("rank_correlation_of_f1_and_error",),
}
_DIGITS = 6  # significant digits of stored numbers

Entry = Mapping[str, Any]


class Results:
    """The results of one table.

    Attributes:
      entries: (key of the row, seed) -> result.
      outdated: the keys of entries that today's flags would not give; they are shown, not judged.

    Args:
      folder: of the results of this scale.
      table: the table.
    """

    def __init__(self, folder: Path, table: Table):
        """Reads the recorded results."""
        self.table, self.path = table, folder / f"{table.key}.json"
        self.entries: dict[tuple[str, int], Entry] = {}
        self.outdated: set[tuple[str, int]] = set()
        if self.path.is_file():
            content = _read(self.path, runs=list)
            self.entries = {(one["row"], one["seed"]): one for one in content["runs"]}

    def has(self, row: Row, seed: int, source: Source) -> bool:
        """Whether a row is recorded with the current flags.

        Args:
          row: of the table.
          seed: of the run.
          source: of its numbers.

        Returns:
          True if it is recorded.
        """
        entry = self.entries.get((row.key, seed), {})
        # A measure that the paper has and an older record has not is still to be taken.
        known = row.published.keys() <= entry.get("metrics", {}).keys()
        return entry.get("digest") == source.digest and known

    def gather(self, plan: Plan, sources: Mapping[tuple[str, int], Source]) -> None:
        """Collects finished results, and writes the file.

        Args:
          plan: with the steps.
          sources: (key of the row, seed) -> source of its numbers.
        """
        for row in self.table.rows:
            for (key, seed), source in sources.items():
                steps = [plan.steps[name] for name in source.steps]
                timed = "cpu_seconds" in self.entries.get((key, seed), {})
                if key != row.key or (self.has(row, seed, source) and timed):
                    continue
                if all(step.done.is_file() and not difference(step) for step in steps):
                    self.entries[key, seed] = _entry(self.table, row, seed, source, plan)
        order = [row.key for row in self.table.rows]
        self.entries = {
            at: self.entries[at]
            for at in sorted(self.entries, key=lambda at: (order.index(at[0]), at[1]))
            if at[0] in order
        }
        if self.entries:
            write_json(self.path, {"table": self.table.key, "runs": [*self.entries.values()]})

    def mark_outdated(self, plan: Plan) -> None:
        """Finds which entries the flags of now would not give.

        Args:
          plan: that steps may be added to.
        """
        for row in self.table.rows:
            try:
                found = [(row.key, seed) for key, seed in self.entries if key == row.key]
                now = {at: plan.add(row, at[1]).digest for at in found}
            except UserError:  # of flag files that are not there
                continue
            stale = {at for at in found if self.entries[at].get("digest") != now[at]}
            self.outdated = (self.outdated - {*found}) | stale

    def seeds(self) -> list[int]:
        """The seeds that any row has."""
        return sorted({seed for _, seed in self.entries})

    def of_seed(self, seed: int) -> dict[str, dict[str, float]]:
        """Returns the numbers of one seed.

        Args:
          seed: the seed.

        Returns:
          Key of the row -> metric -> value.
        """
        return {
            key: e["metrics"]
            for (key, s), e in self.entries.items()
            if s == seed and (key, s) not in self.outdated
        }

    def values(self, row: str, metric: str, outdated: bool = True) -> list[float]:
        """Returns the numbers of a row for all seeds.

        Args:
          row: its key.
          metric: which.
          outdated: whether outdated entries count.

        Returns:
          The available values.
        """
        found = [
            e["metrics"].get(metric)
            for at, e in self.entries.items()
            if at[0] == row and (outdated or at not in self.outdated)
        ]
        return [value for value in found if value is not None]

    def medians(self) -> dict[str, dict[str, float]]:
        """Returns the medians over the seeds, without outdated entries.

        Returns:
          Key of the row -> metric -> value.
        """
        return {
            row.key: {
                column.key: statistics.median(values)
                for column in self.table.columns
                if (values := self.values(row.key, column.key, outdated=False))
            }
            for row in self.table.rows
            if any(key == row.key for key, _ in self.entries.keys() - self.outdated)
        }


def published(table: Table) -> dict[str, Mapping[str, float]]:
    """Returns the paper's numbers.

    Args:
      table: the table.

    Returns:
      Key of the row -> metric -> value.
    """
    return {row.key: row.published for row in table.rows if row.published}


def distinct_runs(every: Iterable[Results]) -> dict[str, Entry]:
    """Returns the trainings of several tables without duplicates.

    Args:
      every: the results of the tables.

    Returns:
      Name of the run -> one of its entries.
    """
    return {e["run"]: e for results in every for e in results.entries.values()}


def measured_hours(every: Iterable[Results]) -> dict[str, float]:
    """Returns the CPU time of trainings.

    Args:
      every: the results of the tables.

    Returns:
      Name of the run without its seed -> hours, the median over the seeds.
    """
    found: dict[str, list[float]] = {}
    for name, entry in distinct_runs(every).items():
        if "cpu_seconds" in entry:
            stem = name.removesuffix(f"_seed{entry['seed']}")
            found.setdefault(stem, []).append(entry["cpu_seconds"] / 3600)
    return {stem: statistics.median(hours) for stem, hours in found.items()}


def _entry(table, row, seed, source, plan):
    run = plan.steps[source.run]
    record = _read(run.done)
    found = record["metrics"]
    if record.get("stage") == "dae":
        found = found | {f"input_{k}": v for k, v in record["baseline_metrics"].items()}
    if source.tried:
        found = _read(plan.steps[source.tried].done)["metrics"]
    if source.chained:
        found = found | _chained(_read(plan.steps[source.chained].done))
    metrics = {c.key: found.get(row.renamed.get(c.key, c.key)) for c in table.columns}
    timing = run.folder / "timing.json"
    return {
        "row": row.key,
        "seed": seed,
        "digest": source.digest,
        "run": source.run,
        "flag_file": str(run.flag_file.path),
        **({"further_flags": further} if (further := run.flag_file.arguments[1:]) else {}),
        "metrics": {k: float(f"{v:.{_DIGITS}g}") for k, v in metrics.items() if v is not None},
        "people": record["people"],
        **(_read(timing) if timing.is_file() else {}),
        "machine": machine(),
        "versions": record["versions"],
        "git_commit": record["git_commit"],
    }


def _chained(record):
    found = {}
    for key, path in _CHAINED.items():
        value = record
        for name in path:
            value = value[name]
        found[key] = value
    return found


def _read(path, **kinds):
    return side_files.read(path, kinds, "delete it to make its results again")


def machine() -> str:
    """Returns the processor's name and number of cores.

    Returns:
      The text.
    """
    name = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        lines = information.read_text(encoding="utf-8").splitlines()
        models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        name = next(iter(models), name)
    return f"{name}, {os.cpu_count()} cores"
