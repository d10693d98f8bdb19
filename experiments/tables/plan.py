"""Plans the scripts to run for the rows of the papers' tables, and their order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.runs.common import UserError
from experiments.runs.run_folder import RunFolder
from experiments.tables.flag_files import FlagFile
from experiments.tables.nbf import SEGMENTED
from experiments.tables.papers import TABLES
from experiments.tables.types import Row, Variation

_RUNS = "runs/"  # the folder of all runs in flag files


class Step(NamedTuple):
    """One script that runs.

    Attributes:
      name: of the run, the evaluation or the segmentation.
      command: the script and its flags.
      folder: of its output, with timing.json.
      done: file that exists when it is finished.
      needs: names of the steps before it.
      flag_file: source of its flags; None: the previous step.
    """

    name: str
    command: tuple[str, ...]
    folder: Path
    done: Path
    needs: tuple[str, ...] = ()
    flag_file: FlagFile | None = None

    @property
    def stem(self) -> str:
        """The name without the seed, shared by steps of equal duration."""
        return re.sub(r"_seed\d+", "", self.name)

    @property
    def state(self) -> str:
        """One of "recorded", "to resume" and "to run"."""
        if self.done.is_file():
            return "recorded"
        return "to resume" if RunFolder(self.folder).has_results() else "to run"


class Source(NamedTuple):
    """The steps that give the numbers of one row and seed.

    Attributes:
      digest: hash of everything that affects them.
      run: step of the training, or of the evaluation that replaces it.
      tried: step of the evaluation on other people, or None.
      chained: step of the evaluation of both stages, or None.
    """

    digest: str
    run: str
    tried: str | None = None
    chained: str | None = None

    @property
    def steps(self) -> tuple[str, ...]:
        """All of these steps."""
        return tuple(step for step in (self.run, self.tried, self.chained) if step)


class Plan:
    """The steps of some tables.

    Attributes:
      steps: name -> step, each after what it needs.

    Args:
      scale: "small" or "paper".
      flag_files: folder of the flag files.
      runs_dir: folder of all runs.
      bodies: gender -> official body model file; the open body for missing genders.
    """

    def __init__(
        self,
        scale: str,
        flag_files: Path,
        runs_dir: Path,
        bodies: Mapping[str, str] | None = None,
    ):
        """Finds the rows that share a run."""
        self.scale, self._folder, self._runs = scale, flag_files, runs_dir
        self.bodies = dict(bodies or {})
        self.steps: dict[str, Step] = {}
        self._files: dict[tuple[str, str | None], FlagFile] = {}
        self._first_with: dict[str, FlagFile] = {}
        for table in TABLES.values():
            for row in table.rows if scale in table.scales else ():
                if (flag_files / f"{row.run[scale]}.cfg").is_file():
                    file = self.flag_file(row)
                    self._first_with.setdefault(file.digest(0), file)

    def add(self, row: Row, seed: int) -> Source:
        """Adds the steps of a row, without duplicates.

        Args:
          row: of a table.
          seed: of the run.

        Returns:
          The source of its numbers.

        Raises:
          UserError: a flag file is missing or wrong.
        """
        file = self.flag_file(row)
        digest = self._digest(file, seed)
        run = self._run(file, seed)
        tried = chained = None
        if row.tried_on:
            other = self._file(row.tried_on[self.scale])
            tried = self._tried(run, other)
            digest += f"-on-{self._digest(other, seed)}"
        if row.chained:
            chained = self._chained(run, file)
        return Source(digest, run, tried, chained)

    def flag_file(self, row: Row) -> FlagFile:
        """Returns the flag file of a row's training.

        Args:
          row: of a table.

        Returns:
          The file.
        """
        return self._file(row.run[self.scale], row.variation)

    def _file(self, stem: str, variation: Variation | None = None) -> FlagFile:
        key = stem, variation and variation.name
        if key not in self._files:
            self._files[key] = FlagFile(self._folder, stem, variation)
        return self._files[key]

    def _digest(self, file: FlagFile, seed: int) -> str:
        """Returns the run's digest, and that of a shipped segmenter that it uses."""
        source = SEGMENTED.get(file.values.data)
        shipped = _weights(source.segmenter) if source and "/" in source.segmenter else ""
        return file.digest(seed) + (f"-{shipped}" if shipped else "")

    def _run(self, file: FlagFile, seed: int) -> str:
        """Adds the run of a flag file, or of the first file with the same result."""
        file = self._first_with.get(file.digest(0), file)
        name = f"{file.name}_seed{seed}"
        if name in self.steps:
            return name
        needs, command = self._people(file), [file.script, *file.arguments]
        command += [f"--seed={seed}", f"--runs_dir={self._runs}"]
        for flag in ("networks", "initial_run", "segmentation_run", "run"):
            if flag not in file.values or not file.values[flag].value:
                continue
            value = file.values[flag].value
            folders = []
            for folder in value if isinstance(value, list) else [value]:
                if folder.startswith(_RUNS):
                    # Segmenters are trained once.
                    of = 0 if flag == "segmentation_run" else seed
                    needs.append(self._run(self._file(folder.removeprefix(_RUNS)), of))
                    folder = str(self._runs / needs[-1])
                folders.append(folder)
            command.append(f"--{flag}={','.join(folders)}")
        command += self._body_flags(file)
        folder = self._runs / name
        command.append(f"--output={folder}" if file.evaluation else f"--run_name={name}")
        self.steps[name] = Step(
            name, tuple(command), folder, folder / "record.json", tuple(needs), file
        )
        return name

    def bodies_of(self, file: FlagFile) -> tuple[str, ...]:
        """Returns the genders of the bodies in a flag file's script.

        Args:
          file: of a row.

        Returns:
          Their names; empty for a segmentation.
        """
        if file.of_nbf:
            return ("neutral",) if file.evaluation or file.values.stage == "fitting" else ()
        return ("neutral",) if file.values.neutral else ("female", "male")

    def _body_flags(self, file: FlagFile) -> list[str]:
        """Returns the flags for a script's official bodies."""
        return [
            f"--{'body_model' if file.of_nbf else f'{gender}_body'}={self.bodies[gender]}"
            for gender in self.bodies_of(file)
            if gender in self.bodies
        ]

    def _people(self, file: FlagFile) -> list[str]:
        """Adds the step that generates the people of a run, if possible."""
        data = file.values.data
        if data in SEGMENTED:
            splits = dict.fromkeys(("train", "val", file.values.test_split))
            return [self._segmented(data, split) for split in splits]
        made = makes_people(file) and not Path(data, "test.manifest.json").is_file()
        if not made:
            return []
        # Two runs must not generate the same people at the same time: only the first one does.
        return [
            step.name
            for step in self.steps.values()
            if step.flag_file and step.flag_file.values.data == data
        ][:1]

    def _segmenter(self, data: str) -> tuple[list[str], str]:
        """Adds the segmenter of a data set; returns the needed steps and the folder."""
        segmenter = SEGMENTED[data].segmenter
        if "/" in segmenter:
            return [], segmenter
        name = self._run(self._file(segmenter), 0)
        return [name], str(self._runs / name)

    def _segmented(self, data: str, split: str) -> str:
        name = f"{data}/{split}"
        if name not in self.steps:
            needs, folder = self._segmenter(data)
            command = ("experiments/segment_dataset.py", f"--run={folder}", f"--split={split}")
            command += (f"--data={SEGMENTED[data].people}", f"--output={data}")
            done = Path(data, f"{split}.manifest.json")
            self.steps[name] = Step(name, command, Path(data), done, tuple(needs))
        return name

    def _tried(self, run: str, other: FlagFile) -> str:
        needs = [run, *self._people(other)]
        name = f"{run}/on_{other.stem}"
        folder = self._runs / name
        command = ("experiments/evaluate_nbf.py", f"--run={self._runs / run}")
        command += (f"--data={other.values.data}", f"--output={folder}")
        command += tuple(self._body_flags(other))
        self.steps[name] = Step(name, command, folder, folder / "record.json", tuple(needs))
        return name

    def _chained(self, run: str, file: FlagFile) -> str:
        data = file.values.data
        needs, segmenter = self._segmenter(data)
        name = f"{run}/chained"
        folder = self._runs / name
        command = ("experiments/evaluate_nbf.py", f"--run={self._runs / run}")
        command += (f"--segmentation_run={segmenter}", f"--data={SEGMENTED[data].people}")
        command += (f"--output={folder}", *self._body_flags(file))
        self.steps[name] = Step(name, command, folder, folder / "record.json", (run, *needs))
        return name

    def open_steps(self, sources: Sequence[Source]) -> list[Step]:
        """Returns the steps left to run for some rows.

        Args:
          sources: of the rows without recorded results.

        Returns:
          Unfinished steps, each after those it needs.

        Raises:
          UserError: a run folder has results of other flags.
        """
        wanted: dict[str, Step] = {}

        def want(name):
            step = self.steps[name]
            if name in wanted or step.state == "recorded":
                check_flags(step)
                return
            for needed in step.needs:
                want(needed)
            wanted[name] = step

        for source in sources:
            for name in source.steps:
                want(name)
        for step in wanted.values():
            check_flags(step)
        return list(wanted.values())

    def missing_data(self) -> list[str]:
        """Returns the missing folders of data that no step generates."""
        files = [step.flag_file for step in self.steps.values() if step.flag_file]
        made = {file.values.data for file in files if makes_people(file)} | {*SEGMENTED}
        needed = {data for file in files for data in data_of(file)}
        return sorted(data for data in needed - made if not Path(data).is_dir())


