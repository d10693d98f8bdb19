"""A sheet of Examples with all their labels drawn in, for visual inspection."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from datasets import records
from smpl_tf import pictures
from smpl_tf.parts import PARTS_24, colour_code, merge_labels
from smpl_tf.skeleton import H36M_17, LSP_14, SMPL_24, Skeleton

CELL = 288  # pixels, side of one Example
COLUMNS = 6
_CAPTION = 16  # pixels
_LABELS_OPACITY = 0.3
_LEFT, _RIGHT, _MIDDLE = (255, 60, 60), (60, 150, 255), (235, 235, 235)  # RGB
_BLACK, _OUTLINE = (0, 0, 0), (255, 230, 0)
_LEGEND = (
    "the person's LEFT is red, the RIGHT is blue, in each of:   lines: SMPL joints   "
    "circles: annotated or captured points   tint: part labels (yellow: outline of parts or mask)"
)
_MARGIN = 1.25  # size of the cell over that of the person's box
_POSE_HEIGHT = 2.2  # metres per cell, for a pose without a picture


def draw(directory: str, split: str, count: int = 4 * COLUMNS) -> np.ndarray:
    """Draws Examples taken evenly from a split.

    Pictures are cropped to the person. Labels, joints and annotated points come from different
    files of a data set; all are drawn with the person's left in red and the right in blue, so that
    they can be compared with the picture and with each other.

    Args:
      directory: folder of the shards.
      split: its name.
      count: maximum number of Examples.

    Returns:
      `[H, W, 3]` uint8 RGB.

    Raises:
      RecordError: a shard is missing or damaged.
    """
    total = records.check(directory, split).count
    step = max(total // count, 1)
    chosen = itertools.islice(records.read_examples(directory, split), 0, step * count, step)
    cells = [_cell(example) for example in chosen]
    cells += [np.zeros_like(cells[0])] * (-len(cells) % COLUMNS)
    rows = [np.hstack(cells[row : row + COLUMNS]) for row in range(0, len(cells), COLUMNS)]
    return np.vstack([_text(_LEGEND, rows[0].shape[1]), *rows])


def _cell(example: Mapping[str, Any]) -> np.ndarray:
    """Draws one Example with its id, [CELL + caption, CELL, 3]."""
    if example["image/encoded"]:
        pixels = _picture(example)
    else:
        pixels = _pose(example)
    return np.vstack([pixels, _text(example["id"].decode()[-44:], CELL)])


def _text(text: str, width: int) -> np.ndarray:
    """A line of text, [caption, width, 3]."""
    line = np.zeros((_CAPTION, width, 3), np.uint8)
    where = (3, _CAPTION - 5)
    cv2.putText(line, text, where, cv2.FONT_HERSHEY_SIMPLEX, 0.36, _MIDDLE, 1, cv2.LINE_AA)
    return line


def _picture(example: Mapping[str, Any]) -> np.ndarray:
    pixels = _decode(example["image/encoded"], cv2.IMREAD_COLOR)[..., ::-1]
    labels = np.zeros(pixels.shape[:2], np.uint8)
    if example["parts/valid"]:
        labels = _decode(example["parts/encoded"], cv2.IMREAD_UNCHANGED)
        pixels = _tinted(pixels, labels, _side_colours()[merge_labels(labels, PARTS_24)])
    if example["objects/valid"]:
        labels = _decode(example["objects/encoded"], cv2.IMREAD_UNCHANGED)
        labels = np.where(labels == 255, 0, labels)
        pixels = _tinted(pixels, labels, colour_code(labels % len(PARTS_24.names), PARTS_24))
    if example["mask/valid"] and not example["parts/valid"]:
        labels = _decode(example["mask/encoded"], cv2.IMREAD_UNCHANGED)
    # A square around the person, or around the whole picture.
    box = np.array([0, 0, pixels.shape[1], pixels.shape[0]], np.float64)
    side = box[2:].max()
    if example["person/box/valid"]:
        box = np.float64(example["person/box"])
        side = _MARGIN * (box[2:] - box[:2]).max()
    scale = CELL / side
    shift = CELL / 2 - scale * (box[:2] + box[2:]) / 2
    # In index coordinates pixel centres are at whole numbers.
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    matrix[:, 2] += 0.5 * scale - 0.5
    pixels = cv2.warpAffine(pixels, matrix, (CELL, CELL), flags=cv2.INTER_LINEAR)
    mask = cv2.warpAffine(np.uint8(labels > 0) * 255, matrix, (CELL, CELL)) > 127
    outline = cv2.findContours(np.uint8(mask), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    cv2.drawContours(pixels, outline, -1, _OUTLINE, 1)
    if example["joints/2d/valid"].any():
        joints = scale * example["joints/2d"] + shift
        _bones(pixels, joints, example["joints/3d"][:, 2], example["joints/2d/valid"])
    _dots(pixels, scale * example["lsp/2d"] + shift, example["lsp/2d/valid"], LSP_14)
    if example["h36m/3d/valid"].any():
        points = example["h36m/3d"] @ example["camera/intrinsics"].T
        points = points[:, :2] / np.where(points[:, 2:] > 0, points[:, 2:], 1)
        _dots(pixels, scale * points + shift, example["h36m/3d/valid"], H36M_17)
    return pixels


def _pose(example: Mapping[str, Any]) -> np.ndarray:
    """Draws the 3D joints from the front, from far away."""
    pixels = np.zeros((CELL, CELL, 3), np.uint8)
    joints = example["joints/3d"]
    centre = (joints.min(0) + joints.max(0)) / 2
    points = (joints - centre)[:, :2] * CELL / _POSE_HEIGHT + CELL / 2
    _bones(pixels, points, joints[:, 2], example["joints/3d/valid"])
    return pixels


def _tinted(pixels: np.ndarray, labels: np.ndarray, colours: np.ndarray) -> np.ndarray:
    mixed = pixels * (1 - _LABELS_OPACITY) + colours * _LABELS_OPACITY
    return np.where((labels > 0)[..., None], mixed, pixels).astype(np.uint8)


def _side_colours() -> np.ndarray:
    """[25, 3] a colour per part that shows its side, alternating in brightness along a limb."""
    colours = np.zeros((1 + len(SMPL_24), 3))
    depth = [0]
    for parent in SMPL_24.parents[1:]:
        depth.append(depth[parent] + 1)
    for joint, name in enumerate(SMPL_24.names):
        colours[1 + joint] = np.array(_side_colour(name)) * (0.55 if depth[joint] % 2 else 1)
    return colours


def _side_colour(name: str) -> tuple[int, int, int]:
    return _LEFT if name.startswith("left") else _RIGHT if name.startswith("right") else _MIDDLE


def _bones(pixels: np.ndarray, points: np.ndarray, depths: np.ndarray, valid: np.ndarray) -> None:
    """Draws SMPL's bones, the nearer over the farther."""
    for joint in np.argsort(-depths, kind="stable"):
        parent = SMPL_24.parents[joint]
        if parent >= 0 and valid[joint] and valid[parent]:
            ends = [_sixteenths(points[end]) for end in (parent, joint)]
            for colour, width in ((_BLACK, 4), (_side_colour(SMPL_24.names[joint]), 2)):
                cv2.line(pixels, *ends, colour, width, cv2.LINE_AA, shift=4)


def _dots(pixels: np.ndarray, points: np.ndarray, valid: np.ndarray, skeleton: Skeleton) -> None:
    for point, known, name in zip(points, valid, skeleton.names, strict=True):
        if known:
            for colour, width in ((_BLACK, 4), (_side_colour(name), 2)):
                cv2.circle(pixels, _sixteenths(point), 4 * 16, colour, width, cv2.LINE_AA, shift=4)


def _sixteenths(point: np.ndarray) -> list[int]:
    """Index coordinates in sixteenths of a pixel, where centres are whole numbers."""
    return np.int32(np.rint((point - 0.5) * 16)).tolist()


def _decode(encoded: bytes, mode: int) -> np.ndarray:
    picture = pictures.decode(encoded, mode)
    if picture is None:
        raise ValueError("expected an encoded picture in the Example, got damaged bytes")
    return picture
