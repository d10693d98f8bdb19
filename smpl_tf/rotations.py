"""Rotations: conversions, the nearest rotation, angles between them, and mirroring.

Axis-angles are vectors along the axis, as long as the angle in radians. Matrices act on column
vectors from the left. Quaternions are unit, scalar first: (w, x, y, z).
"""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from smpl_tf.tensor_like import TensorLike

# Below these, power series replace the closed forms, whose derivatives suffer from cancellation;
# the series are exact to float64.
_SERIES_BELOW_SQUARED_ANGLE = 0.01
_SERIES_BELOW_SQUARED_TANGENT = 1e-3
# 2^24 steps of the power method: the remainder of a second eigenvalue of 1 - 1e-6 times the first
# is below 1e-7.
_LEAST_DETERMINANT = 4  # in units of rounding; a smaller value means rank one
_SQUARINGS = 24
_LARGEST_STEP = 0.1  # radians


def axis_angle_to_matrix(axis_angles: TensorLike) -> tf.Tensor:
    """Turns axis-angles into rotation matrices (Rodrigues), differentiably at every angle.

    Args:
      axis_angles: [..., 3], radians.

    Returns:
      [..., 3, 3] rotation matrices.

    Source: SMPL (Loper 2015), equation 1.
    """
    axis_angles = _with_last_dims(axis_angles, (3,), "axis_angles")
    squared = tf.reduce_sum(axis_angles * axis_angles, axis=-1, keepdims=True)
    small = squared < _SERIES_BELOW_SQUARED_ANGLE
    safe = tf.where(small, tf.ones_like(squared), squared)
    angle = tf.sqrt(safe)
    half_sine = tf.sin(0.5 * angle)
    # sin(t)/t and (1 - cos(t))/t^2
    a = tf.where(small, _series(squared, lambda k: 2 * k + 1), tf.sin(angle) / angle)
    b = tf.where(small, _series(squared, lambda k: 2 * k + 2), 2.0 * half_sine * half_sine / safe)
    outer = (b * axis_angles)[..., None] * axis_angles[..., None, :]
    cosine = (1.0 - b * squared)[..., None] * tf.eye(3, dtype=axis_angles.dtype)
    return cosine + _cross_matrix(a * axis_angles) + outer


def matrix_to_quaternion(rotations: TensorLike) -> tf.Tensor:
    """Turns rotation matrices into unit quaternions with a scalar part >= 0.

    Args:
      rotations: [..., 3, 3] rotation matrices.

    Returns:
      [..., 4] quaternions (w, x, y, z).
    """
    rotations = _with_last_dims(rotations, (3, 3), "rotations")
    m00, m01, m02, m10, m11, m12, m20, m21, m22 = tf.unstack(_flatten(rotations, 2), axis=-1)
    # Row i is 4 q_i q; the row of the largest component is never short.
    rows = [
        *(1.0 + m00 + m11 + m22, m21 - m12, m02 - m20, m10 - m01),
        *(m21 - m12, 1.0 + m00 - m11 - m22, m10 + m01, m02 + m20),
        *(m02 - m20, m10 + m01, 1.0 - m00 + m11 - m22, m21 + m12),
        *(m10 - m01, m02 + m20, m21 + m12, 1.0 - m00 - m11 + m22),
    ]
    largest = tf.argmax(tf.stack([rows[0], rows[5], rows[10], rows[15]], axis=-1), axis=-1)
    choice = tf.one_hot(largest, 4, dtype=rotations.dtype)[..., None]
    row = tf.reduce_sum(choice * _unflatten(tf.stack(rows, axis=-1), (4, 4)), axis=-2)
    quaternions = row * tf.math.rsqrt(tf.reduce_sum(row * row, axis=-1, keepdims=True))
    return tf.where(quaternions[..., :1] < 0.0, -quaternions, quaternions)


def quaternion_to_matrix(quaternions: TensorLike) -> tf.Tensor:
    """Turns nonzero quaternions of any length into rotation matrices.

    Args:
      quaternions: [..., 4] (w, x, y, z).

    Returns:
      [..., 3, 3] rotation matrices.
    """
    quaternions = _of_unit_size(_with_last_dims(quaternions, (4,), "quaternions"), [-1])
    w, x, y, z = tf.unstack(quaternions, axis=-1)
    s = 2.0 / (w * w + x * x + y * y + z * z)
    entries = [
        *(1.0 - s * (y * y + z * z), s * (x * y - w * z), s * (x * z + w * y)),
        *(s * (x * y + w * z), 1.0 - s * (x * x + z * z), s * (y * z - w * x)),
        *(s * (x * z - w * y), s * (y * z + w * x), 1.0 - s * (x * x + y * y)),
    ]
    return _unflatten(tf.stack(entries, axis=-1), (3, 3))


