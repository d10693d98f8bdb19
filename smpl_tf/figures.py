"""Pictures of bodies: over the photograph, and from the side."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from smpl_tf.camera import Camera
from smpl_tf.parts import colour_code, part_scheme
from smpl_tf.rasterizer import overlay, render
from smpl_tf.skeleton import Skeleton
from smpl_tf.tensor_like import TensorLike

PREDICTED = (120, 170, 225)  # colour of a predicted body, RGB
TRUE = (150, 195, 130)  # colour of a true body, RGB
LEFT, RIGHT, MIDDLE = (210, 60, 60), (40, 110, 220), (90, 90, 90)  # of points, RGB
LARGEST_SUPERSAMPLED = 700  # pixels of a body's longer side
THUMBNAIL = 128  # pixels, of the pictures in TensorBoard


def enlarge(pixels: np.ndarray, size: int, smooth: bool = True) -> np.ndarray:
    """Resizes a square picture for display.

    Args:
      pixels: `[H, H, 3]` uint8.
      size: side wanted, pixels.
      smooth: whether to blend neighbours; labels must not be blended.

    Returns:
      `[size, size, 3]` uint8.
    """
    method = cv2.INTER_CUBIC if smooth else cv2.INTER_NEAREST
    return cv2.resize(pixels, (size, size), interpolation=method)


def body_over(
    pixels: np.ndarray,
    vertices: TensorLike,
    faces: np.ndarray,
    camera: Camera,
    colour: Sequence[float] | np.ndarray,
) -> np.ndarray:
    """Draws a body over a picture.

    Args:
      pixels: `[S, S, 3]` uint8.
      vertices: `[V, 3]` metres, camera frame.
      faces: `[F, 3]`.
      camera: of the picture, of any size.
      colour: `[3]` RGB 0..255.

    Returns:
      `[S, S, 3]` uint8.
    """
    camera = camera.resize(pixels.shape[1], pixels.shape[0])
    drawing, rows, columns = _drawn_in_its_box(vertices, faces, camera, colour)
    result = pixels.copy()
    result[rows, columns] = overlay(result[rows, columns], drawing, opacity=0.9)
    return result


def body_from_side(
    size: int,
    vertices: TensorLike,
    faces: np.ndarray,
    camera: Camera,
    colour: Sequence[float] | np.ndarray,
) -> np.ndarray:
    """Draws a body as seen from the right of the picture.

    Args:
      size: side of the picture, pixels.
      vertices: `[V, 3]` metres, camera frame.
      faces: `[F, 3]`.
      camera: of the picture from the front, of any size.
      colour: `[3]` RGB 0..255.

    Returns:
      `[size, size, 4]` uint8 RGBA, transparent around the body.
    """
    # A quarter turn about the camera's y axis: what was away from the camera is now right.
    turn = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    return _turned(size, vertices, faces, camera, colour, turn, (0,))


def body_from_above(
    size: int,
    vertices: TensorLike,
    faces: np.ndarray,
    camera: Camera,
    colour: Sequence[float] | np.ndarray,
) -> np.ndarray:
    """Draws a body as seen from above, the photographer at the lower edge.

    Args:
      size: side of the picture, pixels.
      vertices: `[V, 3]` metres, camera frame.
      faces: `[F, 3]`.
      camera: of the picture from the front, of any size.
      colour: `[3]` RGB 0..255.

    Returns:
      `[size, size, 4]` uint8 RGBA, transparent around the body.
    """
    # A quarter turn about the camera's x axis: what was away from the camera is now up.
    turn = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    return _turned(size, vertices, faces, camera, colour, turn, (0, 1))


def _turned(size, vertices, faces, camera, colour, turn, centred):
    """Draws a body turned about its middle, moved to the picture's middle along some axes."""
    camera = camera.resize(size, size)
    vertices = np.asarray(vertices)
    centre = (vertices.min(0) + vertices.max(0)) / 2
    turned = (vertices - centre) @ turn.T + centre
    intrinsics = np.asarray(camera.intrinsics)
    for axis in centred:
        middle = intrinsics[axis, 2] - size / 2
        turned[:, axis] += -centre[axis] - middle * centre[2] / intrinsics[axis, axis]
    drawing, rows, columns = _drawn_in_its_box(turned, faces, camera, colour)
    result = np.zeros((size, size, 4), np.uint8)
    result[rows, columns] = drawing
    return result


def _drawn_in_its_box(vertices, faces, camera, colour):
    """Draws a body in the box that it fills: RGBA, and the box's rows and columns as slices."""
    corners = np.asarray(camera.project(np.asarray(vertices, np.float64)))
    size = np.array([camera.width, camera.height])
    low = np.floor(corners.min(0)).clip(0, size).astype(int)
    high = np.ceil(corners.max(0)).clip(low, size).astype(int)
    rows, columns = slice(low[1], high[1]), slice(low[0], high[0])
    if (high == low).any():
        return np.zeros((*(high - low)[::-1], 4), np.uint8), rows, columns
    box = camera.crop(*low, *(high - low))
    # Edges are smooth enough with one sample per pixel where the body is large.
    fine = 1 if (high - low).max() > LARGEST_SUPERSAMPLED else 2
    drawing = render(vertices, faces, box, vertex_colours=colour, supersampling=fine)
    return drawing, rows, columns


def visible(input_map: TensorLike) -> np.ndarray:
    """Turns an input map into a picture.

    Args:
      input_map: `[S, S, C]` in -1..1.

    Returns:
      `[S, S, 3]` uint8; with more than three channels, the colour of the strongest.
    """
    values = np.asarray(input_map)
    if values.shape[-1] == 3:
        return rounded((values + 1) * 127.5)
    return colour_code(values.argmax(-1), part_scheme(values.shape[-1] - 1))


def rounded(picture: np.ndarray) -> np.ndarray:
    """Rounds a picture `[..., 3]` of 0..255 to uint8."""
    return np.rint(picture).clip(0, 255).astype(np.uint8)


def points_over(
    pixels: np.ndarray, points_2d: np.ndarray, visibility: np.ndarray, skeleton: Skeleton
) -> np.ndarray:
    """Draws detected points over a picture: the person's left in one colour, right in another.

    Args:
      pixels: `[H, W, 3]` uint8.
      points_2d: `[P, 2]` pixels; NaN is not drawn.
      visibility: `[P]` 0 to 1; less visible points are smaller.
      skeleton: of the points.

    Returns:
      `[H, W, 3]` uint8.
    """
    drawn = np.ascontiguousarray(pixels).copy()
    radius = max(2.0, 0.012 * max(pixels.shape[:2]))
    for name, point, seen in zip(skeleton.names, points_2d, visibility, strict=True):
        if not np.isfinite(point).all() or seen <= 0 or (np.abs(point) > 1e4).any():
            continue
        side = name.split("_")[0]
        colour = {"left": LEFT, "right": RIGHT}.get(side, MIDDLE)
        size = round(radius * (0.4 + 0.6 * min(float(seen), 1.0)))
        centre = tuple(int(round(value - 0.5)) for value in point)
        cv2.circle(drawn, centre, size + 1, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(drawn, centre, size, colour, -1, cv2.LINE_AA)
    return drawn
