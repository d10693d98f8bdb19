"""From a photograph to a body, with a trained fitting network."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import tensorflow as tf

from experiments import figures, pictures, report
from experiments.common import UserError
from experiments.run_folder import written_aside
from nbf import FittingNetwork, input_maps
from smpl_tf import SMPL, kinematics, rotations
from smpl_tf.camera import NBF_TRANSLATION, nbf_camera
from smpl_tf.skeleton import SMPL_24

SHOWN_SIZE = 512  # pixels, longer side of drawn pictures


class Prediction(NamedTuple):
    """One fitted body and its pictures.

    Attributes:
      parameters: name -> array, for parameters.npz: `betas` [10]; `pose` [24, 3] parent-relative
        axis-angles, radians; `rotations` [24, 3, 3] the same as matrices; `global_rotations`
        [24, 3, 3] camera frame; `translation` [3] metres, camera frame; `joints_3d` [24, 3]
        metres, camera frame; `joints_2d` [24, 2] and `intrinsics` [3, 3] in pixels of the
        original picture.
      photograph: `[H, W, 3]` uint8, at most SHOWN_SIZE.
      input: `[SHOWN_SIZE, SHOWN_SIZE, 3]` uint8, what the network saw.
      overlay: `[H, W, 3]` uint8, the body over the photograph.
      side: `[SHOWN_SIZE, SHOWN_SIZE, 4]` uint8, the body from the side.
    """

    parameters: dict[str, np.ndarray]
    photograph: np.ndarray
    input: np.ndarray
    overlay: np.ndarray
    side: np.ndarray


class Predictor:
    """Fits bodies to whole photographs of one person.

    Attributes:
      warning: one line for the user on what the network is shown; empty if that is what it knows.
    """

    def __init__(self, network: FittingNetwork, input_map: str):
        """Prepares a network.

        Args:
          network: the trained network.
          input_map: what it was trained on.

        Raises:
          UserError: a photograph cannot stand in for its input.
        """
        if input_maps.input_map(input_map).channels != 3:
            raise UserError(
                f"--run was trained on {input_map}, which only a segmentation network makes of a "
                "photograph, and none is trained yet; give a run with --input_map=parts_12 or rgb"
            )
        self.warning = ""
        if input_map != "rgb":
            self.warning = (
                f"No segmentation network is trained yet: the fitting network, which learnt from "
                f"{input_map}, is shown the photograph itself, so these bodies are poor."
            )
        self._size = network.input_size
        self._fit = tf.function(network)
        self._body = SMPL(network.body.model_data)

    def predict(self, pixels: np.ndarray) -> Prediction:
        """Fits a body to a photograph.

        Args:
          pixels: `[H, W, 3]` uint8 RGB.

        Returns:
          The prediction.
        """
        height, width = pixels.shape[:2]
        seen = pictures.square(pixels, self._size)
        fitted = self._fit({"input_map": input_maps.to_unit_range(seen)[tf.newaxis]})
        turned = fitted["global_rotations"][0]
        relative = kinematics.global_to_relative(turned, SMPL_24.parents)
        body = self._body(betas=fitted["betas"][0], pose=relative, translation=NBF_TRANSLATION)
        # The camera of the original picture sees the square around it as NBF's camera does.
        square_camera = nbf_camera(self._size)
        box = pictures.box_in_square(width, height, self._size)
        camera = square_camera.crop(*box).resize(width, height)
        photograph = pictures.shrink(pixels, SHOWN_SIZE)
        vertices, faces = body.vertices.numpy(), self._body.faces
        parameters = {
            "betas": fitted["betas"][0],
            "pose": rotations.matrix_to_axis_angle(relative),
            "rotations": relative,
            "global_rotations": turned,
            "translation": np.array(NBF_TRANSLATION, np.float32),
            "joints_3d": body.joints,
            "joints_2d": camera.project(body.joints),
            "intrinsics": camera.intrinsics,
        }
        return Prediction(
            {name: np.asarray(value, np.float32) for name, value in parameters.items()},
            photograph,
            figures.enlarge(seen, SHOWN_SIZE),
            figures.body_over(photograph, vertices, faces, camera, figures.PREDICTED),
            figures.body_from_side(SHOWN_SIZE, vertices, faces, square_camera, figures.PREDICTED),
        )


def write(prediction: Prediction, folder: Path) -> report.Person:
    """Writes the files of one picture.

    Args:
      prediction: what to write.
      folder: where; its name is the picture's.

    Returns:
      The person for the page.
    """
    with written_aside(folder / "parameters.npz") as aside:
        np.savez(aside, **prediction.parameters)
    for name, pixels in (("overlay.png", prediction.overlay), ("side.png", prediction.side)):
        channels = [2, 1, 0, 3][: pixels.shape[-1]]
        with written_aside(folder / name) as aside:
            cv2.imwrite(str(aside), pixels[..., channels])
    return report.Person(
        folder.name,
        [
            report.picture("photograph", prediction.photograph),
            report.picture("what the network sees", prediction.input),
            report.picture("predicted body", prediction.overlay),
            report.picture("from the side", prediction.side),
        ],
    )