def matrix_to_axis_angle(rotations: TensorLike) -> tf.Tensor:
    """Turns rotation matrices into axis-angles no longer than pi.

    Args:
      rotations: [..., 3, 3] rotation matrices.

    Returns:
      [..., 3], radians. The gradient is correct at the identity too; at pi it is the one-sided
      gradient for the returned axis.
    """
    quaternions = matrix_to_quaternion(rotations)
    w, vector = quaternions[..., :1], quaternions[..., 1:]
    squared_sine = tf.reduce_sum(vector * vector, axis=-1, keepdims=True)
    small = squared_sine < _SERIES_BELOW_SQUARED_TANGENT
    sine = tf.sqrt(tf.where(small, tf.ones_like(squared_sine), squared_sine))
    safe_w = tf.where(small, w, tf.ones_like(w))
    squared_tangent = tf.where(small, squared_sine, tf.zeros_like(w)) / (safe_w * safe_w)
    # atan(x)/x = 1 - x^2/3 + x^4/5 - ...
    series = tf.zeros_like(w)
    for k in reversed(range(6)):
        series = 1.0 / (2 * k + 1) - squared_tangent * series
    scale = tf.where(small, 2.0 * series / safe_w, 2.0 * tf.atan2(sine, w) / sine)
    return scale * vector


def project_to_rotation(matrices: TensorLike, special: bool = True) -> tf.Tensor:
    """Projects matrices to the nearest rotations in the Frobenius norm.

    The gradient is the closed form of the polar factor's derivative: finite and correct also where
    singular values coincide, unlike the gradient of the singular vectors.

    Args:
      matrices: [..., 3, 3].
      special: True gives rotations (determinant +1); False gives plain U V^T, a reflection where
        the determinant of the input is negative.

    Returns:
      [..., 3, 3] orthogonal matrices.

    Source: NBF section 3.2 projects with U V^T; `special=True` differs from the paper where the
      network's matrix has a negative determinant.
    """
    matrices = _with_last_dims(matrices, (3, 3), "matrices")
    if matrices.dtype.size < 4:  # float16 and bfloat16 have no SVD
        nearest = project_to_rotation(tf.cast(matrices, tf.float32), special)
        return tf.cast(nearest, matrices.dtype)
    matrices = _of_unit_size(matrices)
    return _nearest_special(matrices) if special else _nearest_orthogonal(matrices)


def project_to_rotation_by_squaring(matrices: TensorLike, special: bool = True) -> tf.Tensor:
    """Projects to the nearest rotations without an SVD, with operations of every runtime.

    For inference, such as TFLite's: `project_to_rotation` has the better gradient. The result is
    as precise, except where two rotations are equally near: there it is neither.

    Args:
      matrices: [..., 3, 3].
      special: as in `project_to_rotation`.

    Returns:
      [..., 3, 3] orthogonal matrices.

    Source: Horn, "Closed-form solution of absolute orientation using unit quaternions" (1987): the
      rotation's quaternion q is an eigenvector of a 4x4 matrix. Squaring that matrix again and
      again leaves q q^T, in which a rotation's entries are linear.
    """
    matrices = _of_unit_size(_with_last_dims(matrices, (3, 3), "matrices"))
    sign = 1.0
    if not special:
        sign = tf.where(_determinant(matrices) < 0.0, -1.0, 1.0)[..., None, None]
        sign = tf.cast(sign, matrices.dtype)
    flat = tf.reshape(matrices * sign, [-1, 9])
    m00, m01, m02, m10, m11, m12, m20, m21, m22 = tf.unstack(flat, axis=-1)
    entries = [
        *(m00 + m11 + m22, m21 - m12, m02 - m20, m10 - m01),
        *(m21 - m12, m00 - m11 - m22, m10 + m01, m02 + m20),
        *(m02 - m20, m10 + m01, m11 - m00 - m22, m21 + m12),
        *(m10 - m01, m02 + m20, m21 + m12, m22 - m00 - m11),
    ]
    # No eigenvalue is below minus the sum of the singular values: shifted by a bound of it, the
    # wanted eigenvalue also has the largest absolute value.
    bound = math.sqrt(3.0) * tf.sqrt(tf.reduce_sum(flat * flat, axis=-1))
    bound += np.finfo(matrices.dtype.as_numpy_dtype).tiny
    identity = tf.eye(4, dtype=matrices.dtype)
    squared = tf.reshape(tf.stack(entries, axis=-1), [-1, 4, 4]) + bound[:, None, None] * identity
    for _ in range(_SQUARINGS):
        squared /= tf.reduce_sum(squared * identity, axis=[-2, -1], keepdims=True)
        squared = tf.matmul(squared, squared)
    squared /= tf.reduce_sum(squared * identity, axis=[-2, -1], keepdims=True)
    products = tf.unstack(tf.reshape(squared, [-1, 16]), axis=-1)
    ww, wx, wy, wz, _, xx, xy, xz, _, _, yy, yz, _, _, _, zz = products
    entries = [
        *(ww + xx - yy - zz, 2.0 * (xy - wz), 2.0 * (xz + wy)),
        *(2.0 * (xy + wz), ww - xx + yy - zz, 2.0 * (yz - wx)),
        *(2.0 * (xz - wy), 2.0 * (yz + wx), ww - xx - yy + zz),
    ]
    return sign * tf.reshape(tf.stack(entries, axis=-1), tf.shape(matrices))


