"""Transforms of Examples that change picture, labels, joints, body and camera consistently.

They take decoded Examples (`example.decode`), eagerly or inside tf.data, and change the existing
keys. After each of them the SMPL parameters still project onto the person through the camera. The
`random_...` transforms use a stateless seed; `pipelines.load(..., transform=...)` gives every
Example a different one in every epoch.
"""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from smpl_tf import camera as camera_lib
from smpl_tf.nbf_scale import PELVIS_IN_CROP, stature
from smpl_tf.parts import REGIONS, mirror_labels
from smpl_tf.rotations import axis_angle_to_matrix, matrix_to_axis_angle, mirror_axis_angle
from smpl_tf.skeleton import H36M_17, LSP_14, SMPL_24, SMPLR_42

Example = dict[str, tf.Tensor]
Transform = Callable[[Mapping[str, tf.Tensor], tf.Tensor], Example]

_FLIP_X = np.array([-1, 1, 1], np.float32)
# Point sets of an Example -> index of each point's mirror image.
_POINTS = {
    "joints/3d": SMPL_24.mirror,
    "joints/2d": SMPL_24.mirror,
    "landmarks/3d": SMPLR_42.mirror[len(SMPL_24) :] - len(SMPL_24),
    "lsp/2d": LSP_14.mirror,
    "h36m/3d": H36M_17.mirror,
    "found/3d": SMPL_24.mirror,
}
_POINTS_2D = ("joints/2d", "lsp/2d")
_POINTS_3D = ("joints/3d", "landmarks/3d", "h36m/3d", "found/3d")


def mirror(example: Mapping[str, tf.Tensor], symmetric_landmarks: bool = True) -> Example:
    """Mirrors the world: left becomes right in the picture and on the person.

    Args:
      example: a decoded Example.
      symmetric_landmarks: whether the body's landmarks are mirror images of each other, as the
        open body's are. Official SMPL's are not, by about 2 cm: with False they become invalid and
        must be recomputed from the SMPL parameters.

    Returns:
      The mirrored Example.

    Source: the statistics of NBF's released training set are invariant under this mirroring.
    """
    result = dict(example)
    width = tf.cast(tf.shape(example["image"])[1], tf.float32)
    result["image"] = example["image"][:, ::-1]
    if "parts" in example:
        result["parts"] = mirror_labels(example["parts"], REGIONS)
    if "mask" in example:
        result["mask"] = example["mask"][:, ::-1]
    if "smpl/pose" in example:
        result["smpl/pose"] = mirror_axis_angle(example["smpl/pose"], SMPL_24.mirror)
    if "smpl/translation" in example:
        result["smpl/translation"] = example["smpl/translation"] * _FLIP_X
    for key, order in _POINTS.items():
        if key in example:
            points = tf.gather(example[key], order)
            if key in _POINTS_3D:
                result[key] = points * _FLIP_X
            else:
                result[key] = tf.stack([width, 0.0]) + points * _FLIP_X[:2]
        if f"{key}/valid" in example:
            result[f"{key}/valid"] = tf.gather(example[f"{key}/valid"], order)
    if "landmarks/3d/valid" in example and not symmetric_landmarks:
        result["landmarks/3d/valid"] = tf.zeros_like(example["landmarks/3d/valid"])
    if "person/box" in example:
        left, top, right, bottom = tf.unstack(example["person/box"])
        result["person/box"] = tf.stack([width - right, top, width - left, bottom])
    if "camera/intrinsics" in example:
        result["camera/intrinsics"] = _camera(example).mirror().intrinsics
    return result


def rotate(example: Mapping[str, tf.Tensor], angle: tf.Tensor) -> Example:
    """Rotates the picture about its centre, and the world about the optical axis.

    Args:
      example: a decoded Example. SMPL's translation needs the root joint, so if that is not valid
        in "joints/3d", "smpl/valid" becomes 0.
      angle: radians, clockwise on the screen.

    Returns:
      The rotated Example; the border of the picture is repeated outside.
    """
    height, width = _size(example)
    result = _resample(example, camera_lib.rotation_matrix(angle, width, height), height, width)
    roll = tf.cast(camera_lib.roll_matrix(angle), tf.float32)
    for key in _POINTS_3D:
        if key in example:
            result[key] = tf.matmul(example[key], roll, transpose_b=True)
    if "smpl/pose" in example:
        root = tf.matmul(roll, axis_angle_to_matrix(example["smpl/pose"][0]))
        result["smpl/pose"] = tf.concat(
            [matrix_to_axis_angle(root)[None], example["smpl/pose"][1:]], axis=0
        )
    if "smpl/translation" in example:
        # The root rotates about its rest position, the world about the camera.
        rest_root = example["joints/3d"][0] - example["smpl/translation"]
        result["smpl/translation"] = result["joints/3d"][0] - rest_root
        result["smpl/valid"] = example["smpl/valid"] * example["joints/3d/valid"][0]
    if "camera/intrinsics" in example:
        result["camera/intrinsics"] = _camera(example).rotate(angle).intrinsics
    return result


