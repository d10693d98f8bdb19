"""SMPLR's training targets: points of bodies, and the crop of a picture for the hourglass.

Points are always recomputed from pose, betas and gender by the SMPL layer, never copied from a
data set: SURREAL's joints come from another regressor, and the landmarks of a mirrored person are
not the mirrored landmarks (the official vertices differ between left and right by some 2 cm).
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from smpl_tf.rotations import axis_angle_to_matrix
from smplr.point_body import PointBody

# SMPLR's cube (paper 3.3), metres.
CUBE_SIDE = 2.5


# The keys of an Example that `body_targets` reads.
BODY_FEATURES = (
    *("smpl/pose", "smpl/betas", "smpl/neutral_betas", "smpl/gender", "smpl/valid"),
    *("smpl/betas/valid", "smpl/neutral_betas/valid"),
)


def body_targets(examples: Mapping[str, tf.Tensor], body: PointBody) -> dict[str, tf.Tensor]:
    """Converts a batch of Examples to the targets of SMPLR's networks.

    Args:
      examples: the keys of `BODY_FEATURES`, batched.
      body: with two bodies the people's own betas and gender are used, with one the neutral betas.

    Returns:
      `points` `[N, 41, 3]` root-relative, metres, camera axes; `rotations` `[N, 24, 3, 3]`
      parent-relative; `betas` `[N, B]`; `gender` `[N]`, +1 male, -1 female. Unknown values are
      NaN, and so are the points that depend on them.
    """
    gendered = len(body.bodies) == 2
    kind = "smpl/betas" if gendered else "smpl/neutral_betas"
    gender = 2 * tf.cast(examples["smpl/gender"], tf.float32) - 1
    known = known_bodies(examples, gendered)
    rotations = axis_angle_to_matrix(examples["smpl/pose"])
    betas = examples[kind][..., : body.num_betas]
    points = body(rotations=rotations, betas=betas, gender=gender)["points"]

    def where(mask, values):
        mask = tf.reshape(mask, [-1] + [1] * (len(values.shape) - 1))
        return tf.where(mask, values, np.nan)

    return {
        "points": where(known, points),
        "rotations": where(examples["smpl/valid"] > 0, rotations),
        "betas": where(known, betas),
        "gender": where(gender <= 1, gender),
    }


def known_bodies(examples: Mapping[str, tf.Tensor], gendered: bool) -> tf.Tensor:
    """Finds the people whose pose, betas and gender are known.

    Args:
      examples: the keys of `BODY_FEATURES`, batched.
      gendered: whether female and male bodies are used, or the neutral one.

    Returns:
      bool `[N]`.
    """
    kind = "smpl/betas" if gendered else "smpl/neutral_betas"
    known = tf.logical_and(examples["smpl/valid"] > 0, examples[f"{kind}/valid"] > 0)
    return tf.logical_and(known, examples["smpl/gender"] <= 1) if gendered else known


def shape_vector(betas: tf.Tensor, gender: tf.Tensor) -> tf.Tensor:
    """Concatenates betas `[N, B]` and gender `[N]` to the vector that Ψ predicts, `[N, B + 1]`."""
    return tf.concat([betas, gender[..., None]], axis=-1)


def crop_window(root: tf.Tensor, intrinsics: tf.Tensor, side: float = CUBE_SIDE) -> tf.Tensor:
    """Returns the square of a picture that shows the hourglass's cube.

    Args:
      root: the pelvis, metres, camera axes, `[..., 3]`.
      intrinsics: of the camera, pixels, `[..., 3, 3]`.
      side: edge of the cube, metres.

    Returns:
      Left edge, upper edge, width and height in pixels, `[..., 4]`; the window may extend beyond
      the picture.

    Source: as released: focal length * 2.5 m / depth, around the projected root. The cube's axes
      are the camera's, so points away from the root are not exactly at their pixels; the network
      learns this.
    """
    size = intrinsics[..., 0, 0] * side / root[..., 2]
    centre = intrinsics[..., :2, 2] + root[..., :2] / root[..., 2:] * tf.linalg.diag_part(
        intrinsics[..., :2, :2]
    )
    corner = centre - size[..., None] / 2
    return tf.concat([corner, size[..., None], size[..., None]], axis=-1)


def window_root(window: tf.Tensor, intrinsics: tf.Tensor, side: float = CUBE_SIDE) -> tf.Tensor:
    """Returns the position of the pelvis from the crop: the inverse of `crop_window`.

    Args:
      window: left edge, upper edge, width and height, pixels, `[..., 4]`.
      intrinsics: of the camera, pixels, `[..., 3, 3]`.
      side: edge of the cube, metres.

    Returns:
      Metres, camera axes, `[..., 3]`.
    """
    depth = intrinsics[..., 0, 0] * side / window[..., 2]
    offset = window[..., :2] + window[..., 2:] / 2 - intrinsics[..., :2, 2]
    across = offset / tf.linalg.diag_part(intrinsics[..., :2, :2]) * depth[..., None]
    return tf.concat([across, depth[..., None]], axis=-1)
