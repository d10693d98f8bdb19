"""Pictures for TensorBoard: predictions for a few held-out people after each epoch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from nbf import FittingNetwork
from nbf.segmentation import PartSegmenter
from nbf.targets import picture_camera
from smpl_tf import SMPL, figures, kinematics
from smpl_tf.parts import colour_code
from smpl_tf.skeleton import SMPL_24

WATCHED_PEOPLE = 4

Draw = Callable[[], dict[str, np.ndarray]]


def fitting_drawer(network: FittingNetwork, watched: tf.data.Dataset) -> Draw:
    """Returns a function that draws the first people of a split: input and predicted body.

    Args:
      network: the network.
      watched: batches of `fitting_targets`.

    Returns:
      A function for `callbacks.LogPictures`.
    """
    inputs, _ = next(iter(watched))
    inputs = {name: value[:WATCHED_PEOPLE] for name, value in inputs.items()}
    smpl = SMPL(network.body.model_data)
    predict = tf.function(network)
    size = figures.THUMBNAIL

    def draw() -> dict[str, np.ndarray]:
        predicted = predict(inputs)
        relative = kinematics.global_to_relative(predicted["global_rotations"], SMPL_24.parents)
        posed = smpl(
            betas=predicted["betas"], pose=relative, translation=inputs["translation"]
        ).vertices.numpy()
        seen = [figures.enlarge(figures.visible(m), size, False) for m in inputs["input_map"]]
        cameras = [picture_camera(k) for k in inputs["intrinsics"]]
        over = [
            figures.body_over(picture, vertices, smpl.faces, camera, figures.PREDICTED)
            for picture, vertices, camera in zip(seen, posed, cameras, strict=True)
        ]
        return {"input": np.stack(seen), "prediction": np.stack(over)}

    return draw


def segmentation_drawer(segmenter: PartSegmenter, watched: tf.data.Dataset) -> Draw:
    """Returns a function that draws the first people of a split: picture, predicted, true parts.

    Args:
      segmenter: the network.
      watched: batches of `segmentation_targets`.

    Returns:
      A function for `callbacks.LogPictures`.
    """
    shown, true = next(iter(watched))
    shown, labels = shown[:WATCHED_PEOPLE], true["labels"][:WATCHED_PEOPLE].numpy()
    predict = tf.function(segmenter)

    def draw() -> dict[str, np.ndarray]:
        predicted = predict(shown).numpy().argmax(-1)
        return {
            "picture": figures.rounded(shown),
            "prediction": colour_code(predicted, segmenter.scheme),
            "truth": colour_code(labels, segmenter.scheme),
        }

    return draw
