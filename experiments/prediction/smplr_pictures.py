"""Predicts bodies from pictures, with a finished run of all of SMPLR's networks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from experiments.runs.common import UserError
from experiments.runs.run_folder import RunFolder
from experiments.smplr import networks
from smpl_tf.rotations import project_to_rotation
from smplr import SMPLR


class PictureBodies(NamedTuple):
    """SMPLR's predictions for N people, each in a square picture.

    Attributes:
      points: `[N, P, 3]` the hourglass's joints and landmarks without the pelvis; metres, camera
        axes, relative to the pelvis.
      rotations: `[N, 24, 3, 3]` parent-relative, the root's in camera axes; orthogonal.
      betas: `[N, B]` in the space of the person's body.
      body: `[N]` index of the model's body for the gender.
    """

    points: np.ndarray
    rotations: np.ndarray
    betas: np.ndarray
    body: np.ndarray


class PictureModel:
    """All of SMPLR: hourglass, autoencoder, Ω, Ψ.

    Attributes:
      bodies: the female and the male body, or the neutral one.
      image_size: side of the pictures, pixels. They show what `smplr.targets.crop_window` cuts
        out, 2.5 m around the pelvis.
    """

    def __init__(self, model: SMPLR):
        """Traces the networks once, for any number of pictures.

        Args:
          model: with an hourglass.
        """
        self.bodies = model.body.bodies
        self.image_size = model.hourglass.input.shape[1]
        shape = tf.TensorSpec([None, self.image_size, self.image_size, 3], tf.float32)
        self._run = tf.function(model, input_signature=[shape]).get_concrete_function()

    def __call__(self, pictures: np.ndarray) -> PictureBodies:
        """Estimates the people of some pictures.

        Args:
          pictures: `[N, image_size, image_size, 3]` RGB, uint8.

        Returns:
          Their bodies.
        """
        outputs = self._run(tf.cast(pictures, tf.float32))
        shape = outputs["shape"].numpy()
        return PictureBodies(
            points=outputs["points"].numpy(),
            rotations=project_to_rotation(outputs["rotations"]).numpy(),
            betas=shape[:, :-1],
            body=(shape[:, -1] >= 0).astype(int) * (len(self.bodies) - 1),
        )


def restore_picture_model(run: RunFolder) -> PictureModel:
    """Loads the model of a run.

    Args:
      run: a finished run of --stage=end_to_end, or networks joined by evaluate_smplr.py.

    Returns:
      The model.

    Raises:
      UserError: the run is unfinished, or its input is not pictures.
    """
    model, stage = networks.load_model(run)
    if stage != "end_to_end":
        raise UserError(
            f"{run.path}: --stage={stage} does not predict bodies from pictures; give a run of "
            "--stage=end_to_end, or join networks with evaluate_smplr.py --networks=..."
        )
    return PictureModel(model)
