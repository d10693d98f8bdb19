"""The pinhole camera: project, unproject, and what cropping, resizing and mirroring do to it.

Pixel rule: a picture of W x H pixels spans [0, W] x [0, H], and the centre of the pixel in
column i and row j is (i + 0.5, j + 0.5). So resizing by s is x -> s x, mirroring x -> W - x and
cropping x -> x - x0, without half-pixel terms. OpenCV axes: x right, y down, z away.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from smpl_tf.tensor_like import TensorLike

# Lower limit of the depth that is divided by, so that no projection is infinite.
_MIN_DEPTH = 1e-6


class Camera(NamedTuple):
    """A pinhole camera at the origin of its own frame, looking along +z.

    Fields may be NumPy arrays or tensors; every method works in eager mode, in graphs and in
    tf.data, and returns tensors in the dtype of the points.

    Attributes:
      intrinsics: [..., 3, 3] calibration matrix, pixels.
      width: width of the picture, pixels.
      height: height of the picture, pixels.
    """

    intrinsics: np.ndarray | tf.Tensor
    width: int | tf.Tensor
    height: int | tf.Tensor

    def project(self, points: TensorLike) -> tf.Tensor:
        """Maps points in the camera frame to pixels.

        Args:
          points: [..., N, 3], metres, camera frame. A point with z <= 0 lies behind the camera:
            its projection is finite but meaningless.

        Returns:
          [..., N, 2] pixels.

        Raises:
          ValueError: if the points are not [..., N, 3].
        """
        points = tf.convert_to_tensor(points)
        if points.shape[-1] != 3 or len(points.shape) < 2:
            raise ValueError(f"Expected points [..., N, 3], got shape {tuple(points.shape)}.")
        intrinsics = tf.cast(self.intrinsics, points.dtype)
        depth = points[..., 2:]
        depth = tf.where(tf.abs(depth) < _MIN_DEPTH, tf.cast(_MIN_DEPTH, depth.dtype), depth)
        rays = points[..., :2] / depth
        linear = tf.matmul(rays, intrinsics[..., :2, :2], transpose_b=True)
        return linear + intrinsics[..., None, :2, 2]

    def unproject(self, points_2d: TensorLike, depth: TensorLike) -> tf.Tensor:
        """Maps pixels with known depth to points in the camera frame.

        Args:
          points_2d: [..., N, 2] pixels.
          depth: [..., N] metres along z.

        Returns:
          [..., N, 3] metres, camera frame.
        """
        points_2d = tf.convert_to_tensor(points_2d)
        intrinsics = tf.cast(self.intrinsics, points_2d.dtype)
        depth = tf.cast(depth, points_2d.dtype)[..., None]
        offsets = points_2d - intrinsics[..., None, :2, 2]
        inverse = tf.linalg.inv(intrinsics[..., :2, :2])
        rays = tf.matmul(offsets, inverse, transpose_b=True)
        return tf.concat([rays * depth, tf.broadcast_to(depth, tf.shape(rays[..., :1]))], -1)

    def warp(self, matrix: TensorLike, width: int | tf.Tensor, height: int | tf.Tensor) -> Camera:
        """Returns the camera of a picture whose pixels were mapped affinely.

        Args:
          matrix: [..., 3, 3] pixels of this picture -> pixels of the new one (homogeneous).
          width: width of the new picture, pixels.
          height: height of the new picture, pixels.

        Returns:
          A Camera whose projections are the mapped projections of this one.
        """
        intrinsics = tf.convert_to_tensor(self.intrinsics)
        return Camera(tf.matmul(tf.cast(matrix, intrinsics.dtype), intrinsics), width, height)

    def crop(
        self, x0: TensorLike, y0: TensorLike, width: int | tf.Tensor, height: int | tf.Tensor
    ) -> Camera:
        """Returns the camera of the box with corner (x0, y0); the box may leave the picture.

        Args:
          x0: left edge, pixels.
          y0: upper edge, pixels.
          width: width of the box, pixels.
          height: height of the box, pixels.

        Returns:
          A Camera; projections move by (-x0, -y0).
        """
        return self.warp(crop_matrix(x0, y0), width, height)

    def resize(self, width: int | tf.Tensor, height: int | tf.Tensor) -> Camera:
        """Returns the camera of the picture stretched to another size.

        Args:
          width: new width, pixels.
          height: new height, pixels.

        Returns:
          A Camera; projections scale by (width / self.width, height / self.height).
        """
        return self.warp(resize_matrix(self.width, self.height, width, height), width, height)

    def mirror(self) -> Camera:
        """Returns the camera that sees the mirrored world as the mirrored picture.

        The world mirrors with the picture (x -> -x), so focal lengths keep their sign and the
        result is an ordinary camera: what training on mirrored people needs.

        Returns:
          A Camera with mirror().project(p * (-1, 1, 1)) == (width - u, v), where
          (u, v) = project(p).
        """
        flip_world = tf.linalg.diag(tf.constant([-1.0, 1.0, 1.0], tf.float64))
        matrix = mirror_matrix(self.width)
        return _warp_world(self.warp(matrix, self.width, self.height), flip_world)

    def rotate(self, angle: TensorLike) -> Camera:
        """Returns the camera that sees the rolled world as the rotated picture.

        The world rolls with the picture, about the optical axis; the picture turns about its
        centre and keeps its size. Square pixels stay square, so the result is an ordinary camera.

        Args:
          angle: radians, clockwise on the screen (right-handed about z).

        Returns:
          A Camera with rotate(a).project(p @ roll_matrix(a).T) equal to project(p) mapped by
          rotation_matrix(a, width, height).
        """
        matrix = rotation_matrix(angle, self.width, self.height)
        warped = self.warp(matrix, self.width, self.height)
        return _warp_world(warped, tf.linalg.matrix_transpose(roll_matrix(angle)))


FIELD_OF_VIEW = 55.0  # degrees across the diagonal: that of a normal lens


def pinhole(width: int, height: int, field_of_view: float = FIELD_OF_VIEW) -> Camera:
    """Returns a plausible camera for a picture without any metadata.

    Args:
      width: of the picture, pixels.
      height: of the picture, pixels.
      field_of_view: across the diagonal, degrees.

    Returns:
      The camera, float64, its axis through the middle of the picture.

    Raises:
      ValueError: if the angle is not between 0 and 180 degrees.

    Source: CLIFF (Li et al. 2022) takes the diagonal for the focal length, which is 53 degrees.
    """
    if not 0.0 < field_of_view < 180.0:
        raise ValueError(
            f"field_of_view: expected degrees between 0 and 180, got {field_of_view}; 55 is a "
            "normal lens."
        )
    focal = np.hypot(width, height) / 2 / np.tan(np.radians(field_of_view) / 2)
    intrinsics = [[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]
    return Camera(np.array(intrinsics), width, height)


def crop_matrix(x0: TensorLike, y0: TensorLike) -> tf.Tensor:
    """Returns the [..., 3, 3] float64 map of pixels to those of the crop with corner (x0, y0)."""
    return _affine([[1, 0, -_double(x0)], [0, 1, -_double(y0)]])


def resize_matrix(
    old_width: TensorLike, old_height: TensorLike, width: TensorLike, height: TensorLike
) -> tf.Tensor:
    """Returns the [..., 3, 3] float64 map of pixels to those of the stretched picture."""
    scale_x = _double(width) / _double(old_width)
    scale_y = _double(height) / _double(old_height)
    return _affine([[scale_x, 0, 0], [0, scale_y, 0]])


def mirror_matrix(width: TensorLike) -> tf.Tensor:
    """Returns the [..., 3, 3] float64 map of pixels to those of the mirrored picture."""
    return _affine([[-1, 0, width], [0, 1, 0]])


def rotation_matrix(angle: TensorLike, width: TensorLike, height: TensorLike) -> tf.Tensor:
    """Returns the map of pixels to those of the picture turned about its centre.

    Args:
      angle: radians, clockwise on the screen.
      width: width of the picture, pixels.
      height: height of the picture, pixels.

    Returns:
      [..., 3, 3] float64.
    """
    angle = tf.cast(angle, tf.float64)
    cos, sin = tf.cos(angle), tf.sin(angle)
    x = tf.cast(width, tf.float64) / 2
    y = tf.cast(height, tf.float64) / 2
    return _affine([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y]])


def roll_matrix(angle: TensorLike) -> tf.Tensor:
    """Returns the [..., 3, 3] float64 rotation of the world that turns its picture by `angle`."""
    return rotation_matrix(angle, 0, 0)


def transform_points(matrix: TensorLike, points_2d: TensorLike) -> tf.Tensor:
    """Maps pixels by an affine matrix.

    Args:
      matrix: [..., 3, 3].
      points_2d: [..., N, 2] pixels.

    Returns:
      [..., N, 2] pixels.
    """
    points_2d = tf.convert_to_tensor(points_2d)
    matrix = tf.cast(matrix, points_2d.dtype)
    linear = tf.matmul(points_2d, matrix[..., :2, :2], transpose_b=True)
    return linear + matrix[..., None, :2, 2]


def to_index_matrix(matrix: TensorLike) -> tf.Tensor:
    """Rewrites a map of pixels for libraries that put pixel centres at whole numbers.

    `cv2.warpAffine` and `tf.raw_ops.ImageProjectiveTransformV3` count in pixel indices, where
    the centre of the first pixel is (0, 0) and not (0.5, 0.5).

    Args:
      matrix: [..., 3, 3] map in this module's coordinates.

    Returns:
      [..., 3, 3] float64 map of the same pixels, in index coordinates.
    """
    matrix = tf.cast(matrix, tf.float64)
    return tf.matmul(tf.matmul(crop_matrix(0.5, 0.5), matrix), crop_matrix(-0.5, -0.5))


def _warp_world(camera, matrix):
    intrinsics = tf.convert_to_tensor(camera.intrinsics)
    return camera._replace(intrinsics=tf.matmul(intrinsics, tf.cast(matrix, intrinsics.dtype)))


def _double(value):
    """Returns the value in double precision; NumPy values stay NumPy's."""
    return tf.cast(value, tf.float64) if tf.is_tensor(value) else np.asarray(value, np.float64)


def _affine(rows):
    """Stacks two rows of scalars or [...] tensors, and (0, 0, 1), to [..., 3, 3] float64."""
    numbers = [entry for row in [*rows, [0, 0, 1]] for entry in row]
    if not any(map(tf.is_tensor, numbers)):
        # Eagerly, TensorFlow takes milliseconds for the thirty operations below.
        arrays = np.broadcast_arrays(*(np.asarray(number, np.float64) for number in numbers))
        return tf.constant(np.stack(arrays, axis=-1).reshape(*arrays[0].shape, 3, 3))
    entries = [tf.cast(entry, tf.float64) for row in [*rows, [0, 0, 1]] for entry in row]
    shape = functools.reduce(tf.broadcast_dynamic_shape, [tf.shape(entry) for entry in entries])
    matrix = tf.stack([tf.broadcast_to(entry, shape) for entry in entries], axis=-1)
    return tf.reshape(matrix, tf.concat([shape, [3, 3]], axis=0))
