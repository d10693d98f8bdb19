"""Rotated squares of a picture: crops them, and maps results back to the picture.

Pixels follow the rule of `smpl_tf.camera`. Inside a square, a point has coordinates from 0 to 1
along the square's own axes.
"""

from typing import NamedTuple

import cv2
import numpy as np


class Square(NamedTuple):
    """A rotated square of a picture.

    Attributes:
      x: of its centre, pixels.
      y: of its centre, pixels.
      side: pixels.
      angle: from the picture's x axis to the square's, radians; positive rotates x towards y,
        clockwise on the screen.
    """

    x: float
    y: float
    side: float
    angle: float = 0.0


def to_picture(square: Square, points: np.ndarray) -> np.ndarray:
    """Maps points of a square to the picture.

    Args:
      square: of the points.
      points: `[..., 2]`, 0 to 1 along the square's axes.

    Returns:
      `[..., 2]` pixels.
    """
    return (np.asarray(points) - 0.5) @ (square.side * _turn(square.angle)).T + square[:2]


def to_square(square: Square, points: np.ndarray) -> np.ndarray:
    """Maps points of the picture, `[..., 2]` pixels, to a square: the inverse of `to_picture`."""
    return (np.asarray(points) - square[:2]) @ _turn(square.angle) / square.side + 0.5


def turn_to_picture(square: Square, points: np.ndarray) -> np.ndarray:
    """Rotates 3D points from the axes of a square to those of the whole picture's camera.

    Args:
      square: the network's input.
      points: `[..., 3]`, x and y along the square's axes, z away.

    Returns:
      `[..., 3]` x right, y down, z away.
    """
    turn = np.eye(3)
    turn[:2, :2] = _turn(square.angle)
    return np.asarray(points) @ turn.T


def corners(square: Square) -> np.ndarray:
    """Returns the corners of a square, `[4, 2]` pixels, from the upper left one clockwise."""
    return to_picture(square, np.array([[0, 0], [1, 0], [1, 1], [0, 1]]))


def cut(picture: np.ndarray, square: Square, size: int, black_outside: bool) -> np.ndarray:
    """Crops a rotated square to an upright picture of another size, without aliasing.

    Args:
      picture: `[H, W, 3]` uint8.
      square: to crop; may extend beyond the picture.
      size: of the result, pixels.
      black_outside: whether pixels outside the picture are black; otherwise its border is
        repeated.

    Returns:
      `[size, size, 3]` uint8.
    """
    height, width = picture.shape[:2]
    low, high = corners(square).min(axis=0), corners(square).max(axis=0)
    left, top = np.clip(np.floor(low) - 2, 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(np.ceil(high) + 2, 1, (width, height)).astype(int)
    if left >= right or top >= bottom:
        return np.zeros((size, size, 3), np.uint8)
    seen = picture[top:bottom, left:right]
    zoom = size / square.side
    if zoom < 0.5:  # bilinear sampling alone would skip pixels
        shape = np.maximum(np.round(zoom * np.array(seen.shape[1::-1])), 1).astype(int)
        seen = cv2.resize(seen, shape.tolist(), interpolation=cv2.INTER_AREA)
    scale = np.array([seen.shape[1] / (right - left), seen.shape[0] / (bottom - top)])
    matrix = _matrix(square, size)
    matrix[:, 2] -= left, top
    matrix *= scale[:, None]
    return cv2.warpAffine(
        seen,
        _between_pixel_centres(matrix),
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT if black_outside else cv2.BORDER_REPLICATE,
    )


def put_back(values: np.ndarray, square: Square, height: int, width: int) -> np.ndarray:
    """Maps an array over a square to the picture; 0 outside the square.

    Args:
      values: `[S, S]` of a type that OpenCV warps.
      square: of the map.
      height: of the picture, pixels.
      width: of the picture, pixels.

    Returns:
      `[height, width]` of the same type.
    """
    matrix = _between_pixel_centres(_matrix(square, len(values)))
    return cv2.warpAffine(values, matrix, (width, height), flags=cv2.INTER_LINEAR)


def around(middle: np.ndarray, end: np.ndarray, margin: float = 1.25) -> Square:
    """Returns the square around a circle, rotated so that a point of the circle is at the top.

    Args:
      middle: `[2]` of the circle, pixels.
      end: `[2]` a point of the circle, pixels.
      margin: side of the square over the circle's diameter; BlazePose's networks expect 1.25.
    """
    x, y = np.subtract(end, middle)
    side = max(2.0 * margin * float(np.hypot(x, y)), 1.0)
    return Square(float(middle[0]), float(middle[1]), side, float(np.arctan2(x, -y)))


def moved(one: Square, other: Square) -> float:
    """Returns the largest distance of corresponding corners over the smaller side."""
    ways = np.linalg.norm(corners(one) - corners(other), axis=-1)
    return float(ways.max() / min(one.side, other.side))


def _turn(angle):
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def _matrix(square, size):
    """Returns the map from pixels of the crop to those of the picture, `[2, 3]`."""
    linear = _turn(square.angle) * square.side / size
    return np.column_stack([linear, np.array(square[:2]) - linear @ np.full(2, size / 2)])


def _between_pixel_centres(matrix):
    """Returns the same map for OpenCV, whose origin is the centre of the first pixel."""
    shifted = np.array(matrix)
    shifted[:, 2] += shifted[:, :2] @ [0.5, 0.5] - 0.5
    return shifted