def zoom(example: Mapping[str, tf.Tensor], scale: tf.Tensor, shift: tf.Tensor) -> Example:
    """Scales the picture about its centre and shifts it; its size stays the same.

    Args:
      example: a decoded Example.
      scale: above 1 enlarges.
      shift: [2], right and down, pixels.

    Returns:
      The Example with another focal length and principal point; the person's position does not
      change. The border of the picture is repeated outside.

    Source: NBF's code moves the SMPL translation instead, which is exact only for a
      person without depth; through the camera it is exact.
    """
    height, width = _size(example)
    centre = tf.cast(tf.stack([width, height]), tf.float64) / 2
    scale = tf.cast(scale, tf.float64)
    corner = centre * (1 - 1 / scale) - tf.cast(shift, tf.float64) / scale
    size = tf.cast(tf.stack([width, height]), tf.float64) / scale
    return crop(example, tf.concat([corner, size], axis=0), height, width)


def crop(
    example: Mapping[str, tf.Tensor], box: tf.Tensor, height: tf.Tensor, width: tf.Tensor
) -> Example:
    """Crops a box and resizes it.

    Args:
      example: a decoded Example.
      box: [4], x and y of its upper left corner, width, height; pixels. It may extend beyond the
        picture, whose border is then repeated.
      height: of the result, pixels.
      width: of the result, pixels.

    Returns:
      The Example with the camera of the box.
    """
    x, y, box_width, box_height = tf.unstack(tf.cast(box, tf.float64))
    to_box = camera_lib.crop_matrix(x, y)
    to_size = camera_lib.resize_matrix(box_width, box_height, width, height)
    matrix = tf.matmul(to_size, to_box)
    result = _resample(example, matrix, height, width)
    if "camera/intrinsics" in example:
        warped = _camera(example).warp(matrix, width, height)
        result["camera/intrinsics"] = warped.intrinsics
    return result


def crop_person(example: Mapping[str, tf.Tensor], size: int) -> Example:
    """Crops a square around the person at the scale and position of NBF's pictures.

    A person's stature becomes 440 of 512 pixels in any pose; it is estimated from the least
    foreshortened bone.

    Args:
      example: a decoded Example with a valid pelvis and a valid limb in "joints/2d".
      size: width and height of the result, pixels.

    Returns:
      The cropped Example.

    Source: NBF 4.2 (440 pixels); the position of the pelvis was measured on NBF's released crops.
    """
    box = person_box(example["joints/2d"], example["joints/2d/valid"])
    return crop(example, box, size, size)


