"""Body models as arrays: what they hold, and reading and writing them.

`python -m smpl_tf.model_data FILE` describes a file.
"""

from smpl_tf.model_data.arrays import SMPLModelData, shaped_vertices
from smpl_tf.model_data.files import ModelFileError, save_model_data
from smpl_tf.model_data.identity import BodyNotFoundError, body_spec, find_body
from smpl_tf.model_data.loading import load_model_data, require_smpl

__all__ = [
    "BodyNotFoundError",
    "ModelFileError",
    "SMPLModelData",
    "body_spec",
    "find_body",
    "load_model_data",
    "require_smpl",
    "save_model_data",
    "shaped_vertices",
]
