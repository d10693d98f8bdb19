"""The files of body models: reads every official layout, and writes our own."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from smpl_tf import array_files, bounds, file_kinds, hdf5_files
from smpl_tf.errors import one_line
from smpl_tf.files import written_aside
from smpl_tf.model_data import unpickler
from smpl_tf.model_data.arrays import SMPLModelData
from smpl_tf.skeleton import NUM_OFFICIAL_VERTICES, OFFICIAL_LANDMARK_VERTICES

_REQUIRED = (
    *("v_template", "shapedirs", "posedirs", "weights", "J_regressor", "kintree_table", "f"),
)
# The key of HMR's regressor of 14 LSP joints, nose, eyes and ears.
_EXTRA_REGRESSORS = ("extra_regressor", "cocoplus_regressor")
# The errors that arrays of wrong types and shapes raise where they are used.
DAMAGED = (TypeError, ValueError, AttributeError, IndexError, OverflowError)
_ROOT = 2**32 - 1  # -1 as the files' uint32


class ModelFileError(ValueError):
    """A file cannot be read as a body model; the one-line message says why."""


def save_model_data(data: SMPLModelData, path: str | Path) -> None:
    """Writes a body model as HDF5, which any language can read and which cannot contain code.

    Args:
      data: the body.
      path: the .h5 file to write; it appears only when complete.

    Raises:
      ValueError: if the path does not end in .h5.
    """
    path = Path(path)
    if path.suffix != ".h5":
        raise ValueError(f"Expected an output path that ends in .h5, got {path}.")
    kintree = np.stack([data.parents, np.arange(data.num_joints)]).astype(np.int64)
    datasets = {
        **{name: getattr(data, name) for name in _REQUIRED[:5]},
        "kintree_table": kintree,
        "f": data.faces,
        "extra_regressor": data.extra_regressor,
        "vertex_mirror": data.vertex_mirror,
        "landmark_names": np.array(list(data.landmarks), dtype=h5py.string_dtype()),
        "landmark_ids": np.array(list(data.landmarks.values()), np.int64),
    }
    with written_aside(path) as aside, h5py.File(aside, "w") as file:
        file.attrs.update(name=data.name, gender=data.gender)
        for name, array in datasets.items():
            if array is not None:
                compression = "gzip" if array.size else None
                file.create_dataset(name, data=array, compression=compression)


def read_contents(path: Path) -> dict[str, Any]:
    """Reads the keys and arrays of a file; its first bytes show which format it has.

    Args:
      path: the file.

    Returns:
      Key -> array, with all required keys; nothing else is checked.

    Raises:
      ModelFileError: the file is damaged, malicious or not a body model.
    """
    with file_kinds.open_file(path) as file:
        start = file.read(8)
    reader: Callable[[Path], Any]
    if start.startswith(b"PK"):
        kind, reader = ".npz archive", _read_npz
    elif start == b"\x89HDF\r\n\x1a\n":
        kind, reader = "HDF5 file", _read_h5
    else:
        kind, reader = "pickle", _read_pickle
    try:
        contents = reader(path)
    except unpickler.ForbiddenClassError as error:
        raise ModelFileError(
            f"{path}: contains {one_line(error)[:200]}, which no body model needs; no code "
            "was run. Download the file again from its official site."
        ) from None
    except MemoryError:
        raise ModelFileError(
            f"{path}: needs more memory than is available; is it damaged?"
        ) from None
    except Exception as error:
        raise ModelFileError(
            f"{path}: cannot be read as a {kind} ({one_line(error)[:200]}); truncated, or not a "
            "body model? Download it again from its official site."
        ) from None
    missing = [name for name in _REQUIRED if not hasattr(contents, "keys") or name not in contents]
    if missing:
        raise ModelFileError(
            f"{path}: a {kind}, but not a body model: {', '.join(missing)} missing."
        )
    return contents


def _read_pickle(path):
    with file_kinds.open_file(path) as file:
        contents = unpickler.load(file)
    if not isinstance(contents, dict):
        raise ValueError(f"expected a dict, got {type(contents).__name__}")
    return {key: unpickler.to_plain(value) for key, value in contents.items()}


def _read_npz(path):
    def read_objects(file):
        contents = unpickler.load(file)
        return unpickler.to_plain(contents.item() if _is_single(contents) else contents)

    return array_files.read_npz(path, (*_REQUIRED, *_EXTRA_REGRESSORS), read_objects=read_objects)


def _is_single(contents):
    return isinstance(contents, np.ndarray) and contents.shape == ()


def _read_h5(path: Path) -> dict[str, Any]:
    with h5py.File(path, "r") as file:
        hdf5_files.check_tree(file, bounds.MOST_NUMBERS)
        names = [name for name in file if name != "landmark_names"]
        contents: dict[str, Any] = {name: hdf5_files.read(file, name) for name in names}
        if "landmark_names" in file:
            contents["landmark_names"] = hdf5_files.read_texts(file, "landmark_names")
        for name in ("name", "gender"):
            if name in file.attrs:
                contents[name] = _short(name, file.attrs[name])
    return contents


def _short(name, text):
    if not isinstance(text, str) or len(text) > 200:
        raise ValueError(f"expected {name} to be a short text")
    return text


def from_official(contents: dict[str, Any], path: Path) -> SMPLModelData:
    """Makes a body from the keys and arrays of an official file.

    Args:
      contents: from `read_contents`.
      path: the file; its name gives the gender if the content does not.

    Returns:
      The body, float64.

    Raises:
      DAMAGED: an array has a wrong shape or type.
    """
    extra = next((contents[name] for name in _EXTRA_REGRESSORS if name in contents), None)
    mirror = contents.get("vertex_mirror")
    parents = _whole("kintree_table", contents["kintree_table"])[0]
    names, ids = contents.get("landmark_names", ()), contents.get("landmark_ids", ())
    landmarks = {str(name): int(vertex) for name, vertex in zip(names, ids, strict=True)}
    if not landmarks and len(contents["v_template"]) == NUM_OFFICIAL_VERTICES:
        landmarks = dict(OFFICIAL_LANDMARK_VERTICES)
    return SMPLModelData(
        **{name: _finite(name, contents[name]) for name in _REQUIRED[:5]},
        parents=np.where(parents == _ROOT, -1, parents).astype(np.int32),
        faces=_whole("f", contents["f"]).astype(np.int32),
        gender=_short("gender", contents.get("gender") or _gender_from_name(path)),
        name=_short("name", contents.get("name") or path.stem),
        landmarks=landmarks,
        extra_regressor=None if extra is None else _finite("extra_regressor", extra),
        vertex_mirror=None if mirror is None else _whole("vertex_mirror", mirror).astype(np.int32),
        path=str(path.resolve()),
    )


def _finite(name, array):
    # Not by asarray: a list of long texts would take memory for each.
    if isinstance(array, np.ndarray) and array.dtype.kind == "c":
        raise ValueError(f"{name} contains complex numbers")
    array = np.ascontiguousarray(array, np.float64)
    # The layer computes in float32.
    if not (np.abs(array) <= np.finfo(np.float32).max).all():
        raise ValueError(f"{name} contains numbers that are not finite")
    return array


def _whole(name, array):
    """Returns int64 numbers; those too large for an index become the largest one."""
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
        array = _finite(name, array)
        if (array != np.rint(array)).any():
            raise ValueError(f"{name} contains numbers that are not whole")
    return np.clip(array, -1, _ROOT if name == "kintree_table" else 2**31 - 1).astype(np.int64)


def _gender_from_name(path: Path) -> str:
    """Guesses the gender from an official file name, or from the folder of SMPL+H's model.npz."""
    for text in (path.stem, path.parent.name):
        words = re.split(r"[^a-z]+", text.lower())
        for gender in ("neutral", "female", "male"):
            if gender in words or gender[0] in words:
                return gender
    return "unknown"
