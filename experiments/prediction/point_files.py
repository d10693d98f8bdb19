"""Reads users' files of 3D points: NPZ, NPY, JSON, and CSV with names of points."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.runs.common import UserError
from smpl_tf import array_files, bounds, file_kinds, json_files, text_files
from smpl_tf.errors import one_line
from smpl_tf.skeleton import Skeleton

ENDINGS = (".npz", ".npy", ".json", ".csv")
METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}
_ARRAYS = ("points", "joints_3d", "joints")
_WANTED = (*_ARRAYS, "weights", "valid")
# Arrays that identify files of body parameters, which `smpl_tf.motion_files` reads.
_PARAMETERS = {"pose", "poses", "pose_body", "bodyPose", "theta", "pred_rotmat", "results"}
_AXES = "xyz"
_FARTHEST = 1e12  # in any unit; squares of larger numbers exceed float32
_ORIGINS = ("pelvis", "mid_hip")  # prefixes of the names of reference points


class GivenPoints(NamedTuple):
    """Points of a file.

    Attributes:
      points: metres, `[N, P, 3]`; missing ones are NaN.
      weights: `[N, P]`, or None.
      notes: ignored data and points taken as missing, one line each.
    """

    points: np.ndarray
    weights: np.ndarray | None
    notes: tuple[str, ...] = ()


def read(path: Path, skeleton: Skeleton, unit: str, body_model: str | None = None) -> GivenPoints:
    """Reads the points of people, or of one person over time.

    NPZ: `points` `[..., P, 3]`, optionally `weights` or `valid` `[..., P]`. NPY: only the points.
    JSON: nested lists, or an object with `points` and `weights`; null is missing. CSV, with
    commas, semicolons or tabs: a column for each axis of each point, one row per person; with a
    header of names such as left_knee_x, in any order, absent points are missing; empty cells too.
    An NPZ of body parameters instead of points (AMASS, SMPL-X, smplcodec, HMR, SPIN, ROMP) gives
    the points of those bodies. In every format exact zeros are missing, except for a pelvis that
    is the origin for all people.

    Args:
      path: the file.
      skeleton: of the points.
      unit: of `METRES`.
      body_model: body file for body parameters; None: the open body.

    Returns:
      The points.

    Raises:
      UserError: if the file is missing, unreadable, or contains something else.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; give a file of points with --points")
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise UserError(f"{path}: expected a file ending in {' '.join(ENDINGS)}")
    notes: list[str] = []
    try:
        if ending == ".csv":
            arrays = {"points": _read_csv(path, skeleton, notes)}
        elif ending == ".json":
            arrays = _read_json(path)
        else:
            arrays = _read_arrays(path, skeleton, body_model, notes)
    except Exception as error:  # decoders raise many kinds of errors on damaged files
        reason = one_line(error).removeprefix(f"{path}: ")
        raise UserError(f"{path}: cannot be read as points ({reason})") from error
    name = next((name for name in _ARRAYS if name in arrays), None)
    if name is None:
        raise UserError(
            f"{path}: expected an array named {' or '.join(_ARRAYS)}, got "
            f"{', '.join(arrays) or 'nothing'}"
        )
    size = len(skeleton)
    points = arrays[name]
    if points.size and not np.isfinite(points).any():
        raise UserError(f"{path}: all points of all people are missing")
    if points.ndim < 2 or points.shape[-2:] != (size, 3) or not points.size:
        raise UserError(
            f"{path}: expected {name} [..., {size}, 3] for the skeleton {skeleton.name}, got "
            f"{list(points.shape)}{_others_of(points.shape)}"
        )
    weights = arrays.get("weights", arrays.get("valid"))
    if weights is not None:
        if weights.shape != points.shape[:-1]:
            raise UserError(
                f"{path}: expected weights {list(points.shape[:-1])}, one per point, got "
                f"{list(weights.shape)}"
            )
        if (weights < 0).any() or np.isinf(weights).any():
            raise UserError(
                f"{path}: expected weights of 0 and more, got {np.nanmin(weights):g} to "
                f"{np.nanmax(weights):g}"
            )
        weights = weights.reshape(-1, size)
    largest = np.abs(points[np.isfinite(points)]).max()
    if largest > _FARTHEST:
        raise UserError(f"{path}: expected points of people, got numbers up to {largest:g}")
    points = points.reshape(-1, size, 3) * METRES[unit]
    zeros = _zeros(points, skeleton)
    if zeros.any():
        points = np.where(zeros[..., None], np.nan, points)
        notes.append(
            f"{zeros.sum()} points of {zeros.any(axis=1).sum()} people are exactly (0, 0, 0): "
            "taken as missing"
        )
    given = np.isfinite(points).all(axis=-1)
    if weights is not None:
        given &= weights > 0
    if not given.any():
        raise UserError(f"{path}: all points of all people are missing")
    return GivenPoints(points, weights, tuple(notes))


