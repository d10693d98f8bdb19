"""Protocols of HumanEva-I and Human3.6M: the scored pictures, and errors of measured joints.

Neither data set has SMPL's joints: predictions are compared with motion capture points, those of
LSP's fourteen that the data set has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from absl import flags

from experiments.nbf.data import Feed
from experiments.runs.common import UserError
from nbf.landmarks import landmark_body, landmark_points
from smpl_tf import SMPL, SMPLModelData, array_files, kinematics, metrics
from smpl_tf.skeleton import H36M_17, LSP_14, SMPL_24

# Regular expressions of the ids of the scored Examples.
# Source: HumanEva-I: paper 4.1 (three subjects, two sequences each); which sequences
#   and which camera is SMPLify's choice. Human3.6M: paper 4.1 (S9 and S11); frontal camera and
#   first trial as HMR, which the paper compares with.
_PICTURES = {
    "humaneva": r"humaneva/S[123]/(Walking|Box)_1_\(C1\)/.*",
    "human36m": r"human36m/S(9|11)/[^/]+-1/60457274/.*",
}
# LSP's points in the order of H36M_17, where hips and neck have other names.
_NAMES = {
    "right_hip": "right_hip_h36m",
    "left_hip": "left_hip_h36m",
    "lsp_neck": "neck_h36m",
}
_LSP_IN_H36M = H36M_17.indices([_NAMES.get(name, name) for name in LSP_14.names])
_HIPS = LSP_14.indices(("left_hip", "right_hip"))


class Protocol(NamedTuple):
    """One way to score a network.

    Attributes:
      name: "humaneva" or "human36m".
      regressor: `[17, V]` weights of vertices that give the points of H36M_17, or None: SMPL's
        joints and two vertices instead.
    """

    name: str
    regressor: np.ndarray | None

    def counts(self, example: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Whether a picture is scored."""
        return tf.strings.regex_full_match(example["id"], _PICTURES[self.name])

    def feed(self, feed: Feed) -> Feed:
        """Adds the measured points to the targets of a feed.

        Args:
          feed: conversion for the network.

        Returns:
          The same with `measured_3d` `[B, 14, 3]` metres, camera frame, and its mask.
        """

        def convert(examples):
            inputs, true = feed.convert(examples)
            points = {
                "measured_3d": tf.gather(examples["h36m/3d"], _LSP_IN_H36M, axis=-2),
                "measured_3d_valid": tf.gather(examples["h36m/3d/valid"], _LSP_IN_H36M, axis=-1),
            }
            return inputs, {**true, **points}

        return feed._replace(
            features=tuple({*feed.features, "id", "h36m/3d", "h36m/3d/valid"}), convert=convert
        )


def protocol_of(values: flags.FlagValues, body: SMPLModelData) -> Protocol | None:
    """Returns the protocol of the flags.

    Args:
      values: the flags of the run.
      body: the body in use.

    Returns:
      The protocol, or None.

    Raises:
      UserError: the file of the regressor does not fit the body.
    """
    if values.protocol == "none":
        return None
    if values.joint_regressor is None:
        return Protocol(values.protocol, None)
    try:
        regressor = array_files.read_npy(values.joint_regressor)
    except ValueError as error:
        raise UserError(f"{values.joint_regressor}: not an .npy file ({error})") from error
    expected = (len(H36M_17), len(body.v_template))
    if regressor.shape != expected:
        raise UserError(
            f"{values.joint_regressor}: expected weights of shape {expected}, one row per point "
            f"of Human3.6M and one column per vertex of the body, got {regressor.shape}"
        )
    return Protocol(values.protocol, regressor)


class MeasuredErrors:
    """Errors of the measured points, person by person."""

    def __init__(self, body: SMPLModelData, protocol: Protocol):
        """Prepares the body.

        Args:
          body: the body in use.
          protocol: the protocol.
        """
        self._regressor = None
        if protocol.regressor is None:
            self._smpl = landmark_body(body, LSP_14)
        else:
            self._regressor = tf.constant(protocol.regressor[_LSP_IN_H36M], tf.float32)
            self._smpl = SMPL(body)

    def __call__(
        self, true: Mapping[str, tf.Tensor], predicted: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Measures a batch.

        Args:
          true: targets of `Protocol.feed`.
          predicted: `betas` and `global_rotations` of a network.

        Returns:
          dict of `[B]` mm, NaN if nothing was measured: `measured_pa_mpjpe_mm` after a similarity,
          `measured_pa_mpjpe_rigid_mm` after a rigid motion, `measured_mpjpe_mm` with both hip
          centres at the origin.

        Source: paper 4.4, "rigid alignment"; the methods it compares with align scale too.
        """
        points, mask = true["measured_3d"], true["measured_3d_valid"]
        found = self.points(predicted["betas"], predicted["global_rotations"])
        return {
            "measured_pa_mpjpe_mm": 1000 * metrics.pa_mpjpe(points, found, mask),
            "measured_pa_mpjpe_rigid_mm": 1000
            * metrics.pa_mpjpe(points, found, mask, with_scale=False),
            "measured_mpjpe_mm": 1000 * metrics.mpjpe(_from_hips(points), _from_hips(found), mask),
        }

    def points(self, betas: tf.Tensor, global_rotations: tf.Tensor) -> tf.Tensor:
        """Returns the fourteen points of bodies, `[B, 14, 3]` metres, without translation."""
        relative = kinematics.global_to_relative(global_rotations, SMPL_24.parents)
        body = self._smpl(betas=betas, pose=relative)
        if self._regressor is None:
            return landmark_points(body, LSP_14)
        return tf.einsum("pv,bvc->bpc", self._regressor, body.vertices)


def _from_hips(points):
    return points - tf.reduce_mean(tf.gather(points, _HIPS, axis=-2), axis=-2, keepdims=True)
