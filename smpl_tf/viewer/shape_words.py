"""Describes the effect of each beta in words, by measuring the body: taller, heavier, ..."""

from __future__ import annotations

import numpy as np

from smpl_tf.measurements import DENSITY
from smpl_tf.model_data import SMPLModelData
from smpl_tf.open_body.triangles import volume
from smpl_tf.skeleton import SMPL_24

# Word for more, word for less, smallest change to mention.
_EFFECTS = (
    ("taller", "shorter", 0.01),  # metres
    ("heavier", "lighter", 1.5),  # kilograms, at the stature of the mean body
    ("longer legs", "shorter legs", 0.003),  # fraction of the stature
    ("longer arms", "shorter arms", 0.003),
    ("broader shoulders", "narrower shoulders", 0.003),
)
_WORDS = 2  # maximum number per beta


def shape_words(model: SMPLModelData, num_betas: int) -> list[str]:
    """Describes the effect of a larger beta on a body.

    Args:
      model: the body.
      num_betas: how many betas to describe.

    Returns:
      A text for each beta, such as "taller, heavier"; empty where no effect is large.
    """
    mean = _sizes(model, model.v_template)
    words = []
    for index in range(num_betas):
        change = _sizes(model, model.v_template + model.shapedirs[..., index]) - mean
        strengths = change / [least for _, _, least in _EFFECTS]
        chosen = []
        for effect in np.argsort(-np.abs(strengths), kind="stable")[:_WORDS]:
            more, less, _ = _EFFECTS[effect]
            if abs(strengths[effect]) >= 1:
                chosen.append(more if strengths[effect] > 0 else less)
        words.append(", ".join(chosen))
    return words


def _sizes(model: SMPLModelData, vertices: np.ndarray) -> np.ndarray:
    """The quantities of _EFFECTS."""
    joints = dict(zip(SMPL_24.names, model.J_regressor @ vertices, strict=True))
    stature = np.ptp(vertices[:, 1])
    mean_stature = np.ptp(model.v_template[:, 1])

    def length(*names):
        points = [joints[f"left_{name}"] for name in names]
        return sum(np.linalg.norm(q - p) for p, q in zip(points, points[1:], strict=False))

    return np.array(
        [
            stature,
            DENSITY * volume(vertices, model.faces) * (mean_stature / stature) ** 3,
            length("hip", "knee", "ankle") / stature,
            length("shoulder", "elbow", "wrist") / stature,
            np.linalg.norm(joints["left_shoulder"] - joints["right_shoulder"]) / stature,
        ]
    )
