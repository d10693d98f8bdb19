"""The body that ships with the library: made by us, with SMPL's interface and array shapes.

Its vertex order, betas and landmarks are its own; see README.md next to this file.
"""

import functools
import os
import pathlib

from smpl_tf.model_data.arrays import SMPLModelData
from smpl_tf.open_body import data_file

_PATH = pathlib.Path(__file__).with_name("open_body.npz")


@functools.lru_cache(maxsize=3)
def load_open_body(gender: str = "neutral") -> SMPLModelData:
    """Returns the open body of one gender.

    Args:
      gender: "neutral", "female" or "male". The three share faces, weights and landmarks; each
        has a shape space of its own.

    Returns:
      The body's arrays, with SMPLR's and UP's landmarks and the vertex mirror. Metres, y up,
      z forward, x to the person's left. Every call returns the same object.

    Raises:
      ValueError: for another gender, or if the data file is missing or damaged.
    """
    return SMPLModelData(name="open_body", **data_file.read(_PATH, gender))


def load_body_file(path: str | os.PathLike, gender: str = "neutral") -> SMPLModelData:
    """Returns a body of a file in the open body's format, such as `from_anny` writes.

    Args:
      path: the `.npz` file.
      gender: "neutral", "female" or "male".

    Returns:
      The body's arrays, as `load_open_body` gives them, but named by the file's stem.

    Raises:
      ValueError: for another gender, or if the file is missing, damaged or of another format.
    """
    path = pathlib.Path(path)
    return SMPLModelData(name=path.stem, path=str(path.resolve()), **data_file.read(path, gender))