def _of_unit_size(values, axes=(-2, -1)):
    """Matrices or quaternions divided by their largest entries, which changes no rotation.

    XLA's SVD iterates to an absolute error, and squares overflow. The divisor gets no gradient:
    the rotation and all its derivatives do not depend on it.
    """
    size = tf.stop_gradient(tf.reduce_max(tf.abs(values), axis=axes, keepdims=True))
    return values / tf.where(size > 0, size, tf.ones_like(size))


@tf.custom_gradient
def _nearest_special(matrices):
    _, u, v = tf.linalg.svd(matrices)
    sign = tf.sign(_determinant(u) * _determinant(v))
    flip = tf.stack([tf.ones_like(sign), tf.ones_like(sign), sign], axis=-1)
    nearest = _polished(tf.matmul(u * flip[..., None, :], v, transpose_b=True), matrices)
    # The gradient computes the projection again, so that it can itself be differentiated.
    return nearest, lambda upstream: _polar_pullback(
        matrices, _nearest_special(matrices), upstream
    )


@tf.custom_gradient
def _nearest_orthogonal(matrices):
    _, u, v = tf.linalg.svd(matrices)
    nearest = _polished(tf.matmul(u, v, transpose_b=True), matrices)
    return nearest, lambda upstream: _polar_pullback(
        matrices, _nearest_orthogonal(matrices), upstream
    )


def _polar_pullback(matrices, nearest, upstream):
    """Pulls a gradient back through M = R H (R orthogonal, H symmetric) to M.

    dR = R [w]x with (tr(H) I - H) w = axial(R^T dM); the eigenvalues of that 3x3 matrix are the
    sums of two singular values, so only where such a sum is zero is R not a function of M, and
    the gradient is defined as zero. M is of unit size, so zero means below rounding error.
    """
    return tf.matmul(nearest, _cross_matrix(_turn(matrices, nearest, upstream)))


def _polished(nearest, matrices):
    """One Newton step to refine the result of XLA's SVD for small singular values."""
    step = _turn(matrices, nearest, matrices)
    # If the step is not small, the rotation is not unique, and any will do.
    near = tf.reduce_sum(step * step, axis=-1, keepdims=True) < _LARGEST_STEP**2
    return tf.matmul(nearest, axis_angle_to_matrix(tf.where(near, step, tf.zeros_like(step))))


def _turn(matrices, nearest, change):
    """Returns w of R [w]x, the change of R by a change of M; zero where R is not unique."""
    h = tf.matmul(nearest, matrices, transpose_a=True)
    h = 0.5 * (h + tf.linalg.matrix_transpose(h))
    system = tf.linalg.trace(h)[..., None, None] * tf.eye(3, dtype=h.dtype) - h
    columns = tf.unstack(system, axis=-1)
    adjugate = tf.stack(
        [tf.linalg.cross(columns[i - 2], columns[i - 1]) for i in range(3)], axis=-2
    )
    determinant = _determinant(system)[..., None]
    unique = tf.abs(determinant) > _LEAST_DETERMINANT * np.finfo(h.dtype.as_numpy_dtype).eps
    w = tf.linalg.matvec(adjugate, _axial(tf.matmul(nearest, change, transpose_a=True)))
    return tf.where(unique, w / tf.where(unique, determinant, tf.ones_like(w)), tf.zeros_like(w))


