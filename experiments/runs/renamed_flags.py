"""Renamed flags: old runs still load, and old commands get the new name in the error."""

from __future__ import annotations

from absl import flags

from smpl_tf.errors import one_line

# Old name -> current name, for the flags of a run.
RENAMED = {"parts": "networks", "points": "loss_points"}
_OLD = {new: old for old, new in RENAMED.items()}


def name_of(line: str) -> str:
    """Returns the flag that a line of a flag file sets."""
    return line.removeprefix("--").split("=", 1)[0]


def with_new_name(line: str) -> str:
    """Returns a line of flags.cfg with the current name."""
    return _with_name(line, RENAMED)


def with_old_name(line: str) -> str:
    """Returns a line of flags.cfg with the oldest name, so that hashes of it do not change."""
    return _with_name(line, _OLD)


def _with_name(line: str, names: dict[str, str]) -> str:
    name = name_of(line)
    return f"--{names.get(name, name)}{line.removeprefix(f'--{name}')}"


def explain(error: Exception, values: flags.FlagValues) -> str:
    """Explains an error of absl's flag parser.

    Args:
      error: from absl.
      values: the defined flags.

    Returns:
      One line; for an old name of a flag, its current name.
    """
    old = getattr(error, "flagname", None)
    if old in RENAMED and RENAMED[old] in values:
        return f"--{old} is now --{RENAMED[old]}"
    return one_line(error).removeprefix("ERROR:: ")
