"""An SMPL layer in pure TensorFlow, and the geometry around it."""

from smpl_tf import rotations
from smpl_tf.body_model import SMPL, BodyModelOutput
from smpl_tf.mixed_gender import MixedGenderSMPL
from smpl_tf.model_data import (
    BodyNotFoundError,
    ModelFileError,
    SMPLModelData,
    load_model_data,
    save_model_data,
)

__all__ = [
    "SMPL",
    "BodyModelOutput",
    "BodyNotFoundError",
    "MixedGenderSMPL",
    "ModelFileError",
    "SMPLModelData",
    "load_model_data",
    "rotations",
    "save_model_data",
]
