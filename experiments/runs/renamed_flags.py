"""Flags that have other names than they once had: old runs still load, old commands are told."""

from __future__ import annotations

from absl import flags

from smpl_tf.errors import one_line

# Old name -> the name of now; of the flags of a run.
RENAMED = {"parts": "networks", "points": "loss_points"}
_OLD = {new: old for old, new in RENAMED.items()}


def name_of(line: str) -> str:
    """The flag that a line of a flag file sets."""
    return line.removeprefix("--").split("=", 1)[0]


def with_new_name(line: str) -> str:
    """A line of flags.cfg as it would be written now."""
    return _with_name(line, RENAMED)


def with_old_name(line: str) -> str:
    """A line of flags.cfg as it was written first, so that what is derived from it stays."""
    return _with_name(line, _OLD)


def _with_name(line: str, names: dict[str, str]) -> str:
    name = name_of(line)
    return f"--{names.get(name, name)}{line.removeprefix(f'--{name}')}"


def explain(error: Exception, values: flags.FlagValues) -> str:
    """Says what is wrong with flags that absl could not read.

    Args:
      error: what absl raised.
      values: the flags that there are.

    Returns:
      One line; of a flag with an old name, its name of now.
    """
    old = getattr(error, "flagname", None)
    if old in RENAMED and RENAMED[old] in values:
        return f"--{old} is now --{RENAMED[old]}"
    return one_line(error).removeprefix("ERROR:: ")