def geodesic_angle(rotations_a: TensorLike, rotations_b: TensorLike) -> tf.Tensor:
    """Returns the angle of the rotation between two rotations.

    Args:
      rotations_a: [..., 3, 3] rotation matrices.
      rotations_b: [..., 3, 3] rotation matrices.

    Returns:
      [...] angles in [0, pi], radians. At 0 and pi, where the angle has a kink, the gradient
      is 0.
    """
    rotations_a = _with_last_dims(rotations_a, (3, 3), "rotations_a")
    rotations_b = _with_last_dims(rotations_b, (3, 3), "rotations_b")
    between = tf.matmul(rotations_a, rotations_b, transpose_a=True)
    axial = 0.5 * _axial(between)
    squared_sine = tf.reduce_sum(axial * axial, axis=-1)
    kink = tf.equal(squared_sine, 0.0)
    safe = tf.where(kink, tf.ones_like(squared_sine), squared_sine)
    sine = tf.where(kink, tf.zeros_like(safe), tf.sqrt(safe))
    return tf.atan2(sine, 0.5 * (tf.linalg.trace(between) - 1.0))


def mirror_axis_angle(
    axis_angles: TensorLike, joint_mirror: Sequence[int] | np.ndarray | None = None
) -> tf.Tensor:
    """Mirrors a pose at the plane x = 0, between the person's left and right.

    Args:
      axis_angles: [..., 3], or [..., J, 3] with `joint_mirror`; radians.
      joint_mirror: the joint that takes each joint's place, such as `SMPL_24.mirror`; None leaves
        the joints where they are.

    Returns:
      The mirrored axis-angles, same shape.
    """
    axis_angles = _with_last_dims(axis_angles, (3,), "axis_angles")
    mirrored = axis_angles * tf.constant([1.0, -1.0, -1.0], axis_angles.dtype)
    return mirrored if joint_mirror is None else tf.gather(mirrored, joint_mirror, axis=-2)


def mirror_rotations(
    rotations: TensorLike, joint_mirror: Sequence[int] | np.ndarray | None = None
) -> tf.Tensor:
    """Mirrors rotations at the plane x = 0: S R S with S = diag(-1, 1, 1).

    Args:
      rotations: [..., 3, 3], or [..., J, 3, 3] with `joint_mirror`; relative or global.
      joint_mirror: as in `mirror_axis_angle`.

    Returns:
      The mirrored rotations, same shape.
    """
    rotations = _with_last_dims(rotations, (3, 3), "rotations")
    signs = np.outer([-1.0, 1.0, 1.0], [-1.0, 1.0, 1.0])
    mirrored = rotations * tf.constant(signs, rotations.dtype)
    return mirrored if joint_mirror is None else tf.gather(mirrored, joint_mirror, axis=-3)


def _series(squared, order):
    """Sums (-1)^k squared^k / order(k)! by Horner's rule; exact to float64 below 0.01."""
    total = tf.zeros_like(squared)
    for k in reversed(range(5)):
        total = 1.0 / math.factorial(order(k)) - squared * total
    return total


def _axial(matrices):
    """The vector of the skew part, times two: (m21 - m12, m02 - m20, m10 - m01)."""
    return tf.stack(
        [
            matrices[..., 2, 1] - matrices[..., 1, 2],
            matrices[..., 0, 2] - matrices[..., 2, 0],
            matrices[..., 1, 0] - matrices[..., 0, 1],
        ],
        axis=-1,
    )


def _cross_matrix(vectors):
    """The matrices [v]x with [v]x w = v x w."""
    x, y, z = tf.unstack(vectors, axis=-1)
    zero = tf.zeros_like(x)
    return _unflatten(tf.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1), (3, 3))


def _determinant(matrices):
    a, b, c = tf.unstack(matrices, axis=-2)
    return tf.reduce_sum(a * tf.linalg.cross(b, c), axis=-1)


def _with_last_dims(tensor, dims, name):
    """Returns the tensor, after a check of its float type and its static last dimensions."""
    tensor = tf.convert_to_tensor(tensor)
    if not tensor.shape[-len(dims) :].is_compatible_with(dims) or not tensor.dtype.is_floating:
        wanted = ", ".join(map(str, dims))
        raise ValueError(
            f"{name} must be floating with shape [..., {wanted}], "
            f"got {tensor.dtype.name} {tensor.shape}"
        )
    return tensor


def _flatten(tensor, count):
    """Merges the last `count` dimensions, whose sizes are known."""
    size = int(np.prod(tensor.shape[-count:]))
    return tf.reshape(tensor, tf.concat([tf.shape(tensor)[:-count], [size]], axis=0))


def _unflatten(tensor, dims):
    """Splits the last dimension; the reverse of `_flatten`."""
    return tf.reshape(tensor, tf.concat([tf.shape(tensor)[:-1], dims], axis=0))
