"""SMPLR (Madadi et al. 2018): SMPL reversed, from a picture or from points to a body."""

from smpl_tf.keras_settings import check_backend

# ruff: noqa: E402
check_backend()  # must run before the modules below import Keras

from smpl_tf.version import __version__ as __version__
from smplr.denoising_autoencoder import DenoisingAutoencoder
from smplr.hourglass import StackedHourglass
from smplr.model import SMPLR
from smplr.point_body import PointBody
from smplr.point_fitting import PointFit, fit_points
from smplr.regressors import PoseRegressor, ShapeRegressor
from smplr.sequence_fit import fit_sequence

__all__ = [
    "SMPLR",
    "DenoisingAutoencoder",
    "PointBody",
    "PointFit",
    "PoseRegressor",
    "ShapeRegressor",
    "StackedHourglass",
    "fit_points",
    "fit_sequence",
]
