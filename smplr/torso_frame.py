"""Rotates people upright and towards the camera, by the points of their torso.

Networks with such inputs need not learn invariance to rotation.
"""

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from smpl_tf.rotations import project_to_rotation

# A person who faces the camera upright, metres: x right, y down, z away; and a weight for each
# point. Only the directions between the points matter.
_TORSO = {
    "left_shoulder": ((0.17, -0.47, 0.0), 1.0),
    "right_shoulder": ((-0.17, -0.47, 0.0), 1.0),
    "left_hip": ((0.08, 0.0, 0.0), 1.0),
    "right_hip": ((-0.08, 0.0, 0.0), 1.0),
    # The head has a small weight: it matters only if shoulders or hips are not visible.
    "left_ear": ((0.07, -0.65, 0.0), 0.1),
    "right_ear": ((-0.07, -0.65, 0.0), 0.1),
    "nose": ((0.0, -0.63, -0.12), 0.1),
    "face": ((0.0, -0.63, -0.12), 0.1),
}
# Pulls towards upright and facing the camera, m²: matters only if the points do not suffice.
_PULL = 1e-4


def torso_rotation(
    points: tf.Tensor, names: Sequence[str], weights: tf.Tensor | None = None
) -> tf.Tensor:
    """Finds the rotation that makes a person upright and facing the camera.

    Args:
      points: metres, camera axes (x right, y down, z away), `[N, P, 3]`.
      names: of the points.
      weights: confidence in each point, `[N, P]`; None: equal weights.

    Returns:
      Rotations `[N, 3, 3]`; `R @ point` is the point of the upright person. The identity if no
      point of the torso is known. No gradient flows through it.
    """
    template, trust, columns = _torso(tuple(names))
    chosen = tf.gather(points, columns, axis=1)
    trust = tf.ones_like(chosen[..., 0]) * tf.constant(trust, points.dtype)
    if weights is not None:
        trust *= tf.cast(tf.gather(weights, columns, axis=1), points.dtype)
    chosen = tf.where(trust[..., None] > 0, chosen, tf.zeros_like(chosen))
    centre = tf.math.divide_no_nan(
        tf.einsum("np,npc->nc", trust, chosen), tf.reduce_sum(trust, axis=1, keepdims=True)
    )
    chosen = chosen - centre[:, None]
    covariance = tf.einsum("np,pa,npb->nab", trust, tf.constant(template, points.dtype), chosen)
    # The template need not be centred, since the points are.
    pull = _PULL * tf.eye(3, dtype=points.dtype)
    return tf.stop_gradient(project_to_rotation(covariance + pull))


@functools.cache
def _torso(names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns positions `[T, 3]`, weights `[T]` and columns `[T]` of the torso's points."""
    known = [name for name in _TORSO if name in names]
    if not known:
        raise ValueError(
            f"Expected points of the torso ({', '.join(_TORSO)}), got {', '.join(names)}."
        )
    places, trust = zip(*(_TORSO[name] for name in known), strict=True)
    return np.array(places), np.array(trust), np.array([names.index(name) for name in known])
