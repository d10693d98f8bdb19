"""Reads and writes videos, and records cameras, with OpenCV."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from experiments.runs.common import UserError, quiet_c
from smpl_tf import pictures, video_files
from smpl_tf.files import written_aside

# VP9 plays in browsers; OpenCV's wheels have no encoder for H.264. The other codec is for OpenCV
# without VP9, and plays only in desktop players.
_CODECS = ("vp09", "mp4v")
_LITTLE = 1 << 20  # free bytes below which a disk counts as full
_USUAL_RATE = 30.0  # frames per second if the file has none
_EVEN = 0.1  # of a frame's time, by which files round when it is shown


class Video(NamedTuple):
    """The properties of a video file.

    Attributes:
      path: the file.
      frame_rate: frames per second.
      width: pixels.
      height: pixels.
    """

    path: Path
    frame_rate: float
    width: int
    height: int

    def frames(self, step: int = 1, most: int | None = None) -> Iterator[np.ndarray]:
        """Decodes every `step`-th frame, up to a maximum number.

        Yields:
          `[H, W, 3]` uint8 RGB.
        """
        with quiet_c():
            capture = _opened(self.path)
        for frame in _decoded(capture, step, most):
            yield frame[..., ::-1]

    def times(self, step: int = 1, most: int | None = None) -> np.ndarray:
        """Reads when each of `frames` is shown; those of phones and screens are not evenly apart.

        Returns:
          `[T]` seconds since the first; by the frame rate where the file says nothing better.
        """
        with quiet_c():
            capture = _opened(self.path)
        found: list[float] = []
        while (most is None or len(found) < most * step) and capture.grab():
            found.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        capture.release()
        times = np.array(found)[::step]
        even = np.arange(len(times)) * step / self.frame_rate
        times -= times[:1]
        is_known = np.isfinite(times).all() and (np.diff(times) > 0).all()
        if not is_known or np.abs(times - even).max(initial=0.0) < _EVEN / self.frame_rate:
            return even
        return times


def open_video(path: Path) -> Video:
    """Reads the properties of a video.

    Args:
      path: the file.

    Returns:
      The video, with at least one frame.

    Raises:
      UserError: it does not decode.
    """
    with quiet_c():
        capture = _opened(path)
        first = next(_decoded(capture), None)
        rate = capture.get(cv2.CAP_PROP_FPS)
        capture.release()
    if first is None:
        raise UserError(f"{path}: no frame of this video decodes; get a whole copy of it")
    height, width = first.shape[:2]
    if min(width, height) < pictures.LEAST_SIDE:
        raise UserError(f"{path}: only {width} x {height} pixels; too small to see a person")
    return Video(path, rate if 0 < rate < 1000 else _USUAL_RATE, width, height)


def record(camera: int, path: Path, most: int) -> None:
    """Records a camera into a video file.

    Args:
      camera: its number, 0 for the first.
      path: the file to write.
      most: maximum number of frames; Ctrl-C also ends the recording.

    Raises:
      UserError: the camera does not exist, or gives no picture.
    """
    with quiet_c():
        capture = cv2.VideoCapture(camera)
        rate = capture.get(cv2.CAP_PROP_FPS)
    if not capture.isOpened():
        raise UserError(f"camera {camera}: cannot be opened; is it connected and free?")
    first = next(_decoded(capture), None)
    if first is None:
        raise UserError(f"camera {camera}: gives no picture")
    write(path, _until_stopped(first, capture, most), rate if 0 < rate < 1000 else _USUAL_RATE)


def _until_stopped(first, capture, most):
    yield first[..., ::-1]
    try:
        for frame in _decoded(capture, most=most - 1):
            yield frame[..., ::-1]
    except KeyboardInterrupt:
        return  # the recorded part is processed


def write(path: Path, frames: Iterable[np.ndarray], frame_rate: float) -> None:
    """Writes a video atomically.

    Args:
      path: the file, ending in .mp4.
      frames: `[H, W, 3]` uint8 RGB of equal size; at least one.
      frame_rate: per second.

    Raises:
      UserError: OpenCV cannot write videos here.
    """
    frames = iter(frames)
    first = next(frames)
    height, width = (side - side % 2 for side in first.shape[:2])  # codecs need even sizes
    with written_aside(path) as aside:
        writer = _writer(aside, frame_rate, (width, height))
        count = 0
        while first is not None:
            writer.write(np.ascontiguousarray(first[:height, :width, ::-1]))
            first = next(frames, None)
            count += 1
        with quiet_c():  # FFmpeg prints its errors
            writer.release()
        _read_back(aside, path, count)


def _read_back(aside: Path, path: Path, count: int) -> None:
    """Raises if a video lacks frames, since OpenCV does not report a full disk.

    Raises:
      OSError: frames are missing.
    """
    found = 0
    if aside.is_file() and aside.stat().st_size:
        with quiet_c():
            found = sum(1 for _ in _decoded(_opened(aside)))
    if found < count:
        full = shutil.disk_usage(path.parent).free < _LITTLE
        number = errno.ENOSPC if full else errno.EIO
        raise OSError(number, os.strerror(number), str(path))


def _opened(path: Path) -> cv2.VideoCapture:
    try:
        return video_files.open_capture(path)
    except video_files.VideoError as error:
        raise UserError(str(error)) from error


def _writer(path: Path, frame_rate: float, size: tuple[int, int]) -> cv2.VideoWriter:
    with quiet_c():
        for codec in _CODECS:
            with video_files.plain_name(path.absolute()) as name:
                writer = cv2.VideoWriter(
                    name, cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), frame_rate, size
                )
            if writer.isOpened():
                return writer
    if not os.access(path.parent, os.W_OK) or shutil.disk_usage(path.parent).free < _LITTLE:
        number = errno.ENOSPC if os.access(path.parent, os.W_OK) else errno.EACCES
        raise OSError(number, os.strerror(number), str(path))
    raise UserError(
        f"{path}: this OpenCV cannot write videos ({', '.join(_CODECS)} fail); install "
        "opencv-python-headless from its wheels"
    )


def _decoded(capture: cv2.VideoCapture, step: int = 1, most: int | None = None):
    """Yields every `step`-th frame, BGR, until one does not decode."""
    index = 0
    while most is None or index < most * step:
        if index % step:
            if not capture.grab():
                return
        else:
            good, frame = capture.read()
            if not good:
                return
            yield frame
        index += 1
