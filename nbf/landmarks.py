"""NBF's optional point sets: LSP's 14 and UP's 91 landmarks, and all vertices of a body."""

import numpy as np
import tensorflow as tf

from smpl_tf import SMPL
from smpl_tf.body_model import BodyModelOutput
from smpl_tf.model_data import SMPLModelData
from smpl_tf.skeleton import LSP_14, SMPL_24, UP_91, Skeleton

MESH = "mesh"  # all vertices, in the place of a skeleton and of its number of points
LANDMARK_SETS: dict[int, Skeleton] = {14: LSP_14, 91: UP_91}


def landmark_skeleton(count: int | str) -> Skeleton | str:
    """Returns the skeleton of 14 or 91 landmarks; MESH stays what it is.

    Raises:
      ValueError: for another count.
    """
    if count == MESH:
        return MESH
    if count not in LANDMARK_SETS:
        raise ValueError(f"landmarks={count!r}: expected 14 (LSP's), 91 (UP's) or {MESH!r}.")
    return LANDMARK_SETS[count]


def landmark_body(model_data: SMPLModelData, skeleton: Skeleton | str | None) -> SMPL:
    """Returns the SMPL layer that computes joints and only the vertices of the landmarks.

    Args:
      model_data: the body.
      skeleton: LSP_14 or UP_91; MESH for all vertices; None for joints alone.

    Raises:
      ValueError: if the body does not have all landmarks.
    """
    if isinstance(skeleton, str):  # MESH
        return SMPL(model_data)
    names = [] if skeleton is None else _vertex_names(skeleton)
    return SMPL(model_data, vertex_ids=model_data.landmark_ids(names))


def landmark_points(body: BodyModelOutput, skeleton: Skeleton | str) -> tf.Tensor:
    """Orders the output of `landmark_body` as the skeleton does.

    Args:
      body: joints `[..., 24, 3]` and the vertices that `landmark_body` computes.
      skeleton: the same skeleton.

    Returns:
      `[..., P, 3]` metres, in the frame of `body`.

    Source: the released code; twelve of LSP's fourteen are SMPL joints, the others vertices.
    """
    if isinstance(skeleton, str):  # MESH
        return body.vertices
    pool = SMPL_24.names + tuple(_vertex_names(skeleton))
    order = np.array([pool.index(name) for name in skeleton.names])
    return tf.gather(tf.concat([body.joints, body.vertices], -2), order, axis=-2)


def _vertex_names(skeleton: Skeleton) -> list[str]:
    return [name for name in skeleton.names if name not in SMPL_24.names]
