"""Reads text files in UTF-8 or UTF-16."""

from __future__ import annotations

import codecs
from typing import Any


def decode(content: bytes) -> str:
    """Decodes UTF-8, with or without a byte order mark, or UTF-16 with its mark.

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
            f"not UTF-8: byte {error.start} is {content[error.start]:#04x}; save it as UTF-8"
        ) from None


def tolerate_any_text(stream: Any) -> None:
    """Makes a stream of any encoding accept any text, with escapes for other characters.

    Args:
      stream: sys.stdout or sys.stderr; None where it is closed.
    """
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
