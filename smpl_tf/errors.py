"""Error messages in one line."""

from __future__ import annotations


def one_line(error: BaseException | str) -> str:
    """Joins the lines of an error's message.

    Args:
      error: the error or its text.

    Returns:
      The text with every run of white space made one space; the error's type if it has no text.
    """
    return " ".join(str(error).split()) or type(error).__name__