def makes_people(file: FlagFile) -> bool:
    """Whether the script of a flag file makes its own people.

    Args:
      file: of a row.
    """
    return bool("synthetic_train" in file.values and file.values.synthetic_train)


def data_of(file: FlagFile) -> list[str]:
    """Returns the folders of data that a flag file reads.

    Args:
      file: of a row.

    Returns:
      Their names.
    """
    values = file.values
    if file.of_nbf:
        return values.data.split(",")
    named = [values[flag].value for flag in ("data", "motion", "voc") if values[flag].present]
    return [*dict.fromkeys(data for value in named if value for data in value.split(","))]


def check_flags(step: Step) -> None:
    """Rejects a run folder whose results were made with other flags.

    Args:
      step: of a training.

    Raises:
      UserError: a flag that affects the result differs.
    """
    changed = difference(step)
    if changed:
        raise UserError(
            f"{step.folder}: recorded with {changed}; move the folder away, or give another "
            "--runs_dir"
        )


def difference(step: Step) -> str | None:
    """Checks whether the results in a run folder were made with other flags.

    Args:
      step: of a training.

    Returns:
      The first flag that differs, or None.
    """
    run = RunFolder(step.folder)
    if not step.flag_file or step.flag_file.evaluation or not run.has_results():
        return None
    return step.flag_file.difference(run, list(step.command[1:]))


def _weights(folder: str) -> str:
    """Returns a short hash of the model of a shipped run."""
    model = RunFolder(folder).model_file
    if not model.is_file():
        raise UserError(f"{model}: no weights here; run the script inside the repository")
    return hashlib.sha256(model.read_bytes()).hexdigest()[:8]