def person_box(joints_2d: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """Finds the square of `crop_person`.

    Args:
      joints_2d: [24, 2] pixels.
      valid: [24]; joints with 0 are ignored, but the pelvis is needed.

    Returns:
      [4], x and y of its upper left corner, width, height; pixels.
    """
    extent = stature(joints_2d, valid) * 512 / 440
    corner = joints_2d[0] - extent * tf.constant(PELVIS_IN_CROP)
    return tf.concat([corner, [extent, extent]], axis=0)


def chain(*transforms: Transform) -> Transform:
    """Combines random transforms, each with its own seed.

    Args:
      *transforms: (Example, seed) -> Example; applied in this order.

    Returns:
      (Example, seed) -> Example.
    """

    def chained(example, seed):
        for index, transform in enumerate(transforms):
            example = transform(example, tf.random.fold_in(seed, index))
        return example

    return chained


def random_mirror(example: Mapping[str, tf.Tensor], seed: tf.Tensor) -> Example:
    """Mirrors half of the Examples.

    Args:
      example: a decoded Example.
      seed: [2] integers.

    Returns:
      The Example or its mirror image.
    """
    heads = tf.random.stateless_uniform([], seed) < 0.5
    return tf.cond(heads, lambda: mirror(example), lambda: dict(example))


def random_rotate(
    example: Mapping[str, tf.Tensor], seed: tf.Tensor, most: float = np.pi / 4
) -> Example:
    """Rotates by a random angle.

    Args:
      example: a decoded Example.
      seed: [2] integers.
      most: largest angle, radians; NBF's segmentation training goes to 45 degrees.

    Returns:
      The turned Example.
    """
    return rotate(example, tf.random.stateless_uniform([], seed, -most, most))


def random_zoom(
    example: Mapping[str, tf.Tensor],
    seed: tf.Tensor,
    scales: tuple[float, float] = (0.9, 1.1),
    most_shift: float = 0.06,
) -> Example:
    """Scales and shifts by random amounts.

    Args:
      example: a decoded Example.
      seed: [2] integers.
      scales: smallest and largest; the default is from NBF's segmentation training.
      most_shift: in each direction, fraction of the width.

    Returns:
      The changed Example.
    """
    draw = tf.random.stateless_uniform([3], seed)
    width = tf.cast(_size(example)[1], tf.float32)
    scale = scales[0] + draw[0] * (scales[1] - scales[0])
    return zoom(example, scale, (2 * draw[1:] - 1) * most_shift * width)


def random_colour(
    example: Mapping[str, tf.Tensor], seed: tf.Tensor, strength: float = 1.0
) -> Example:
    """Changes brightness, contrast, saturation, hue and noise of the picture at random.

    Args:
      example: a decoded Example.
      seed: [2] integers.
      strength: 1 = up to 25 % brightness, contrast and saturation, a fiftieth of the hue circle,
        and noise with a standard deviation of 5 of 255.

    Returns:
      The Example with another picture, uint8.
    """
    seeds = tf.unstack(tf.random.split(tf.cast(seed, tf.int64), 6))
    picture = tf.cast(example["image"], tf.float32) / 255
    low, high = 1 - 0.25 * strength, 1 + 0.25 * strength
    picture = picture * tf.random.stateless_uniform([], seeds[0], low, high)
    picture = tf.clip_by_value(picture, 0, 1)
    picture = tf.image.stateless_random_contrast(picture, low, high, seeds[1])
    picture = tf.image.stateless_random_saturation(picture, low, high, seeds[2])
    picture = tf.image.stateless_random_hue(picture, 0.02 * strength, seeds[3])
    deviation = tf.random.stateless_uniform([], seeds[4], 0, 5 / 255 * strength)
    picture += deviation * tf.random.stateless_normal(tf.shape(picture), seeds[5])
    picture = tf.round(tf.clip_by_value(picture, 0, 1) * 255)
    return dict(example) | {"image": tf.cast(picture, tf.uint8)}


def _size(example):
    shape = tf.shape(example["image"])
    return shape[0], shape[1]


def _camera(example):
    height, width = _size(example)
    return camera_lib.Camera(example["camera/intrinsics"], width, height)


def _resample(example, matrix, height, width):
    """Maps picture, labels and 2D joints by `matrix`, [3, 3] pixels -> new pixels."""
    result = dict(example)
    old_height, old_width = _size(example)
    picture = tf.cast(example["image"], tf.float32)
    # Bilinear sampling skips pixels when a picture shrinks, so it is first shrunk with
    # antialiasing.
    scale = tf.minimum(tf.sqrt(tf.abs(tf.linalg.det(matrix))), 1)
    shrunk = tf.cast(tf.stack([old_height, old_width]), tf.float64) * scale
    shrunk = tf.maximum(tf.cast(tf.round(shrunk), tf.int32), 1)
    picture = tf.image.resize(picture, shrunk, antialias=True)
    enlarge = camera_lib.resize_matrix(shrunk[1], shrunk[0], old_width, old_height)
    sampled = _sample(picture, tf.matmul(matrix, enlarge), height, width, "BILINEAR", "NEAREST")
    result["image"] = tf.cast(tf.round(tf.clip_by_value(sampled, 0, 255)), tf.uint8)
    for key in ("parts", "mask"):
        if key in example:
            labels = example[key][..., None]
            result[key] = _sample(labels, matrix, height, width, "NEAREST", "CONSTANT")[..., 0]
    for key in _POINTS_2D:
        if key in example:
            result[key] = camera_lib.transform_points(matrix, example[key])
    if "person/box" in example:
        # The upright box around the mapped corners.
        left, top, right, bottom = tf.unstack(example["person/box"])
        corners = tf.stack([[left, top], [right, top], [right, bottom], [left, bottom]])
        corners = camera_lib.transform_points(matrix, corners)
        result["person/box"] = tf.concat(
            [tf.reduce_min(corners, axis=0), tf.reduce_max(corners, axis=0)], axis=0
        )
    for key, value in (("image/height", height), ("image/width", width)):
        if key in example:
            result[key] = tf.cast(value, tf.int64)
    return result


def _sample(picture, matrix, height, width, interpolation, fill_mode):
    inverse = tf.linalg.inv(camera_lib.to_index_matrix(matrix))
    inverse = tf.reshape(tf.cast(inverse, tf.float32), [9])[:8]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=picture[None],
        transforms=inverse[None],
        output_shape=tf.stack([height, width]),
        fill_value=0.0,
        interpolation=interpolation,
        fill_mode=fill_mode,
    )[0]
