"""Makes the inputs and targets of the networks from Examples.

Everything here works on decoded Examples with any leading batch dimensions, in tf.data.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from nbf import input_maps
from nbf.landmarks import landmark_body, landmark_points, landmark_skeleton
from nbf.parameters import parameter_targets, parameters_valid
from smpl_tf import SMPLModelData, load_model_data
from smpl_tf.camera import Camera
from smpl_tf.nbf_scale import NBF_TRANSLATION, nbf_camera
from smpl_tf.parts import merge_labels, part_scheme
from smpl_tf.tensor_like import TensorLike

# Features of an Example that the targets need, in addition to the picture or the labels.
TARGET_FEATURES = (
    "id",
    "image/height",
    "image/width",
    "smpl/pose",
    "smpl/neutral_betas",
    "smpl/neutral_betas/valid",
    "smpl/translation",
    "smpl/valid",
    "joints/3d",
    "joints/3d/valid",
    "joints/2d",
    "joints/2d/valid",
    "camera/intrinsics",
    "camera/valid",
)

# The calibration matrix of NBF's camera for image coordinates from -1 to 1.
NBF_INTRINSICS = np.array(
    [[1, 0, -1], [0, 1, -1], [0, 0, 1]] @ nbf_camera(2.0).intrinsics, np.float32
)

Batch = Mapping[str, tf.Tensor]


def normalised_intrinsics(
    intrinsics: tf.Tensor, width: TensorLike, height: TensorLike
) -> tf.Tensor:
    """Rewrites calibration matrices for image coordinates from -1 to 1.

    Args:
      intrinsics: `[..., 3, 3]` pixels.
      width: `[...]` pixels.
      height: `[...]` pixels.

    Returns:
      `[..., 3, 3]`.
    """
    extent = tf.cast(tf.stack([width, height], -1), tf.float32)
    scale = tf.linalg.diag(tf.concat([2.0 / extent, tf.ones_like(extent[..., :1])], -1))
    shift = tf.constant([[1, 0, -1], [0, 1, -1], [0, 0, 1]], tf.float32)
    return tf.matmul(shift, tf.matmul(scale, intrinsics))


def picture_camera(intrinsics: np.ndarray) -> Camera:
    """Returns the camera of a picture from its normalised intrinsics.

    Args:
      intrinsics: `[..., 3, 3]` for image coordinates from -1 to 1, as `normalised_intrinsics`.

    Returns:
      The camera of a picture of 2 x 2 pixels; `resize` it to the picture's own size.
    """
    shift = np.array([[1, 0, 1], [0, 1, 1], [0, 0, 1]], np.float32)
    return Camera(shift @ np.asarray(intrinsics), 2, 2)


def keeps_labels(ids: tf.Tensor, share: float, seed: int) -> tf.Tensor:
    """Chooses which Examples keep their labels, by their ids alone.

    The choice does not depend on the order of the Examples, and a larger share keeps all Examples
    of a smaller one. With shares of 2D labels as large as those of 3D labels, every Example that
    keeps its 3D labels keeps its 2D labels.

    Args:
      ids: `[...]` strings.
      share: from 0 to 1.
      seed: of the random choice.

    Returns:
      `[...]` bool; about `share` of them True.

    Source: paper Table 4.
    """
    buckets = 2**31 - 1
    bucket = tf.strings.to_hash_bucket_strong(ids, buckets, key=[seed, buckets])
    return tf.cast(bucket, tf.float64) < share * buckets


def body_targets(
    example: Batch,
    share_3d: float = 1.0,
    seed: int = 0,
    landmarks: int | str | None = None,
    body: SMPLModelData | None = None,
    share_2d: float = 1.0,
) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
    """Builds the inputs and targets shared by all fitting networks.

    Args:
      example: an Example, or a batch of Examples. Unknown labels are masked, and the camera and
        translation default to NBF's unless both are known.
      share_3d: share of Examples that keep 3D labels (L_lat and L_3D); the others keep 2D joints.
      seed: of that choice.
      landmarks: None, or 14, 91 or "mesh", as in the network.
      body: the body that the landmarks belong to; None: the open body.
      share_2d: share of Examples that keep 2D labels (L_2D).

    Returns:
      inputs: `translation` `[..., 3]` metres, camera frame; `intrinsics` `[..., 3, 3]` for image
        coordinates from -1 to 1.
      targets: `parameters` `[..., 226]`, with a mask of the same shape, since a data set may have
        pose without shape; `joints_3d` `[..., 24, 3]` metres without translation; `joints_2d`
        `[..., 24, 2]` image coordinates from -1 to 1; with landmarks also `landmarks_3d` and
        `landmarks_2d`; for each a mask `<name>_valid`, float32 `[..., N]`.

    Source: paper 3.3; the targets are the released code's.
    """
    known_body = tf.cast(example["smpl/valid"], tf.bool)
    known_camera = tf.cast(example["camera/valid"], tf.bool)
    width, height = example["image/width"], example["image/height"]
    intrinsics = normalised_intrinsics(example["camera/intrinsics"], width, height)
    translation = example["smpl/translation"][..., tf.newaxis, :]
    # One without the other would put the body in the wrong place.
    placed = known_body & known_camera
    inputs = {
        "translation": _where(placed, example["smpl/translation"], NBF_TRANSLATION),
        "intrinsics": _where(placed, intrinsics, NBF_INTRINSICS),
    }
    half = tf.cast(tf.stack([width, height], -1), tf.float32)[..., tf.newaxis, :] / 2.0
    keep_3d = keeps_labels(example["id"], share_3d, seed)[..., tf.newaxis]
    keep_2d = keeps_labels(example["id"], share_2d, seed)[..., tf.newaxis]
    known_3d = known_body[..., tf.newaxis] & keep_3d
    targets = {
        "parameters": parameter_targets(example),
        "parameters_valid": parameters_valid(example) & keep_3d,
        "joints_3d": example["joints/3d"] - translation,
        "joints_3d_valid": tf.cast(example["joints/3d/valid"], tf.bool) & known_3d,
        "joints_2d": example["joints/2d"] / half - 1.0,
        "joints_2d_valid": tf.cast(example["joints/2d/valid"], tf.bool) & keep_2d,
    }
    if landmarks:
        points_3d, points_2d, valid = _true_landmarks(example, inputs, landmarks, body)
        targets |= {"landmarks_3d": points_3d, "landmarks_3d_valid": valid & keep_3d}
        targets |= {"landmarks_2d": points_2d, "landmarks_2d_valid": valid & keep_2d}
    return inputs, {
        name: tf.cast(value, tf.float32) if name.endswith("_valid") else value
        for name, value in targets.items()
    }


def fitting_targets(
    example: Batch, input_map: str = "parts_12", input_size: int = 224, **options: Any
) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
    """Makes inputs and targets of the fitting network.

    Args:
      example: decoded Example, or a batch of Examples of one picture size.
      input_map: one of `nbf.input_maps.INPUT_MAPS`.
      input_size: side of the input map, pixels.
      **options: of `body_targets`.

    Returns:
      inputs: those of `body_targets` and `input_map` `[..., S, S, C]` in -1..1.
      targets: those of `body_targets`.
    """
    example = {key: tf.convert_to_tensor(value) for key, value in example.items()}
    inputs, targets = body_targets(example, **options)
    joints = input_maps.input_map(input_map).joints
    if joints == 24:  # the input knows joints whose labels are kept from the loss
        points, valid = targets["joints_2d"], tf.cast(example["joints/2d/valid"], tf.float32)
        inputs["input_map"] = input_maps.joint_map(points, valid, input_size)
    elif joints == 14:
        _, points, valid = _true_landmarks(example, inputs, 14, options.get("body"))
        inputs["input_map"] = input_maps.joint_map(points, valid, input_size)
    else:
        inputs["input_map"] = input_maps.encode(example, input_map, input_size)
    return inputs, targets


def picture_targets(
    example: Batch, input_size: int = 512, **options: Any
) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
    """Makes inputs and targets of `NeuralBodyFitting`, both stages in one.

    Args:
      example: decoded Example, or a batch of Examples of one picture size.
      input_size: side of the pictures, pixels.
      **options: of `body_targets`.

    Returns:
      inputs: those of `body_targets` and `pictures` `[..., S, S, 3]` float32 RGB, 0..255.
      targets: those of `body_targets`.
    """
    example = {key: tf.convert_to_tensor(value) for key, value in example.items()}
    inputs, targets = body_targets(example, **options)
    inputs["pictures"] = input_maps.resize_picture(example["image"], input_size)
    return inputs, targets


def _true_landmarks(example, inputs, count, body):
    """Returns the true landmarks, 3D without translation, projected, and which are known."""
    skeleton = landmark_skeleton(count)
    smpl = landmark_body(body or load_model_data(), skeleton)
    posed = smpl(betas=example["smpl/neutral_betas"], pose=example["smpl/pose"])
    points = landmark_points(posed, skeleton)
    camera = Camera(inputs["intrinsics"], 2, 2)
    projected = camera.project(points + inputs["translation"][..., tf.newaxis, :])
    known = parameters_valid(example)[..., :1]  # validity of the betas, which also need the pose
    return points, projected, tf.repeat(known, tf.shape(points)[-2], -1)


def segmentation_targets(
    example: Batch, num_parts: int = 12, input_size: int = 512
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Makes inputs and targets of a part segmenter.

    Args:
      example: decoded Example, or a batch of Examples of one picture size.
      num_parts: 1, 3, 6, 12 or 24.
      input_size: side of the pictures, pixels.

    Returns:
      pictures: `[..., S, S, 3]` float32 RGB, 0..255.
      targets: `labels` int32 `[..., S, S]`; `labels_valid` float32 `[...]`.
    """
    pictures = input_maps.resize_picture(example["image"], input_size)
    labels = input_maps.resize_nearest(example["parts"], input_size)
    return pictures, {
        "labels": tf.cast(merge_labels(labels, part_scheme(num_parts)), tf.int32),
        "labels_valid": tf.cast(example["parts/valid"], tf.float32),
    }


def _where(condition: tf.Tensor, value: tf.Tensor, default: TensorLike) -> tf.Tensor:
    """Selects per sample between a value and one default for all."""
    rank = value.shape.rank - condition.shape.rank
    condition = tf.reshape(condition, tf.concat([tf.shape(condition), [1] * rank], 0))
    return tf.where(condition, value, tf.cast(default, value.dtype))
