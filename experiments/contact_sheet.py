"""A page of Examples with everything known about them drawn in, for a person to judge."""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from datasets import records
from smpl_tf.parts import PARTS_24, colour_code
from smpl_tf.skeleton import SMPL_24

CELL = 288  # pixels, side of one Example
COLUMNS = 6
_CAPTION = 16  # pixels
_LABELS_OPACITY = 0.45
_LEFT, _RIGHT, _MIDDLE = (255, 70, 70), (70, 170, 255), (255, 255, 255)  # RGB
_ANNOTATED = (255, 230, 0)
_MARGIN = 1.25  # of the cell to the person's box
_POSE_HEIGHT = 2.2  # metres in a cell, of a pose without a picture


def draw(directory: str, split: str, count: int = 4 * COLUMNS) -> np.ndarray:
    """Draws Examples taken evenly from a split.

    Pictures are cut to the person; labels lie over them; the person's left is red and the right
    blue; annotated and captured points are yellow.

    Args:
      directory: folder of the shards.
      split: its name.
      count: how many at most.

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
    return np.vstack(rows)


def _cell(example) -> np.ndarray:
    """One Example with its id, [CELL + caption, CELL, 3]."""
    if example["image/encoded"]:
        pixels = _picture(example)
    else:
        pixels = _pose(example)
    caption = np.zeros((_CAPTION, CELL, 3), np.uint8)
    name = example["id"].decode()[-44:]
    where = (3, _CAPTION - 5)
    cv2.putText(caption, name, where, cv2.FONT_HERSHEY_SIMPLEX, 0.36, _MIDDLE, 1, cv2.LINE_AA)
    return np.vstack([pixels, caption])


def _picture(example) -> np.ndarray:
    pixels = _decode(example["image/encoded"], cv2.IMREAD_COLOR)[..., ::-1]
    for key in ("parts", "objects"):
        if example[f"{key}/valid"]:
            labels = _decode(example[f"{key}/encoded"], cv2.IMREAD_UNCHANGED)
            colours = colour_code(np.where(labels == 255, 0, labels) % 25, PARTS_24)
            mixed = pixels * (1 - _LABELS_OPACITY) + colours * _LABELS_OPACITY
            pixels = np.where((labels > 0)[..., None], mixed, pixels).astype(np.uint8)
    # A square around the person, or around the whole picture.
    box = np.array([0, 0, pixels.shape[1], pixels.shape[0]], np.float64)
    side = box[2:].max()
    if example["person/box/valid"]:
        box = np.float64(example["person/box"])
        side = _MARGIN * (box[2:] - box[:2]).max()
    scale = CELL / side
    shift = CELL / 2 - scale * (box[:2] + box[2:]) / 2
    # Index coordinates put pixel centres at whole numbers.
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    matrix[:, 2] += 0.5 * scale - 0.5
    pixels = cv2.warpAffine(pixels, matrix, (CELL, CELL), flags=cv2.INTER_LINEAR)
    if example["joints/2d/valid"].any():
        joints = scale * example["joints/2d"] + shift
        _bones(pixels, joints, example["joints/2d/valid"], SMPL_24)
    known = example["lsp/2d/valid"] > 0
    _dots(pixels, scale * example["lsp/2d"][known] + shift)
    known = example["h36m/3d/valid"] > 0
    if known.any():
        points = example["h36m/3d"][known] @ example["camera/intrinsics"].T
        _dots(pixels, scale * points[:, :2] / points[:, 2:] + shift)
    return pixels


def _pose(example) -> np.ndarray:
    """The 3D joints seen from the front, from far away."""
    pixels = np.zeros((CELL, CELL, 3), np.uint8)
    joints = example["joints/3d"]
    centre = (joints.min(0) + joints.max(0)) / 2
    points = (joints - centre)[:, :2] * CELL / _POSE_HEIGHT + CELL / 2
    _bones(pixels, points, example["joints/3d/valid"], SMPL_24)
    return pixels


def _bones(pixels, points, valid, skeleton) -> None:
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0 and valid[joint] and valid[parent]:
            name = skeleton.names[joint]
            colour = _LEFT if "left" in name else _RIGHT if "right" in name else _MIDDLE
            ends = [np.int32(np.rint(points[end] * 16)).tolist() for end in (parent, joint)]
            cv2.line(pixels, *ends, colour, 1, cv2.LINE_AA, shift=4)


def _dots(pixels, points) -> None:
    for point in points:
        centre = np.int32(np.rint(point * 16)).tolist()
        cv2.circle(pixels, centre, 2 * 16, _ANNOTATED, 1, cv2.LINE_AA, shift=4)


def _decode(encoded: bytes, mode: int) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(encoded, np.uint8), mode)
