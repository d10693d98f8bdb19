"""Decodes frames of videos, and undistorts pictures."""

import os
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np

from datasets.sources import BadItemError
from smpl_tf import video_files

_JPEG_QUALITY = 95  # the videos are already compressed; this adds little loss

# Normalised image coordinates x, y of an ideal pinhole camera -> distorted ones.
Distortion = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def num_frames(path: os.PathLike | str) -> int:
    """Returns the number of frames that a video declares.

    Raises:
      BadItemError: it cannot be opened.
    """
    return int(_open(path).get(cv2.CAP_PROP_FRAME_COUNT))


def read_frames(path: os.PathLike | str, frames: Sequence[int]) -> Iterator[np.ndarray]:
    """Decodes some frames of a video.

    Args:
      path: of the video.
      frames: their indices, from 0, increasing.

    Yields:
      [H, W, 3] uint8 BGR.

    Raises:
      BadItemError: the video cannot be opened, or one of the frames does not decode.
    """
    capture = _open(path)
    position = 0
    if len(frames) and frames[0] > 0:
        capture.set(cv2.CAP_PROP_POS_FRAMES, frames[0])
        position = frames[0]
        if capture.get(cv2.CAP_PROP_POS_FRAMES) != position:  # this container cannot seek
            capture, position = _open(path), 0
    for frame in frames:
        while position < frame and capture.grab():
            position += 1
        decoded, picture = capture.read()
        if position != frame or not decoded:
            raise BadItemError(f"{os.path.basename(path)}: frame {frame} does not decode")
        position += 1
        yield picture


def encode_jpeg(picture: np.ndarray) -> bytes:
    """Encodes [H, W, 3] uint8 BGR."""
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    return cv2.imencode(".jpg", picture, options)[1].tobytes()


def undistortion(
    intrinsics: np.ndarray, distortion: Distortion, width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """Prepares `undistort` for one camera.

    Args:
      intrinsics: [3, 3] pixels.
      distortion: of its lens.
      width: of its pictures, pixels.
      height: of its pictures, pixels.

    Returns:
      Two maps [H, W] float32: the position in the distorted picture, in pixel indices, of each
      pixel of the undistorted one.
    """
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    rays = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(intrinsics).T
    x, y = distortion(rays[..., 0], rays[..., 1])
    seen = np.stack([x, y, np.ones_like(x)], -1) @ intrinsics.T
    return np.float32(seen[..., 0] - 0.5), np.float32(seen[..., 1] - 0.5)


def undistort(picture: np.ndarray, maps: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Returns the picture that the pinhole camera of the same intrinsics would have taken.

    Args:
      picture: [H, W, 3] uint8, taken through the lens.
      maps: from `undistortion`.
    """
    return cv2.remap(picture, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _open(path):
    if not os.path.exists(path):
        raise BadItemError(f"{os.path.basename(path)}: not found")
    try:
        capture = video_files.open_capture(path)
    except video_files.VideoError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise BadItemError(f"{os.path.basename(path)}: cannot be opened ({reason})") from error
    if not capture.isOpened():
        problem = "cannot be opened"
        raise BadItemError(f"{os.path.basename(path)}: {problem}")
    return capture
