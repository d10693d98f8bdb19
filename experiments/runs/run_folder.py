"""The folder of a run: flags.cfg, model.keras, record.json, checkpoints/, tensorboard/, report/.

Files are written atomically, so that a file with its final name is complete. Only one process at a
time uses a folder, and only with the flags that the folder was created with.
"""

from __future__ import annotations

import functools
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from absl import flags

from experiments.runs import side_files
from experiments.runs.common import REPOSITORY, UserError
from experiments.runs.renamed_flags import name_of, with_new_name
from smpl_tf import file_kinds, locks
from smpl_tf.errors import one_line
from smpl_tf.files import remove_leftovers, write_text

MODEL_FILE = "model.keras"

# Method -> its training script, and an example of a run folder.
_PRINTED_BY = {
    "NBF": ("train_nbf.py", "runs/nbf_quickstart"),
    "SMPLR": ("train_smplr.py", "runs/smplr_pose_shape"),
}

# These flags do not affect the result and may change on resuming.
FREE_FLAGS = frozenset(
    {"help", "debug", "overwrite", "runs_dir", "run_name", "workers", "strategy"}
)
# absl's own flags, which read files or change the parsing of others; a run never writes them.
_NOT_IN_RUNS = frozenset(
    {"flagfile", "undefok", "help", "helpfull", "helpshort", "helpxml", "only_check_args"}
)
_FLAG = re.compile(r"--[a-z][a-z0-9_]*(=.*)?")
_MOST_FLAG_BYTES = 1 << 20


def local_path(path: Path | str) -> Path:
    """Rejects URLs, which a Path would turn into local paths.

    Args:
      path: from the user.

    Returns:
      The path.

    Raises:
      UserError: it is a URL.
    """
    if re.match(r"\w+:/", str(path)):  # a Path drops the second slash
        raise UserError(
            f"{path}: give a local or mounted folder: a run is locked and its files are renamed, "
            "which other file systems cannot; only --data and --output of a conversion may lie "
            "anywhere"
        )
    return Path(path)


