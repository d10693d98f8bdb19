"""The scale at which NBF shows people to its networks, and the fixed camera that goes with it.

A person of 1.786 m is 440 of 512 pixels tall, in any pose; the pelvis is a little above the middle
of the picture.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from smpl_tf.camera import Camera
from smpl_tf.skeleton import SMPL_24

NBF_FOCAL = 5000.0  # pixels at 512 x 512; NBF's released code, smpl.py:72-77
NBF_IMAGE_SIZE = 512  # pixels; NBF 4.2
# Mean translation of NBF's training set and its mirror image; metres, camera frame.
NBF_TRANSLATION = (0.0, 0.115, 20.3)

# Bone -> stature divided by the bone's length, on the neutral open body.
_STATURE_IN_BONES = {
    (f"{side}_{start}", f"{side}_{end}"): factor
    for side in ("left", "right")
    for start, end, factor in (
        ("hip", "knee", 4.54),
        ("knee", "ankle", 4.2),
        ("shoulder", "hip", 3.2),
        ("shoulder", "elbow", 6.4),
        ("elbow", "wrist", 6.8),
    )
}
PELVIS_IN_CROP = (0.5, 230 / 512)  # fractions of width and height


def nbf_camera(size: float) -> Camera:
    """Returns NBF's fixed camera for square pictures.

    Args:
      size: width and height, pixels.

    Returns:
      A Camera with focal length 5000 * size / 512 and the centre of the picture as principal
      point; float32 NumPy intrinsics.

    Source: NBF's released code; 246.3 pixels per metre at 512 pixels and 20.3 m.
    """
    focal = NBF_FOCAL * size / NBF_IMAGE_SIZE
    centre = size / 2
    intrinsics = [[focal, 0, centre], [0, focal, centre], [0, 0, 1]]
    return Camera(np.array(intrinsics, np.float32), size, size)


def stature(joints_2d: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """Estimates a person's height in any pose from the least foreshortened bone.

    Args:
      joints_2d: [24, 2] pixels.
      valid: [24]; joints with 0 are ignored.

    Returns:
      Scalar, height in pixels if the person stood upright; 0 if no bone is known.
    """
    starts, ends = (SMPL_24.indices(names) for names in zip(*_STATURE_IN_BONES, strict=True))
    lengths = tf.norm(tf.gather(joints_2d, starts) - tf.gather(joints_2d, ends), axis=-1)
    known = tf.cast(valid, tf.bool)
    known = tf.gather(known, starts) & tf.gather(known, ends)
    factors = tf.constant(list(_STATURE_IN_BONES.values()), tf.float32)
    return tf.reduce_max(tf.where(known, lengths * factors, 0))
