"""Where the time of a command goes, stage by stage."""

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
        """Counts the block towards a stage, also if it fails."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - start

    def table(self, count: int, unit: str) -> Table:
        """Lays the stages out.

        Args:
          count: how many things were done.
          unit: what one of them is called.

        Returns:
          Milliseconds per thing, and the share of the whole.
        """
        used = {stage: seconds for stage, seconds in self.seconds.items() if seconds}
        total = sum(used.values())
        rows = [
            [stage, f"{1000 * seconds / max(count, 1):.1f} ms", f"{100 * seconds / total:.0f} %"]
            for stage, seconds in used.items()
        ]
        rows.append(["together", f"{1000 * total / max(count, 1):.1f} ms", ""])
        return Table([f"stage, of {count} {unit}", f"per {unit.removesuffix('s')}", "share"], rows)
