"""Opens videos with OpenCV: only the allowed containers, recognised by content."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from smpl_tf import file_kinds

_PLAIN = re.compile(r"[\w/\\:.,()+ -]+", re.ASCII)


class VideoError(ValueError):
    """A file is not a readable video; the one-line message says why."""


def open_capture(path: str | os.PathLike) -> cv2.VideoCapture:
    """Opens a video file for reading.

    Args:
      path: of the file. Patterns and addresses in a name are not interpreted.

    Returns:
      OpenCV's capture; possibly no frame decodes.

    Raises:
      VideoError: it is not a file, or not in an allowed container: FFmpeg would follow a playlist
        to other files.
    """
    path = Path(path)
    try:
        head = file_kinds.head_of(path)
    except OSError as error:
        reason = error.strerror or file_kinds.NOT_ORDINARY
        raise VideoError(f"{path}: {reason}") from error
    if not head:
        raise VideoError(f"{path}: an empty file; get a whole copy of the video")
    if not file_kinds.is_video(head):
        raise VideoError(
            f"{path}: not a video (MP4, MOV, AVI, MKV, WebM, MPEG, WMV); convert it to MP4"
        )
    with plain_name(path.resolve()) as name:
        # Only FFmpeg: OpenCV's other readers interpret patterns of pictures and pipelines.
        return cv2.VideoCapture(name, cv2.CAP_FFMPEG)


@contextmanager
def plain_name(path: Path) -> Iterator[str]:
    """Yields a name of a file that OpenCV can open.

    OpenCV crashes on names that are not UTF-8, as in old archives, and in the C locale on any that
    are not ASCII; FFmpeg reads other files where a name is a pattern, such as x%03d.png. For these
    a link to the file or its folder is made.

    Args:
      path: absolute; the file need not exist yet, but then its own name must be ASCII.

    Yields:
      The path, or one through a link.
    """
    if _PLAIN.fullmatch(str(path)):
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="video-") as folder:
        link = Path(folder) / f"video{path.suffix if _PLAIN.fullmatch(path.suffix) else ''}"
        if path.exists():
            link.symlink_to(path)
            yield str(link)
        else:
            Path(folder, "folder").symlink_to(path.parent)
            yield str(Path(folder, "folder", path.name))
