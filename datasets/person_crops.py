"""Crops people at the scale and position of NBF's pictures, from the available labels."""

from collections.abc import Mapping

import tensorflow as tf

from datasets import transforms
from datasets.transforms import Example
from smpl_tf.camera import Camera
from smpl_tf.nbf_scale import NBF_TRANSLATION, nbf_camera
from smpl_tf.skeleton import H36M_17, LSP_14, SMPL_24, Skeleton, shared_points

# Features that the crops need.
CROP_FEATURES = (
    *("joints/2d", "joints/2d/valid", "joints/3d", "joints/3d/valid"),
    *("lsp/2d", "lsp/2d/valid", "h36m/3d", "h36m/3d/valid"),
    *("smpl/translation", "smpl/valid", "camera/intrinsics"),
)

# Human3.6M's points under the names of the nearest SMPL joints.
_H36M_AS_SMPL = Skeleton("H36M-17", tuple(n.removesuffix("_h36m") for n in H36M_17.names))


def crop_by_joints(example: Mapping[str, tf.Tensor], size: int) -> Example:
    """Crops a square by the 440-pixel rule, from the data set's 2D joints of any kind.

    Args:
      example: a decoded Example with `CROP_FEATURES`. If neither the pelvis and a limb nor both
        hips are known, the whole picture becomes the square.
      size: width and height of the result, pixels.

    Returns:
      The cropped Example; see `transforms.crop_person`.

    Source: NBF 4.2, for pictures without SMPL parameters.
    """
    return transforms.crop(example, _box_by_joints(example), size, size)


def crop_by_fit(example: Mapping[str, tf.Tensor], size: int) -> Example:
    """Crops the square in which the person appears as to NBF's camera from 20.3 m.

    The square's scale and position bring the 2D joints as near as possible to those of the same
    body at NBF's translation; so a person's size in the picture depends only on the stature.

    Args:
      example: a decoded Example with `CROP_FEATURES`; without SMPL parameters its 2D joints are
        used.
      size: width and height of the result, pixels.

    Returns:
      The cropped Example. Its camera and translation are the true ones, not NBF's.

    Source: NBF 4.2, "scale the training images to fit the renderings (using the corresponding 2D
      joints)".
    """
    translation = example["smpl/translation"]
    at_nbf = example["joints/3d"] - translation + tf.constant(NBF_TRANSLATION)
    wanted = nbf_camera(float(size)).project(at_nbf)
    joints = example["joints/2d"]
    known = tf.cast(example["joints/2d/valid"] * example["joints/3d/valid"], tf.float32)
    known = known[:, tf.newaxis] / tf.maximum(tf.reduce_sum(known), 1.0)
    middle, wanted_middle = (tf.reduce_sum(known * p, 0) for p in (joints, wanted))
    spread = joints - middle
    # Least squares for wanted = scale * joints + shift.
    scale = tf.math.divide_no_nan(
        tf.reduce_sum(known * spread * (wanted - wanted_middle)),
        tf.reduce_sum(known * tf.square(spread)),
    )
    extent = float(size) / tf.maximum(scale, 1e-6)
    corner = middle - wanted_middle / tf.maximum(scale, 1e-6)
    by_fit = tf.concat([corner, [extent, extent]], 0)
    fitted = tf.cast(example["smpl/valid"], tf.bool) & (scale > 0)
    box = tf.where(fitted, by_fit, _box_by_joints(example))
    return transforms.crop(example, box, size, size)


def seen_joints(example: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """Collects the 2D joints of a person from all the points of a data set.

    Args:
      example: an Example with `CROP_FEATURES`.

    Returns:
      `[24, 2]` pixels, near the joints of SMPL, and which are known, bool `[24]`. Projected joints
      take precedence over measured points, and those over annotations; a missing pelvis is put
      between the hips.
    """
    measured = Camera(example["camera/intrinsics"], 0, 0).project(example["h36m/3d"])
    points = example["joints/2d"]
    known = tf.cast(example["joints/2d/valid"], tf.bool)
    for skeleton, others, valid in (
        (_H36M_AS_SMPL, measured, example["h36m/3d/valid"]),
        (LSP_14, example["lsp/2d"], example["lsp/2d/valid"]),
    ):
        source, target = shared_points(skeleton, SMPL_24)
        there = tf.scatter_nd(target[:, None], tf.gather(others, source), [24, 2])
        new = tf.scatter_nd(target[:, None], tf.gather(valid, source), [24]) > 0
        points = tf.where((new & ~known)[:, tf.newaxis], there, points)
        known |= new
    hips = SMPL_24.indices(("left_hip", "right_hip"))
    between = tf.reduce_mean(tf.gather(points, hips), 0)
    points = tf.concat([tf.where(known[0], points[0], between)[tf.newaxis], points[1:]], 0)
    has_pelvis = known[0] | tf.reduce_all(tf.gather(known, hips))
    return points, tf.concat([has_pelvis[tf.newaxis], known[1:]], 0)


def _box_by_joints(example):
    joints, known = seen_joints(example)
    height, width = tf.unstack(tf.cast(tf.shape(example["image"])[:2], tf.float32))
    side = tf.maximum(height, width)
    whole = tf.stack([(width - side) / 2, (height - side) / 2, side, side])
    box = transforms.person_box(joints, known)
    return tf.where(known[0] & (box[2] > 0), box, whole)