class RunFolder:
    """One run on the disk.

    Args:
      path: the folder; it need not exist yet.
    """

    def __init__(self, path: Path | str):
        """Defines the files of the folder.

        Raises:
          UserError: the folder is not local.
        """
        self.path = local_path(path)
        self.flags_file = self.path / "flags.cfg"
        self.record_file = self.path / "record.json"
        self.model_file = self.path / MODEL_FILE
        self.checkpoints = self.path / "checkpoints"
        self.tensorboard = self.path / "tensorboard"
        self.report = self.path / "report" / "index.html"

    @classmethod
    def existing(cls, path: Path | str, method: str | None = None) -> RunFolder:
        """Opens the folder of an earlier run.

        Args:
          path: the folder.
          method: required method, "NBF" or "SMPLR"; None: any.

        Returns:
          The run folder.

        Raises:
          UserError: it has no run, or one of the other method.
        """
        folder = cls(path)
        scripts, examples = zip(
            *([_PRINTED_BY[method]] if method else _PRINTED_BY.values()), strict=True
        )
        remedy = (
            f"give the folder that {' or '.join(scripts)} printed, such as {' or '.join(examples)}"
        )
        if not folder.flags_file.is_file():
            raise UserError(f"{folder.path}: no run here (flags.cfg is missing); {remedy}")
        if method not in (None, folder.method):
            raise UserError(f"{folder.path}: a run of {folder.method}, not of {method}; {remedy}")
        return folder

    @functools.cached_property
    def method(self) -> str:
        """The method, "NBF" or "SMPLR"; only the latter has bodies of two genders."""
        return "SMPLR" if "gender_mode" in self.read_flags() else "NBF"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Locks the folder; the lock ends with the process, however that ends.

        Yields:
          Nothing.

        Raises:
          UserError: another process uses it.
        """
        try:
            with locks.locked(self.path, remedy="give another --run_name"):
                remove_leftovers(self.path)
                yield
        except locks.InUseError as error:
            raise UserError(str(error)) from error

    def has_results(self) -> bool:
        """Whether a training has written its first checkpoint here."""
        return self.record_file.exists() or any(self.checkpoints.glob("epoch_*"))

    def clear(self) -> None:
        """Removes the results of an earlier run, the flags last; the folder must be locked.

        Raises:
          UserError: there are files of these names, but no run; they are not ours.
        """
        results = (self.record_file, self.model_file, self.checkpoints, self.tensorboard)
        here = [one for one in (*results, self.report.parent) if os.path.lexists(one)]
        if here and not self.flags_file.is_file():
            raise UserError(
                f"{here[0]}: belongs to no run (flags.cfg is missing), so --overwrite does not "
                "remove it; move it away, or give another --run_name"
            )
        self.record_file.unlink(missing_ok=True)
        self.model_file.unlink(missing_ok=True)
        for folder in (self.checkpoints, self.tensorboard, self.report.parent):
            shutil.rmtree(folder, ignore_errors=True)
        self.flags_file.unlink(missing_ok=True)

    def adopt_flags(self, values: flags.FlagValues) -> None:
        """Writes the flags, or checks that the results in the folder were made with them.

        Args:
          values: the flags of this start.

        Raises:
          UserError: a flag that affects the result differs.
        """
        now = serialize_flags(values)
        if not self.flags_file.exists() or not self.has_results():
            write_text(self.flags_file, "".join(f"{line}\n" for line in now.values()))
            return
        self.check_flags(values)

    def check_flags(self, values: flags.FlagValues) -> None:
        """Rejects flags other than those in the folder.

        Args:
          values: the flags of this start.

        Raises:
          UserError: a flag that affects the result differs, or the folder is not there.
        """
        if not self.flags_file.exists():
            raise UserError(
                f"{self.flags_file}: not found; --runs_dir must be one folder that all workers "
                "share"
            )
        changed = self.changed_flag(values)
        if changed:
            raise UserError(
                f"{self.path}: was started with {changed}; give another --run_name, or "
                "--overwrite to start again"
            )

    def changed_flag(self, values: flags.FlagValues) -> str | None:
        """Compares the flags with those of the run.

        Args:
          values: the current flags.

        Returns:
          The first flag that affects the result and differs, before and now; None if all agree.
        """
        now, then = serialize_flags(values), self.read_flags()
        for name in sorted({*now, *then} - FREE_FLAGS):  # some no longer affect the result
            default = _serialize(values, name, values[name].default) if name in values else None
            before, line = then.get(name, default), now.get(name)
            if before != line:
                return f"{before or f'--{name} not set'}, now {line or 'not set'}"
        return None

    def read_flags(self) -> dict[str, str]:
        """Reads the flags of this run.

        Returns:
          Flag name -> its line in flags.cfg, with current names of renamed flags.

        Raises:
          UserError: it is damaged, or refers to other files.
        """
        with file_kinds.open_file(self.flags_file) as file:
            content = file.read(_MOST_FLAG_BYTES + 1)
        try:
            lines = content.decode("utf-8").splitlines()
        except UnicodeDecodeError:
            lines = ["--"]
        lines = [line for line in lines if line.startswith("-")]
        if len(content) > _MOST_FLAG_BYTES or not all(map(_FLAG.fullmatch, lines)):
            raise UserError(
                f"{self.flags_file}: damaged, expected lines like --stage=fitting; get a whole "
                "copy of the run"
            )
        forbidden = sorted(_NOT_IN_RUNS.intersection(map(name_of, lines)))
        if forbidden:
            raise UserError(
                f"{self.flags_file}: has --{forbidden[0]}, which a run never writes; it is not "
                "followed; remove it"
            )
        return {name_of(line): line for line in map(with_new_name, lines)}

    def flag_values(
        self, define: Callable[[flags.FlagValues], None], **changed: str | None
    ) -> flags.FlagValues:
        """Returns the flags of this run as parsed values.

        Args:
          define: adds the flags of its method.
          **changed: flags to override; None keeps the run's value.

        Returns:
          The flags.
        """
        values = flags.FlagValues()
        define(values)
        self.restore_flags(values)
        for name, value in changed.items():
            if value is not None:
                values[name].value = value
        return values

    def restore_flags(self, values: flags.FlagValues) -> None:
        """Sets flags to those of this run.

        Args:
          values: has at least the flags of the run.

        Raises:
          UserError: the file is damaged, or from a version with other flags.
        """
        lines = self.read_flags().values()
        try:
            values(["", *lines])
        except (flags.Error, ValueError) as error:
            reason = one_line(error).removeprefix("ERROR:: ")
            raise UserError(
                f"{self.flags_file}: {reason}; written by another version, or damaged"
            ) from error

    def read_record(self) -> dict[str, Any] | None:
        """Reads the run record.

        Returns:
          The content of record.json; None if the run is unfinished.

        Raises:
          UserError: it is damaged.
        """
        if not self.record_file.exists():
            return None
        remedy = "delete it; the training then continues from its last checkpoint"
        return side_files.read(self.record_file, {"flags": dict}, remedy)

    def make_record(self, values: flags.FlagValues, content: Mapping[str, Any]) -> dict[str, Any]:
        """Makes the record: the information to repeat the run, and its results.

        Args:
          values: the flags of the run.
          content: metrics with their unit in the name, seconds, and the like.

        Returns:
          JSON values.
        """
        return {
            "run": self.path.name,
            "flags": {name: values[name].value for name in serialize_flags(values)},
            "versions": versions(),
            "git_commit": git_commit(),
            **content,
        }


def serialize_flags(values: flags.FlagValues) -> dict[str, str]:
    """Returns the flags that affect a result, as lines of a flag file.

    Args:
      values: the flags.

    Returns:
      Flag name -> line, sorted by name; unset flags are left out.
    """
    named = {n: _serialize(values, n, values[n].value) for n in sorted(values)}
    return {n: line for n, line in named.items() if n not in FREE_FLAGS and line is not None}


def _serialize(values: flags.FlagValues, name: str, value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, list):  # as the flag parses it
        return f"--{name}={','.join(value)}"
    return f"--{name}={str(value).lower() if values[name].boolean else value}"


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that affect a result.

    Returns:
      Name -> version.
    """
    packages = ("tensorflow", "keras", "numpy", "numba", "opencv-python-headless")
    return {"python": platform.python_version(), **{p: metadata.version(p) for p in packages}}


def git_commit() -> str | None:
    """Returns the commit of this repository.

    Returns:
      The hash, with "-modified" appended if tracked files differ; None outside git.
    """
    command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--abbrev=40"]
    try:
        answer = subprocess.run(
            [*command, "--exclude=*", "--dirty=-modified"], capture_output=True, text=True
        )
    except OSError:
        return None
    return answer.stdout.strip() or None
