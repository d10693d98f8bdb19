"""Measures the time of a command by stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from experiments.pages.report import Table


class Stopwatch:
    """Adds up wall-clock seconds by stage.

    Args:
      stages: their names, in the order of the table.
    """

    def __init__(self, *stages: str):
        self.seconds = dict.fromkeys(stages, 0.0)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Adds the time of the block to a stage, also if it fails."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - start

    def table(self, count: int, unit: str) -> Table:
        """Makes a table of the stages.

        Args:
          count: number of processed items.
          unit: name of the items, plural.

        Returns:
          Milliseconds per item, and the fraction of the total.
        """
        used = {stage: seconds for stage, seconds in self.seconds.items() if seconds}
        total = sum(used.values())
        rows = [
            [stage, f"{1000 * seconds / max(count, 1):.1f} ms", f"{100 * seconds / total:.0f} %"]
            for stage, seconds in used.items()
        ]
        rows.append(["together", f"{1000 * total / max(count, 1):.1f} ms", ""])
        return Table([f"stage, of {count} {unit}", f"per {unit.removesuffix('s')}", "share"], rows)
