"""Defines flags with one line each."""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags


class FlagDefiner:
    """Defines flags by kind, name, default and help.

    Args:
      values: gets the flags.
    """

    def __init__(self, values: flags.FlagValues):
        self._to = {"flag_values": values}

    def string(self, name: str, default: str | None, text: str) -> None:
        """Adds a string flag."""
        flags.DEFINE_string(name, default, text, **self._to)

    def strings(self, name: str, default: Sequence[str], text: str) -> None:
        """Adds a flag of comma-separated strings."""
        flags.DEFINE_list(name, list(default), text, **self._to)

    def bool(self, name: str, default: bool, text: str) -> None:
        """Adds a boolean flag."""
        flags.DEFINE_bool(name, default, text, **self._to)

    def integer(self, name: str, default: int | None, text: str, low: int | None = None) -> None:
        """Adds an integer flag, at least `low`."""
        flags.DEFINE_integer(name, default, text, lower_bound=low, **self._to)

    def number(
        self,
        name: str,
        default: float | None,
        text: str,
        high: float | None = None,
        low: float | None = 0.0,
    ) -> None:
        """Adds a float flag between `low` and `high`."""
        flags.DEFINE_float(name, default, text, lower_bound=low, upper_bound=high, **self._to)

    def enum(self, name: str, default: str, choices: Sequence[str], text: str) -> None:
        """Adds a flag with several choices."""
        flags.DEFINE_enum(name, default, choices, text, **self._to)