def _zeros(points: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Returns which points `[N, P]` are exact zeros, as pose systems write for missing ones."""
    zeros = (points == 0).all(axis=-1)
    for index, name in enumerate(skeleton.names):
        if name.startswith(_ORIGINS) and zeros[:, index].all():
            zeros[:, index] = False  # all points are relative to it
    return zeros


def _read_arrays(
    path: Path, skeleton: Skeleton, body_model: str | None, notes: list[str]
) -> dict[str, np.ndarray]:
    most = bounds.MOST_POINT_NUMBERS
    if not array_files.is_archive(path):
        return {"points": _real("points", array_files.read_npy(path, most))}
    arrays = array_files.read_npz(path, _WANTED, most)
    names = array_files.names(path)
    if not set(_ARRAYS) & set(arrays) and set(names) & _PARAMETERS:
        return {"points": _posed_points(path, skeleton, body_model, notes)}
    if not arrays:
        arrays = dict.fromkeys(names, np.zeros(0))
    return {name: _real(name, array) for name, array in arrays.items()}


def _real(name: str, array: np.ndarray) -> np.ndarray:
    """Returns an array as float64."""
    if array.dtype.kind in "cb" and name not in ("weights", "valid"):
        raise ValueError(f"{name} holds {array.dtype}, expected real numbers")
    return array.astype(np.float64)


def _posed_points(
    path: Path, skeleton: Skeleton, body_model: str | None, notes: list[str]
) -> np.ndarray:
    """Returns the points of the bodies of another program's parameter file."""
    from smpl_tf import SMPL, motion_files, named_points

    points = []
    for motion in motion_files.read_motions(path):
        body = SMPL(body_model, gender=motion.gender, num_betas=len(motion.betas))
        posed = body(betas=motion.betas, pose=motion.pose, translation=motion.translation)
        points.append(named_points(posed, skeleton, body).numpy())
    notes.append(f"body parameters: the points of {body.model_data.name} with them are fitted")
    return np.concatenate(points).astype(np.float64)


def _others_of(shape: tuple[int, ...]) -> str:
    """Names the skeletons that have as many points as an array."""
    from smpl_tf.skeleton_points import SKELETONS

    if len(shape) < 2 or shape[-1] != 3:
        return ""
    names = [name for name, one in SKELETONS.items() if len(one) == shape[-2]]
    return f"; of so many points are --skeleton={' or '.join(names)}" if names else ""


def _read_json(path: Path) -> dict[str, np.ndarray]:
    content = json_files.read(path, bounds.MOST_CSV_BYTES)
    if not isinstance(content, dict):
        content = {"points": content}
    arrays = {}
    for name in content:
        if name in _WANTED:
            value, shape = content[name], _shape(content[name])
            bounds.check(_count(value, shape), bounds.MOST_POINT_NUMBERS, "numbers")
            arrays[name] = np.array(_filled(value, shape), np.float64)
    return arrays


def _count(value, shape) -> int:
    """Counts the numbers that `_filled` makes."""
    if isinstance(value, list):
        return sum(_count(one, shape[1:]) for one in value)
    return math.prod(shape) if value is None else 1


def _filled(value, shape):
    """Replaces null by NaN: for a number, a point, or a person without any point."""
    if value is None:
        return np.full(shape, np.nan)
    if isinstance(value, list):
        return [_filled(one, shape[1:]) for one in value]
    return value


def _shape(value) -> list[int]:
    """Returns the lengths of nested lists, along the deepest branch."""
    if not isinstance(value, list):
        return []
    return [len(value), *max(map(_shape, value), key=len, default=[])]


def _read_csv(path: Path, skeleton: Skeleton, notes: list[str]) -> np.ndarray:
    text = text_files.decode(file_kinds.read_bytes(path, bounds.MOST_CSV_BYTES))
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = next((sign for sign in ";\t" if sign in first), ",")
    if separator != ",":  # here a comma may be the decimal sign
        text = text.replace(",", ".")
    lines = csv.reader(text.splitlines(), delimiter=separator)
    rows = [row for row in lines if any(cell.strip() for cell in row)]
    if not rows:
        raise ValueError("it is empty")
    columns = [f"{name}_{axis}" for name in skeleton.names for axis in _AXES]
    header = [cell.strip().lower() for cell in rows[0]]
    if any(_number(cell) is None for cell in header):
        known = [name for name in header if name in columns]
        if not known:
            raise ValueError(f"no column has a name like {columns[0]}")
        places = [columns.index(name) if name in columns else None for name in header]
        others = [name or "(no name)" for name in header if name not in columns]
        if others:
            shown = ", ".join(name[:40] for name in others[:5])
            notes.append(f"{len(others)} columns are ignored: {shown}")
        if len(set(known)) < len(known):
            raise ValueError(f"{next(one for one in known if known.count(one) > 1)} occurs twice")
        rows = rows[1:]
    else:
        places = list(range(len(columns)))
    bounds.check(len(rows) * len(columns), bounds.MOST_POINT_NUMBERS, "numbers")
    table = np.full((len(rows), len(columns)), np.nan)
    for number, row in enumerate(rows):
        if len(row) != len(places):
            raise ValueError(f"row {number + 1} has {len(row)} cells, expected {len(places)}")
        for place, cell in zip(places, row, strict=True):
            if place is not None:
                table[number, place] = _cell(cell, number)
    return table.reshape(len(rows), len(skeleton), 3)


def _cell(text: str, row: int) -> float:
    value = _number(text)
    if value is None:
        raise ValueError(f"row {row + 1}: {text!r} is not a number")
    return value


def _number(text: str) -> float | None:
    """Reads a number; an empty cell is NaN, any other text None."""
    try:
        return float(text) if text.strip() else np.nan
    except ValueError:
        return None


def weakest(names: Sequence[str], residuals: np.ndarray) -> str:
    """Returns the name of the point with the largest distance, and the distance."""
    worst = int(np.argmax(residuals))
    return f"{names[worst]} {1000 * residuals[worst]:.0f} mm"
