"""Recognises a file by its first bytes, whatever its name is."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from smpl_tf import bounds

# Pillow's names of the picture formats that are read.
READ = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF")
NOT_ORDINARY = "not a file, but a folder, pipe or device"
_HEAD = 1024  # bytes

_BRANDS = {  # brands of ISO's container, after `ftyp`
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1"), "HEIC"),
    **dict.fromkeys((b"msf1",), "HEIC"),
    **dict.fromkeys((b"crx ",), "raw"),
}
_PICTURES = (
    *((b"\xff\xd8\xff", "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG"), (b"BM", "BMP")),
    *((b"GIF87a", "GIF"), (b"GIF89a", "GIF"), (b"II*\0", "TIFF"), (b"MM\0*", "TIFF")),
    *((b"II+\0", "TIFF"), (b"MM\0+", "TIFF")),
    # Picture formats that are recognised but not read.
    *((b"8BPS", "Photoshop"), (b"%!PS", "PostScript"), (b"\xc5\xd0\xd3\xc6", "PostScript")),
    *((b"\0\0\0\x0cjP  ", "JPEG 2000"), (b"\xff\x4f\xff\x51", "JPEG 2000")),
    *((b"\xff\x0a", "JPEG XL"), (b"\0\0\0\x0cJXL ", "JPEG XL"), (b"\x76\x2f\x31\x01", "EXR")),
)
_VIDEOS = (
    *(b"\x1a\x45\xdf\xa3", b"\0\0\1\xba", b"\0\0\1\xb3", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    *(b"FLV\1", b"OggS"),
)
_TRANSPORT = ((0, 188, 376), (4, 196, 388))  # where packets begin
_ISO_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


def is_file(path: Path) -> bool:
    """Whether an ordinary file exists, which can be opened without waiting; takes any name."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):  # a loop of links, or a name that is too long or contains a NUL
        return False


def is_folder(path: Path) -> bool:
    """Whether a folder exists; takes any name."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def picture_kind(head: bytes) -> str | None:
    """Names the format of a picture.

    Args:
      head: the first bytes of the file.

    Returns:
      One of READ, or the name of another format; None: not a known picture format.
    """
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12])
    if head[:4] == b"RIFF":
        return "WEBP" if head[8:12] == b"WEBP" else None
    return next((kind for start, kind in _PICTURES if head.startswith(start)), None)


def is_video(head: bytes) -> bool:
    """Whether a file begins like one of the video containers that are read.

    Playlists and scripts, which refer to other files or addresses, do not.

    Args:
      head: the first bytes of the file.
    """
    if head[4:8] in _ISO_BOXES:
        return picture_kind(head) is None
    if head[:4] == b"RIFF":
        return head[8:12] == b"AVI "
    # MPEG transport streams have packets of 188 bytes, those of cameras 4 bytes before each.
    if any(all(head[i : i + 1] == b"G" for i in places) for places in _TRANSPORT):
        return True
    return head.startswith(_VIDEOS)


def open_file(path: str | os.PathLike) -> BinaryIO:
    """Opens a file for reading, if it is an ordinary one.

    Args:
      path: of the file.

    Returns:
      The open file.

    Raises:
      OSError: it cannot be read, or is no ordinary file: a pipe would be waited for, a device
        never ends.
    """
    check_ordinary(path)
    return open(path, "rb")


def check_ordinary(path: str | os.PathLike) -> None:
    """Rejects what is no ordinary file, for readers that open a path themselves.

    Args:
      path: of the file.

    Raises:
      OSError: it does not exist, or is a folder, pipe or device.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(f"{os.fspath(path)}: {NOT_ORDINARY}")


def read_bytes(path: str | os.PathLike, most: int = bounds.MOST_RECORD_BYTES) -> bytes:
    """Reads a whole file.

    Args:
      path: of the file.
      most: bytes that it may have.

    Returns:
      Its content.

    Raises:
      OSError: see `open_file`.
      ValueError: it is larger.
    """
    with open_file(path) as file:
        content = file.read(most + 1)
    bounds.check(len(content), most, "bytes")
    return content


def head_of(path: Path) -> bytes:
    """Reads the first bytes of a file.

    Raises:
      OSError: see `open_file`.
    """
    with open_file(path) as file:
        return file.read(_HEAD)
