"""NBF on square crops of photographs, for `Predictor`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from nbf import input_maps
from nbf.fitting import FittingNetwork
from nbf.neural_body_fitting import NeuralBodyFitting
from nbf.prediction.fitted_person import FittedPerson, PersonView, PredictedPerson
from nbf.prediction.part_finder import PartFinder, PartMaps, cut_all
from nbf.prediction.windows import Window
from smpl_tf import SMPL, kinematics
from smpl_tf.nbf_scale import NBF_TRANSLATION
from smpl_tf.skeleton import SMPL_24


class NBFBodies:
    """NBF's fitting network, behind a segmenter or alone.

    Attributes:
      bodies: the SMPL layer of the fitted bodies.
    """

    def __init__(self, fitting: FittingNetwork, finder: PartFinder | None = None):
        """Joins the networks.

        Args:
          fitting: the trained fitting network.
          finder: finds the parts; not needed by a network that takes the picture itself.

        Raises:
          ValueError: the networks do not fit together.
        """
        if fitting.input_map is None:
            raise ValueError("the fitting network does not record which input map it was made for")
        if fitting.sees_points:
            raise ValueError(
                "the fitting network takes points and a mask; use nbf.prediction.point_bodies"
            )
        input_map, encoding = fitting.input_map, input_maps.input_map(fitting.input_map)
        if encoding.joints:
            raise ValueError(
                f"the fitting network was trained on {input_map}, drawn from known joints; "
                "give one that was trained on parts_12 or rgb"
            )
        self.bodies = (SMPL(fitting.body.model_data),)
        self._size = fitting.input_size
        self._chain = None
        if encoding.scheme is not None:
            if finder is None:
                raise ValueError(
                    f"the fitting network was trained on {input_map}, made by a segmenter from "
                    "a photograph; give a segmenter"
                )
            if encoding.scheme is not finder.scheme:
                raise ValueError(
                    f"the fitting network was trained on {input_map}, but the segmenter gives "
                    f"{finder.scheme.name}; give a segmenter of the same parts"
                )
            self._chain = NeuralBodyFitting(finder.segmenter, fitting)
        shape = [None, self._size, self._size, fitting.input_channels]
        self._fit = tf.function(
            fitting, input_signature=[tf.TensorSpec(shape, tf.float32)]
        ).get_concrete_function()

    def __call__(
        self,
        pictures: Sequence[np.ndarray],
        squares: Sequence[Window],
        maps: PartMaps | None,
    ) -> list[PredictedPerson]:
        """Fits a body to the person of each square.

        Args:
          pictures: `[H, W, 3]` uint8 RGB, one for each square.
          squares: where the people are.
          maps: their parts, for a network that sees parts.

        Returns:
          The people.

        Raises:
          ValueError: if the network needs parts and there are none.
        """
        if self._chain is not None:
            if maps is None:
                raise ValueError("maps: expected the result of PartFinder.look, got None.")
            seen, inputs = maps.seen, self._chain.input_map(maps.logits)
        else:
            seen = cut_all(pictures, squares, self._size)
            inputs = input_maps.to_unit_range(tf.cast(seen, tf.float32))
        fitted = self._fit(inputs)
        global_rotations = fitted["global_rotations"]
        relative = kinematics.global_to_relative(global_rotations, SMPL_24.parents).numpy()
        betas = fitted["betas"].numpy()
        return [
            PredictedPerson(
                FittedPerson(
                    self.bodies[0],
                    betas[i],
                    relative[i],
                    np.array(NBF_TRANSLATION, np.float32),
                    squares[i].camera(*pictures[i].shape[1::-1]),
                ),
                PersonView(squares[i], seen[i]),
            )
            for i in range(len(squares))
        ]
