"""Reads the text of files, whichever Unicode their writers chose."""

from __future__ import annotations

import codecs
from typing import Any


def decode(content: bytes) -> str:
    """Reads UTF-8, with or without the mark of Windows in front, or UTF-16 with its mark.

    Args:
      content: of the file.

    Returns:
      The text.

    Raises:
      ValueError: it is neither.
    """
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"no text in UTF-8: byte {error.start} is {content[error.start]:#04x}; save it so"
        ) from None


def tolerate_any_text(stream: Any) -> None:
    """Lets a stream of any encoding take any text: what it cannot write is told by its code.

    Args:
      stream: sys.stdout or sys.stderr; None where it is closed.
    """
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
