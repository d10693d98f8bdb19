"""Makes the inputs of the points-and-mask network for a person detected in a photograph.

The network was trained on people on the camera's axis. For a person off the axis the camera is
therefore turned towards them, and the result is turned back: off the axis, a body that faces the
photographer is seen partly from the side.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from nbf.points_mask import (
    BACKGROUND,
    LEAST_VISIBILITY,
    PERSON,
    UNKNOWN,
    map_middles,
    person_frame,
    point_rows,
)
from smpl_tf.camera import Camera
from smpl_tf.found_person import FoundPerson
from smpl_tf.rotations import axis_angle_to_matrix
from smpl_tf.skeleton import PHOTOGRAPH_21

_LEAST_POINTS = 3
_LEAST_DEPTH = 0.2  # x / z of a ray, 79 degrees off the axis


class PersonInputs(NamedTuple):
    """The network inputs of a person.

    Attributes:
      points: `[21, 3]` of `nbf.points_mask.point_rows`.
      input_map: `[S, S, 1]` of PERSON, BACKGROUND and UNKNOWN.
      intrinsics: `[3, 3]` of the person's frame.
      turn: `[3, 3]` from the axes of the turned camera to those of the picture's camera.
    """

    points: np.ndarray
    input_map: np.ndarray
    intrinsics: np.ndarray
    turn: np.ndarray


def person_inputs(person: FoundPerson, camera: Camera, size: int) -> PersonInputs:
    """Makes the inputs of a person.

    Args:
      person: with points of any skeleton that shares names with PHOTOGRAPH_21; the mask is
        optional.
      camera: of the picture.
      size: side of the mask's map, pixels.

    Returns:
      The inputs.

    Raises:
      ValueError: fewer than three of the points are known.
    """
    found = person.in_skeleton(PHOTOGRAPH_21)
    known = np.isfinite(found.points_2d).all(-1) & (found.visibility >= LEAST_VISIBILITY)
    if known.sum() < _LEAST_POINTS:
        raise ValueError(
            f"a person has {known.sum()} of the points that the network uses, expected "
            f"{_LEAST_POINTS} or more of {', '.join(PHOTOGRAPH_21.names)}"
        )
    visibility = np.where(known, found.visibility, 0.0).astype(np.float32)
    rays = _rays(np.where(known[:, None], found.points_2d, 0.0), camera)
    middle = person_frame(rays[:, :2], visibility).centre.numpy()
    turn = turn_towards(np.array([*middle, 1.0]))
    turned = rays @ turn
    visibility[turned[:, 2] < _LEAST_DEPTH] = 0.0
    places = turned[:, :2] / np.maximum(turned[:, 2:], _LEAST_DEPTH)
    frame = person_frame(places, visibility)
    return PersonInputs(
        points=point_rows(places, visibility, frame).numpy(),
        input_map=_mask_map(person.mask, frame, turn, camera, size),
        intrinsics=frame.intrinsics().numpy(),
        turn=turn,
    )


def mirrored(inputs: PersonInputs) -> PersonInputs:
    """The inputs of the mirrored person, in the mirrored picture; `turn` is not mirrored."""
    points = inputs.points[PHOTOGRAPH_21.mirror] * np.array([-1, 1, 1], np.float32)
    intrinsics = inputs.intrinsics * np.array([[1, 1, -1], [1, 1, 1], [1, 1, 1]], np.float32)
    return inputs._replace(
        points=points, input_map=inputs.input_map[:, ::-1], intrinsics=intrinsics
    )


def turn_towards(direction: np.ndarray) -> np.ndarray:
    """Returns the smallest rotation that maps the z axis to a direction, `[3, 3]` float64.

    Args:
      direction: `[3]`, z positive, of any length.
    """
    direction = direction / np.linalg.norm(direction)
    axis = np.array([-direction[1], direction[0], 0.0])
    sine = np.linalg.norm(axis)
    angle = np.arctan2(sine, direction[2])
    return axis_angle_to_matrix(axis * (angle / sine if sine else 0.0)).numpy()


def _rays(points_2d, camera):
    """Rays through pixels, `[N, 3]` float64, with z = 1."""
    pixels = np.concatenate([points_2d, np.ones((len(points_2d), 1))], -1)
    return np.linalg.solve(np.asarray(camera.intrinsics, np.float64), pixels.T).T


def _mask_map(mask, frame, turn, camera, size):
    """The mask in the person's frame, `[size, size, 1]`."""
    if mask is None:
        return np.full((size, size, 1), UNKNOWN, np.float32)
    middles = map_middles(size).numpy().astype(np.float64)
    x, y = np.meshgrid(middles, middles)
    centre, spread = frame.centre.numpy(), float(frame.spread)
    rays = np.stack([x * spread + centre[0], y * spread + centre[1], np.ones_like(x)], -1)
    rays = rays @ turn.T
    intrinsics = np.asarray(camera.intrinsics, np.float64)
    pixels = (rays @ intrinsics.T)[..., :2] / np.maximum(rays[..., 2:], _LEAST_DEPTH)
    height, width = mask.shape
    inside = (rays[..., 2] >= _LEAST_DEPTH) & np.all(
        (pixels >= 0) & (pixels < [width, height]), -1
    )
    # Shrunk with antialiasing first, since the next step interpolates only four pixels.
    step = np.linalg.norm(pixels[size // 2, size // 2] - pixels[size // 2, size // 2 - 1])
    if step > 1:
        shrunk = max(1, round(width / step)), max(1, round(height / step))
        mask = cv2.resize(mask, shrunk, interpolation=cv2.INTER_AREA)
        pixels = pixels * (np.array(shrunk) / (width, height))
    # OpenCV puts pixel centres at whole numbers.
    sampled = cv2.remap(
        mask,
        (pixels[..., 0] - 0.5).astype(np.float32),
        (pixels[..., 1] - 0.5).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    values = np.where(sampled > 127, PERSON, BACKGROUND)
    return np.where(inside, values, UNKNOWN).astype(np.float32)[..., None]
