"""Ω: bone directions to rotations; Ψ: bone lengths to shape and gender (paper 3.2)."""

import keras
from keras import layers

from smplr.configured_model import ConfiguredModel

NUM_ROTATIONS = 24
_TRUNK_WIDTHS = (1024, 1024, 512, 512, 512)
_BRANCH_WIDTH = 256


def dense_block(features: keras.KerasTensor, width: int, activation: str) -> keras.KerasTensor:
    """Applies a fully connected layer, batch normalisation and an activation, in this order."""
    features = layers.BatchNormalization()(layers.Dense(width)(features))
    return layers.Activation(activation)(features)


def _regress(features: keras.KerasTensor, num_outputs: int, activation: str) -> keras.KerasTensor:
    """Applies SMPLR's nine layers and the side block that joins in before the last one.

    The two intermediate heads have neither normalisation nor activation, as released; the paper
    says that all layers but the last have both.
    """
    for width in _TRUNK_WIDTHS:
        features = dense_block(features, width, activation)
    main = dense_block(features, _BRANCH_WIDTH, activation)
    main = dense_block(main, _BRANCH_WIDTH, activation)
    main = layers.Dense(num_outputs)(main)
    side = layers.Dense(num_outputs)(dense_block(features, _BRANCH_WIDTH, activation))
    joined = layers.Concatenate()([main, side])
    return layers.Dense(num_outputs, dtype="float32")(joined)


@keras.saving.register_keras_serializable(package="smplr")
class PoseRegressor(ConfiguredModel):
    """Ω: bone directions to the rotation matrices of SMPL's 24 joints.

    Input: N, `[B, num_points, 3]`. Output: parent-relative matrices, the root's in the frame of
    the points, `[B, 24, 3, 3]`; entries in (-1, 1), not projected to rotations.

    Args:
      num_points: 41 with landmarks, 23 without.
      activation: of the hidden layers.

    Source: paper 3.2 (2,768,392 trainable weights). Its "11, 11" for the last two widths is right
      only for Ψ: here they are 216, as released. The paper has ReLU, the released code ELU.
    """

    def __init__(
        self,
        num_points: int = 41,
        activation: str = "relu",
        name: str = "pose_regressor",
    ):
        config = {"num_points": num_points, "activation": activation}
        directions = keras.Input((num_points, 3), name="directions")
        numbers = _regress(layers.Flatten()(directions), 9 * NUM_ROTATIONS, activation)
        numbers = layers.Activation("tanh", dtype="float32")(numbers)
        rotations = layers.Reshape((NUM_ROTATIONS, 3, 3), dtype="float32")(numbers)
        super().__init__(directions, rotations, config, name)


@keras.saving.register_keras_serializable(package="smplr")
class ShapeRegressor(ConfiguredModel):
    """Ψ: bone lengths to betas and gender.

    Input: B, metres, `[B, num_points]`. Output: `[B, num_betas + 1]`; the last number is the
    gender, +1 male and -1 female.

    Args:
      num_points: 41 with landmarks, 23 without.
      num_betas: shape components.
      activation: of the hidden layers.

    Source: paper 3.2 (2,485,779 trainable weights). The paper has ReLU, the released code ELU.
    """

    def __init__(
        self,
        num_points: int = 41,
        num_betas: int = 10,
        activation: str = "relu",
        name: str = "shape_regressor",
    ):
        config = {
            "num_points": num_points,
            "num_betas": num_betas,
            "activation": activation,
        }
        residuals = keras.Input((num_points,), name="residuals")
        numbers = _regress(residuals, num_betas + 1, activation)
        super().__init__(residuals, numbers, config, name)
