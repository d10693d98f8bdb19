"""SMPLR (Madadi et al. 2018): SMPL reversed, from a picture or from points to a body."""

from smplr.denoising_autoencoder import DenoisingAutoencoder
from smplr.hourglass import StackedHourglass
from smplr.model import SMPLR
from smplr.regressors import PoseRegressor, ShapeRegressor
from smplr.targets import PointBody

__all__ = [
    "SMPLR",
    "DenoisingAutoencoder",
    "PointBody",
    "PoseRegressor",
    "ShapeRegressor",
    "StackedHourglass",
]
