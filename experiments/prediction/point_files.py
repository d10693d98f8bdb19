"""Files of 3D points as users have them: NPZ, NPY, JSON, and CSV with names of points."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.runs.common import UserError
from smpl_tf.errors import one_line
from smpl_tf.skeleton import Skeleton

ENDINGS = (".npz", ".npy", ".json", ".csv")
METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}
_ARRAYS = ("points", "joints_3d", "joints")
_AXES = "xyz"


class GivenPoints(NamedTuple):
    """Points of a file.

    Attributes:
      points: metres, `[N, P, 3]`; missing ones are NaN.
      weights: `[N, P]`, or None.
    """

    points: np.ndarray
    weights: np.ndarray | None


def read(path: Path, skeleton: Skeleton, unit: str) -> GivenPoints:
    """Reads the points of people, or of one person over time.

    NPZ: `points` `[..., P, 3]`, and `weights` or `valid` `[..., P]` if need be. NPY: the array
    alone. JSON: nested lists, or an object with `points` and `weights`; null is missing. CSV: a
    column for each axis of each point, one row per person; with a header of names such as
    left_knee_x, in any order, absent points are missing; empty cells too.

    Args:
      path: the file.
      skeleton: whose points it holds.
      unit: of `METRES`.

    Returns:
      The points.

    Raises:
      UserError: if the file is not there, cannot be read, or holds something else.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; give a file of points with --points")
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise UserError(f"{path}: expected a file ending in {' '.join(ENDINGS)}")
    try:
        if ending == ".csv":
            arrays = {"points": _read_csv(path, skeleton)}
        elif ending == ".json":
            arrays = _read_json(path)
        else:
            arrays = _read_arrays(path)
    except Exception as error:  # whatever a damaged file makes its decoder raise
        raise UserError(f"{path}: cannot be read as points ({one_line(error)})") from error
    name = next((name for name in _ARRAYS if name in arrays), None)
    if name is None:
        raise UserError(
            f"{path}: expected an array named {' or '.join(_ARRAYS)}, got "
            f"{', '.join(arrays) or 'nothing'}"
        )
    size = len(skeleton)
    points = arrays[name]
    if points.size and not np.isfinite(points).any():
        raise UserError(f"{path}: every point of everybody is missing")
    if points.ndim < 2 or points.shape[-2:] != (size, 3) or not points.size:
        raise UserError(
            f"{path}: expected {name} [..., {size}, 3] for --skeleton={skeleton.name}, got "
            f"{list(points.shape)}"
        )
    weights = arrays.get("weights", arrays.get("valid"))
    if weights is not None:
        if weights.shape != points.shape[:-1]:
            raise UserError(
                f"{path}: expected weights {list(points.shape[:-1])}, one per point, got "
                f"{list(weights.shape)}"
            )
        weights = weights.reshape(-1, size)
    points = points.reshape(-1, size, 3) * METRES[unit]
    given = np.isfinite(points).all(axis=-1)
    if weights is not None:
        given &= weights > 0
    if not given.any():
        raise UserError(f"{path}: every point of everybody is missing")
    return GivenPoints(points, weights)


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    with open(path, "rb") as file:
        content = np.load(file, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return {"points": content.astype(np.float64)}
        wanted = [name for name in content.files if name in (*_ARRAYS, "weights", "valid")]
        return {name: content[name].astype(np.float64) for name in wanted}


def _read_json(path: Path) -> dict[str, np.ndarray]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        content = {"points": content}
    wanted = [name for name in content if name in (*_ARRAYS, "weights", "valid")]
    return {
        name: np.array(_filled(content[name], _shape(content[name])), np.float64)
        for name in wanted
    }


def _filled(value, shape):
    """Writes NaN for null: for a number, a point, or a person of whom nothing is known."""
    if value is None:
        return np.full(shape, np.nan)
    if isinstance(value, list):
        return [_filled(one, shape[1:]) for one in value]
    return value


def _shape(value) -> list[int]:
    """Lengths of nested lists, along their deepest branch."""
    if not isinstance(value, list):
        return []
    return [len(value), *max(map(_shape, value), key=len, default=[])]


def _read_csv(path: Path, skeleton: Skeleton) -> np.ndarray:
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    if not rows:
        raise ValueError("it is empty")
    columns = [f"{name}_{axis}" for name in skeleton.names for axis in _AXES]
    header = [cell.strip().lower() for cell in rows[0]]
    if any(_number(cell) is None for cell in header):
        known = [name for name in header if name in columns]
        if not known:
            raise ValueError(f"no column is named like {columns[0]}")
        places = [columns.index(name) if name in columns else None for name in header]
        rows = rows[1:]
    else:
        places = list(range(len(columns)))
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
        raise ValueError(f"row {row + 1}: {text!r} is no number")
    return value


def _number(text: str) -> float | None:
    """Reads a number; an empty cell is NaN, any other text None."""
    try:
        return float(text) if text.strip() else np.nan
    except ValueError:
        return None


def weakest(names: Sequence[str], residuals: np.ndarray) -> str:
    """Names the point that a body misses most, with its distance."""
    worst = int(np.argmax(residuals))
    return f"{names[worst]} {1000 * residuals[worst]:.0f} mm"
