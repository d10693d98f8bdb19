"""Neural Body Fitting (Omran et al. 2018): body parts, and the body behind them."""

from smpl_tf.keras_settings import check_backend

# ruff: noqa: E402
check_backend()  # must run before the modules below import Keras

from nbf.deeplab import DeepLab
from nbf.fitting import FittingNetwork
from nbf.losses import FittingLoss
from nbf.neural_body_fitting import NeuralBodyFitting
from nbf.prediction import FittedPerson, Predictor
from nbf.refinenet import RefineNet
from nbf.segmentation import PartSegmenter, SegmentationLoss
from nbf.small_segmenter import SmallSegmenter
from smpl_tf.version import __version__ as __version__

__all__ = [
    "DeepLab",
    "FittedPerson",
    "FittingLoss",
    "FittingNetwork",
    "NeuralBodyFitting",
    "PartSegmenter",
    "Predictor",
    "RefineNet",
    "SegmentationLoss",
    "SmallSegmenter",
]
