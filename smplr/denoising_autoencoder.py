"""The denoising autoencoder between an estimator of points and SMPLR (paper 3.4)."""

import keras
from keras import layers

from smplr.configured_model import ConfiguredModel
from smplr.regressors import dense_block


@keras.saving.register_keras_serializable(package="smplr")
class DenoisingAutoencoder(ConfiguredModel):
    """Noisy root-relative points to clean ones; lifts 2D points where their depth is set to 0.

    Input and output: metres, camera axes, `[B, num_points, 3]`. A missing point stands at the
    origin in the input; trained so, the network fills it in.

    Args:
      num_points: 41 with landmarks, 23 without.
      keep_probability: share of numbers kept by both dropouts (paper 4.1: 0.8).
      activation: of the hidden layers.

    Source: paper 3.4; widths and the global residual (output = input + correction) as released
    (3,411,579 trainable weights). The paper has ReLU, the released code ELU.
    """

    def __init__(
        self,
        num_points: int = 41,
        keep_probability: float = 0.8,
        activation: str = "relu",
        name: str = "denoising_autoencoder",
    ):
        config = {
            "num_points": num_points,
            "keep_probability": keep_probability,
            "activation": activation,
        }
        points = keras.Input((num_points, 3), name="points")
        flat = layers.Flatten(dtype="float32")(points)
        first = dense_block(layers.Dropout(1 - keep_probability)(flat), 1024, activation)
        second = dense_block(first, 1024, activation)
        code = layers.Dropout(1 - keep_probability)(dense_block(second, 512, activation))
        decoded = layers.Add()([dense_block(code, 1024, activation), second])
        decoded = layers.Add()([dense_block(decoded, 1024, activation), first])
        # Zero at first: training starts from the identity.
        correction = layers.Dense(
            3 * num_points, kernel_initializer="zeros", name="correction", dtype="float32"
        )(decoded)
        cleaned = layers.Add(dtype="float32")([flat, correction])
        cleaned = layers.Reshape((num_points, 3), dtype="float32")(cleaned)
        super().__init__(points, cleaned, config, name)
