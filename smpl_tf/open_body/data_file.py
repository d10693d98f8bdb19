"""The data file of the open body: compact on disk, SMPL's dense arrays in memory.

The genders share faces, weights and landmarks; each has its own template, blend shapes and joint
regressor.
"""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from smpl_tf import array_files, bounds
from smpl_tf.errors import one_line
from smpl_tf.files import written_aside

GENDERS = ("neutral", "female", "male")
_MAX_INFLUENCES = 4
_WEIGHT_UNITS = 65535  # code of a weight of 1
_SHARED = (
    *("faces", "parents", "vertex_mirror", "weight_joints", "weight_units", "landmark_names"),
    "landmark_ids",
)
_OF_ONE_GENDER = ("v_template", "shapedirs", "posedirs", "J_regressor")
_SMALLEST_POSE_OFFSET = 1e-4  # metres per unit of pose feature; smaller entries are not stored


def pack_weights(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Encodes skinning weights as four joints and four integers per vertex.

    Args:
      weights: `[V, J]` non-negative rows with at most four influences.

    Returns:
      uint8 `[V, 4]` joints and uint16 `[V, 4]` units, largest first.
    """
    order = np.argsort(-weights, axis=1, kind="stable")[:, :_MAX_INFLUENCES]
    largest = np.take_along_axis(weights, order, axis=1)
    units = np.rint(largest / largest.sum(1, keepdims=True) * _WEIGHT_UNITS)
    return order.astype(np.uint8), units.astype(np.uint16)


def unpack_weights(joints: np.ndarray, units: np.ndarray, num_joints: int) -> np.ndarray:
    """Restores float64 `[V, num_joints]` weights from `pack_weights`; rows sum to one."""
    bounds.check(len(joints) * num_joints, bounds.MOST_NUMBERS, "skinning weights")
    weights = np.zeros((len(joints), num_joints))
    np.put_along_axis(
        weights, joints.astype(np.int64), units / units.sum(1, keepdims=True, dtype=float), axis=1
    )
    return weights


def write(
    path: str | os.PathLike,
    shared: Mapping[str, Any],
    bodies: Mapping[str, Mapping[str, np.ndarray]],
) -> None:
    """Writes a body file under a temporary name and renames it.

    Args:
      path: the file to write, `.npz`.
      shared: faces `[F, 3]`, parents `[J]`, vertex_mirror `[V]`, weights `[V, J]`, and landmarks,
        a mapping from name to vertex id.
      bodies: for each gender the arrays v_template `[V, 3]`, shapedirs `[V, 3, B]`,
        posedirs `[V, 3, 9 (J-1)]`, J_regressor `[J, V]`.
    """
    joints, units = pack_weights(shared["weights"])
    arrays = {
        "faces": shared["faces"].astype(np.uint16),
        "parents": shared["parents"].astype(np.int8),
        "vertex_mirror": shared["vertex_mirror"].astype(np.uint16),
        "weight_joints": joints,
        "weight_units": units,
        "landmark_names": np.array(list(shared["landmarks"])),
        "landmark_ids": np.array(list(shared["landmarks"].values()), np.uint16),
    }
    for gender, body in bodies.items():
        posedirs = np.where(np.abs(body["posedirs"]) < _SMALLEST_POSE_OFFSET, 0, body["posedirs"])
        arrays[f"{gender}/v_template"] = body["v_template"].astype(np.float32)
        arrays[f"{gender}/shapedirs"] = body["shapedirs"].astype(np.float16)
        arrays[f"{gender}/posedirs"] = posedirs.astype(np.float16)
        arrays[f"{gender}/J_regressor"] = body["J_regressor"].astype(np.float32)
    path = pathlib.Path(path)
    with written_aside(path) as aside, open(aside, "wb") as file:
        np.savez_compressed(file, **arrays)


def read(path: str | os.PathLike, gender: str) -> dict[str, Any]:
    """Reads the arrays of one gender's body.

    Args:
      path: a file made by `write`.
      gender: "neutral", "female" or "male".

    Returns:
      A dict with the fields of `SMPLModelData` except name and extra_regressor, float64 and
      int32 as there.

    Raises:
      ValueError: if the file is missing, damaged, or not of this form.
    """
    path = pathlib.Path(path)
    if gender not in GENDERS:
        raise ValueError(f"gender: expected one of {', '.join(GENDERS)}, got {gender!r}.")
    try:
        own_names = [f"{gender}/{key}" for key in _OF_ONE_GENDER]
        file = array_files.read_npz(path, (*_SHARED, *own_names))
        missing = sorted({"faces", "landmark_ids", f"{gender}/v_template"} - set(file))
        if missing:
            raise KeyError(missing[0])
        own = {key: file[f"{gender}/{key}"].astype(np.float64) for key in _OF_ONE_GENDER}
        parents = file["parents"].astype(np.int32)
        names, ids = file["landmark_names"].tolist(), file["landmark_ids"].tolist()
        return {
            **own,
            "J_regressor": own["J_regressor"] / own["J_regressor"].sum(1, keepdims=True),
            "weights": unpack_weights(file["weight_joints"], file["weight_units"], len(parents)),
            "parents": parents,
            "faces": file["faces"].astype(np.int32),
            "gender": gender,
            "landmarks": dict(zip(names, ids, strict=True)),
            "vertex_mirror": file["vertex_mirror"].astype(np.int32),
        }
    except FileNotFoundError:
        raise ValueError(
            f"{path}: no such body file; reinstall the package, or make it with "
            f"'python -m smpl_tf.open_body.build --output {path}'."
        ) from None
    except KeyError as error:
        raise ValueError(
            f"{path}: not a body file of this library; array {error.args[0]!r} is missing."
        ) from None
    except Exception as error:  # decoders raise many kinds of errors on damaged archives
        raise ValueError(
            f"{path}: damaged or not a body file ({one_line(error)}); reinstall the package, "
            f"or make it with 'python -m smpl_tf.open_body.build --output {path}'."
        ) from None
