"""Reads the flag file of a row, without running anything."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from absl import flags

from experiments.nbf import flags as nbf_flags
from experiments.runs.common import UserError
from experiments.runs.renamed_flags import explain, name_of, with_old_name
from experiments.runs.run_folder import RunFolder, serialize_flags
from experiments.smplr import flags as smplr_flags
from experiments.tables import nbf, smplr
from experiments.tables.types import Variation

_NUMBER_WORDS = {
    "half an": 0.5,
    "a": 1.0,
    "an": 1.0,
    "one": 1.0,
    "two": 2.0,
    "three": 3.0,
    "six": 6.0,
    "ten": 10.0,
}
_HOURS = {"second": 1 / 3600, "minute": 1 / 60, "hour": 1.0, "day": 24.0}
_TIME = re.compile(
    rf"\b({'|'.join(_NUMBER_WORDS)}|\d+(?:\.\d+)?) (?:CPU )?({'|'.join(_HOURS)})s?\b", re.I
)


class FlagFile:
    """One flag file, or a variation of it.

    Attributes:
      name: of its runs, without the seed.
      arguments: of its script.

    Args:
      folder: of the flag files.
      stem: its name without the extension.
      variation: changed flags, or None.
    """

    def __init__(self, folder: Path, stem: str, variation: Variation | None = None):
        """Reads the file.

        Raises:
          UserError: it is missing, or a flag in it is wrong.
        """
        self.path, self.stem = folder / f"{stem}.cfg", stem
        self.name = f"{stem}_{variation.name}" if variation else stem
        self.arguments = [f"--flagfile={self.path}", *(variation.flags if variation else [])]
        if not self.path.is_file():
            raise UserError(f"{self.path}: no such flag file; start inside the repository")
        self.evaluation = stem in (*nbf.EVALUATED, *smplr.EVALUATED)
        self.values = self._defaults()
        try:
            self.values(["", *self.arguments])
        except flags.Error as error:
            raise UserError(f"{self.path}: {explain(error, self.values)}") from error

    @property
    def of_nbf(self) -> bool:
        """Whether the file is for NBF's scripts, not SMPLR's."""
        return self.stem.startswith("nbf_")

    @property
    def script(self) -> str:
        """The script for this file."""
        of = "nbf" if self.of_nbf else "smplr"
        return f"experiments/{'evaluate' if self.evaluation else 'train'}_{of}.py"

    def digest(self, seed: int) -> str:
        """Returns a hash of the result: equal for files that differ only in names and comments.

        Args:
          seed: of the run.

        Returns:
          A short hash of the flags that affect the result and differ from their default.
        """
        default = serialize_flags(self._defaults())
        shaping = {n: f for n, f in serialize_flags(self.values).items() if default.get(n) != f}
        # With the oldest names, so that renaming a flag does not change the hash.
        oldest = sorted(map(with_old_name, shaping.values()), key=name_of)
        lines = [self.script, f"--seed={seed}", *oldest, *self._changed_meaning()]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]

    def _changed_meaning(self) -> list[str]:
        """Returns changes in the effect of unchanged flags; empty for most files."""
        if "share_3d" in self.values and self.values.share_3d < 1:
            return ["mean of the 226 numbers: over the kept 3D labels; tried on everybody"]
        return []

    def difference(self, run: RunFolder, command: list[str]) -> str | None:
        """Compares the flags of a run with the current ones.

        Args:
          run: the run.
          command: the current flags.

        Returns:
          The first difference, or None.
        """
        values = self._defaults()
        values(["", *command])
        return run.changed_flag(values)

    def hours(self) -> float | None:
        """The first time in the file's comments; None for a variation."""
        if self.name != self.stem:
            return None
        comment = " ".join(re.findall("^# (.*)$", self.path.read_text("utf-8"), re.MULTILINE))
        found = _TIME.search(comment)
        if not found:
            return None
        number, unit = found[1].lower(), found[2].lower()
        return (_NUMBER_WORDS.get(number) or float(number)) * _HOURS[unit]

    def _defaults(self):
        values = flags.FlagValues()
        of = nbf_flags if self.of_nbf else smplr_flags
        define = of.define_evaluation_flags if self.evaluation else of.define_run_flags
        define(values)
        values([""])
        return values
