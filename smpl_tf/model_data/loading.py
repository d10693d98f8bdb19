"""Loads a body model: the open body, or one from a file."""

import weakref
import zipfile
from pathlib import Path

from smpl_tf import open_body
from smpl_tf.errors import one_line
from smpl_tf.model_data.arrays import SMPLModelData
from smpl_tf.model_data.files import (
    DAMAGED,
    ModelFileError,
    from_official,
    read_contents,
)
from smpl_tf.skeleton import SMPL_24

_SUCCESSORS = {52: "SMPL+H", 55: "SMPL-X", 16: "MANO", 5: "FLAME"}

# (path, gender, state of the file) -> its body, as long as it is in use: the 80 MB of a body are
# freed with its last user.
_IN_USE: weakref.WeakValueDictionary[tuple, SMPLModelData] = weakref.WeakValueDictionary()


def load_model_data(path: str | Path | None = None, gender: str = "neutral") -> SMPLModelData:
    """Reads a body model: the open body, or an official file of SMPL, HMR or SMPL+H.

    Pickles are read without chumpy and without running anything they name.

    Args:
      path: a .pkl, .npz or .h5 file; None means the open body that ships with the library.
      gender: "neutral", "female" or "male"; chooses among the open bodies, and in a file that
        holds all three as theirs does. The gender of an official file comes from its name, or is
        "unknown".

    Returns:
      Its arrays, float64 as read and read-only. A body with SMPL's 6890 vertices has UP's and
      SMPLR's landmarks. While a body is in use, its file is not read again unless it has changed:
      every call returns the same object.

    Raises:
      ModelFileError: if the file is missing, damaged, malicious or not a body model.

    Source: the layouts are those of SMPL v1.0.0 and v1.1.0, HMR's neutral file, AMASS's SMPL+H
      and `.npz` re-packs of them; `.h5` is our own, and so is the `.npz` of
      `python -m smpl_tf.open_body.from_anny`.
    """
    if path is None:
        return open_body.load_open_body(gender)
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file; expected a body model (.pkl, .npz or .h5).")
    status = path.stat()
    key = (path.absolute(), gender, status.st_ino, status.st_mtime_ns, status.st_size)
    data = _IN_USE.get(key)
    if data is None:
        data = _IN_USE[key] = _read(path, gender)
    return data


def _read(path: Path, gender: str) -> SMPLModelData:
    """Reads a body model from an existing file."""
    if _holds_open_bodies(path):
        try:
            return open_body.load_body_file(path, gender)
        except DAMAGED as error:
            raise ModelFileError(f"{path}: {one_line(error).removeprefix(f'{path}: ')}") from None
    contents = read_contents(path)
    try:
        return from_official(contents, path)
    except DAMAGED as error:
        raise ModelFileError(f"{path}: not a readable body model: {one_line(error)}") from None


def require_smpl(data: SMPLModelData) -> SMPLModelData:
    """Rejects bodies of SMPL's successors where SMPL's pose parameters are needed.

    Args:
      data: a body.

    Returns:
      The same body.

    Raises:
      ModelFileError: it does not have SMPL's 24 joints.
    """
    if data.num_joints != len(SMPL_24):
        kind = _SUCCESSORS.get(data.num_joints, "no SMPL body")
        raise ModelFileError(
            f"{data.path or data.name}: a body of {data.num_joints} joints ({kind}), expected "
            f"SMPL's {len(SMPL_24)}; give a body model file of SMPL"
        )
    return data


def _holds_open_bodies(path: Path) -> bool:
    """Whether a file has the open body's own layout: several genders in one archive."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return "weight_units.npy" in archive.namelist()
    except Exception:  # damaged: the reader will report it
        return False
