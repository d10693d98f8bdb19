"""Error messages in one line."""

from __future__ import annotations

_LONGEST = 1000


def one_line(error: BaseException | str) -> str:
    """Joins the lines of an error's message, and shortens it where it quotes a whole file.

    Args:
      error: the error or its text.

    Returns:
      The text with every run of white space made one space; the error's type if it has no text.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
