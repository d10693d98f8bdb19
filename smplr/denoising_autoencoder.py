"""The denoising autoencoder between a point estimator and SMPLR (paper 3.4)."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from smpl_tf.skeleton import Skeleton
from smpl_tf.skeleton_points import find_skeleton, known_points
from smplr.configured_model import ConfiguredModel
from smplr.landmarks import point_skeleton
from smplr.regressors import dense_block
from smplr.torso_frame import torso_rotation


@keras.saving.register_keras_serializable(package="smplr")
class DenoisingAutoencoder(ConfiguredModel):
    """Cleans noisy root-relative points; lifts 2D points whose depth is set to 0.

    Input and output: metres, camera axes, `[B, num_points, 3]`. A missing point is at the origin
    in the input; trained this way, the network fills it in.

    With `skeleton` the input is points of another skeleton with weights, `[B, P, 4]` (x, y, z,
    weight from 0, missing, to 1), with any origin, and the output is still SMPLR's points. Inside,
    the points are centred and turned so that the torso is upright before the camera; the output is
    turned back.

    Args:
      num_points: number of output points; 41 with landmarks, 23 without.
      keep_probability: fraction of numbers kept by both dropouts (paper 4.1: 0.8).
      activation: of the hidden layers.
      skeleton: name of the input points' skeleton
        (`smpl_tf.skeleton_points.SKELETONS`), or None for SMPLR's own.

    Source: paper 3.4; widths and the global residual (output = input + correction) as released
    (3,411,579 trainable weights). The paper has ReLU, the released code ELU. Other skeletons are
    not in the paper; for them the residual is a linear map of the input, initialised to match
    equal names.
    """

    def __init__(
        self,
        num_points: int = 41,
        keep_probability: float = 0.8,
        activation: str = "relu",
        skeleton: str | None = None,
        name: str = "denoising_autoencoder",
    ):
        config = {
            "num_points": num_points,
            "keep_probability": keep_probability,
            "activation": activation,
            "skeleton": skeleton,
        }
        if skeleton is None:
            points = keras.Input((num_points, 3), name="points")
            flat = shortcut = layers.Flatten(dtype="float32")(points)
        else:
            seen = find_skeleton(skeleton)
            points = keras.Input((len(seen), 4), name="points")
            flat, rotations = _UprightPoints(seen, dtype="float32")(points)
            start = keras.initializers.Constant(_first_guess(seen, num_points))
            shortcut = layers.Dense(
                3 * num_points, kernel_initializer=start, name="shortcut", dtype="float32"
            )(flat)
        first = dense_block(layers.Dropout(1 - keep_probability)(flat), 1024, activation)
        second = dense_block(first, 1024, activation)
        code = layers.Dropout(1 - keep_probability)(dense_block(second, 512, activation))
        decoded = layers.Add()([dense_block(code, 1024, activation), second])
        decoded = layers.Add()([dense_block(decoded, 1024, activation), first])
        # Initially zero: training starts from the identity.
        correction = layers.Dense(
            3 * num_points, kernel_initializer="zeros", name="correction", dtype="float32"
        )(decoded)
        cleaned = layers.Add(dtype="float32")([shortcut, correction])
        cleaned = layers.Reshape((num_points, 3), dtype="float32")(cleaned)
        if skeleton is not None:
            # Row vectors times R are rotated by its transpose, that is, back.
            cleaned = layers.Dot(axes=(2, 1), dtype="float32")([cleaned, rotations])
        super().__init__(points, cleaned, config, name)

    @property
    def skeleton(self) -> Skeleton | None:
        """The skeleton of the input points; None: SMPLR's own."""
        name = self._config["skeleton"]
        return None if name is None else find_skeleton(name)


def _first_guess(skeleton: Skeleton, num_points: int) -> np.ndarray:
    """Returns the map from the output of `_UprightPoints` to points of the same names.

    Returns:
      float32 `[4 K + 3, 3 num_points]`: a point of the output is the input's point of that name
      minus the middle of its hips, or zero without such a point.
    """
    known = [
        name
        for name, is_known in zip(skeleton.names, known_points(skeleton), strict=True)
        if is_known
    ]
    guess = np.zeros((4 * len(known) + 3, num_points, 3), np.float32)
    hips = [known.index(name) for name in ("left_hip", "right_hip") if name in known]
    for point, name in enumerate(point_skeleton(num_points).names[1:]):
        if name in known:
            for axis in range(3):
                guess[4 * known.index(name) + axis, point, axis] += 1
                for hip in hips:
                    guess[4 * hip + axis, point, axis] -= 1 / len(hips)
    return guess.reshape(len(guess), -1)


class _UprightPoints(layers.Layer):
    """Centres points and turns them upright; returns the rotation as well.

    Args:
      skeleton: of the points.
    """

    def __init__(self, skeleton: Skeleton, **kwargs: Any):
        super().__init__(trainable=False, **kwargs)
        self.skeleton = skeleton
        self.columns = np.flatnonzero(known_points(skeleton))

    def call(self, points: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Turns `[B, P, 4]`.

        Returns:
          For each point that a body has, position and weight, then the camera's axis in the
          upright person's frame, `[B, 4 K + 3]`; rotations `[B, 3, 3]`.
        """
        points = tf.gather(points, self.columns, axis=1)
        weights = tf.clip_by_value(points[..., 3], 0.0, 1.0)
        seen = weights[..., None] > 0
        places = tf.where(seen, points[..., :3], tf.zeros_like(points[..., :3]))
        names = [self.skeleton.names[column] for column in self.columns]
        rotations = torso_rotation(places, names, weights)
        shares = tf.math.divide_no_nan(weights, tf.reduce_sum(weights, axis=1, keepdims=True))
        places -= tf.einsum("np,npc->nc", shares, places)[:, None]
        places = tf.where(seen, places, tf.zeros_like(places))
        places = tf.einsum("nab,npb->npa", rotations, places)
        flat = tf.reshape(
            tf.concat([places, weights[..., None]], axis=-1), [-1, 4 * len(self.columns)]
        )
        return tf.concat([flat, rotations[:, :, 2]], axis=-1), rotations

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[tuple[int | None, ...], tuple[int | None, ...]]:
        """Returns the shapes of both outputs."""
        return (input_shape[0], 4 * len(self.columns) + 3), (input_shape[0], 3, 3)
