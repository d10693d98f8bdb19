"""Opens videos with OpenCV: the containers that we mean alone, whatever their names are."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from smpl_tf import file_kinds


class VideoError(ValueError):
    """A file is no video that is read here; one line says why."""


def open_capture(path: str | os.PathLike) -> cv2.VideoCapture:
    """Opens a video file for reading.

    Args:
      path: of a file. A name with a pattern or an address in it is taken as a name.

    Returns:
      OpenCV's capture; it may hold no frame that decodes.

    Raises:
      VideoError: it is no file, or of no container that is read: FFmpeg would follow a playlist
        to other files.
    """
    path = Path(path)
    try:
        head = file_kinds.head_of(path)
    except OSError as error:
        reason = error.strerror or "not a file, but a folder, pipe or device"
        raise VideoError(f"{path}: {reason}") from error
    if not head:
        raise VideoError(f"{path}: an empty file; get a whole copy of the video")
    if not file_kinds.is_video(head):
        raise VideoError(
            f"{path}: not a video (MP4, MOV, AVI, MKV, WebM, MPEG, WMV); convert it to MP4"
        )
    with plain_name(path.resolve()) as name:
        # FFmpeg alone: OpenCV's other readers take patterns of pictures and pipelines.
        return cv2.VideoCapture(name, cv2.CAP_FFMPEG)


@contextmanager
def plain_name(path: Path) -> Iterator[str]:
    """Gives a file a name that OpenCV can take while it opens it.

    OpenCV crashes at a name that is not UTF-8, as old archives have, and in the C locale at any
    that is not ASCII; there, it gets a link to the folder.

    Args:
      path: absolute; the file need not exist yet, but then its own name must be ASCII.

    Yields:
      The path, or one through a link.
    """
    if str(path).isascii():
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="video-") as folder:
        link = Path(folder) / f"video{path.suffix if path.suffix.isascii() else ''}"
        if path.exists():
            link.symlink_to(path)
            yield str(link)
        else:
            Path(folder, "folder").symlink_to(path.parent)
            yield str(Path(folder, "folder", path.name))
