"""Fits a body to points in closed form: a baseline, and the start of other fits.

Source: not in the paper. It alternates orthogonal Procrustes per joint with linear least squares
for betas.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from smpl_tf.alignment import procrustes
from smpl_tf.kinematics import global_to_relative
from smpl_tf.rotations import project_to_rotation
from smpl_tf.skeleton import SMPL_24
from smplr.bones import observed_points
from smplr.landmarks import NUM_JOINTS
from smplr.point_model import PointModel, PosedPoints

# Points that follow only these joints move nearly rigidly.
_TORSO = ("pelvis", "spine1", "spine2", "spine3", "left_collar", "right_collar")
# A point counts for the rotation of a joint if its weight is at least this.
_LEAST_SHARE = 0.6
# Determines the position if every point is missing.
_PLACE_PRIOR = 1e-9


class InverseFit(NamedTuple):
    """A body fitted to points.

    Attributes:
      rotations: parent-relative, the root's in the frame of the points, `[..., 24, 3, 3]`.
      betas: `[..., B]`.
      pelvis: where SMPL's root joint is, metres, `[..., 3]`.
      points: of the fitted body, metres, `[..., P, 3]`.
    """

    rotations: tf.Tensor
    betas: tf.Tensor
    pelvis: tf.Tensor
    points: tf.Tensor


def flat_problem(
    points: tf.Tensor, weights: tf.Tensor | None, model: PointModel
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Converts points and weights to the form that the fits use.

    Args:
      points: metres, `[..., P, 3]`; missing points may be NaN or infinite.
      weights: `[..., P]`, 0 for a missing point; None: equal weights. Must
        broadcast to the points.
      model: the body.

    Returns:
      Points `[N, P, 3]`, zero where missing; weights `[N, P]`, zero where missing or where the
      body has no such point; the leading dimensions, int `[...]`.

    Raises:
      ValueError: if the number of points does not match the skeleton.
    """
    points = tf.convert_to_tensor(points)
    if not points.dtype.is_floating:
        points = tf.cast(points, tf.float32)
    size = len(model.skeleton)
    if points.shape.rank < 2 or tuple(points.shape[-2:]) != (size, 3):
        raise ValueError(
            f"Expected points [..., {size}, 3] for {model.skeleton.name}, got {points.shape}."
        )
    points, valid = observed_points(points, None)
    counted = tf.cast(valid, points.dtype) * tf.constant(model.observable, points.dtype)
    if weights is not None:
        weights = tf.cast(weights, points.dtype)
        counted *= tf.where(weights > 0, weights, tf.zeros_like(weights))
    leading = tf.shape(points)[:-2]
    return tf.reshape(points, [-1, size, 3]), tf.reshape(counted, [-1, size]), leading


def unflatten(fit: InverseFit, leading: tf.Tensor) -> InverseFit:
    """Restores the leading dimensions of the points in a fit of `[N, ...]` bodies."""
    return InverseFit(
        *(tf.reshape(value, tf.concat([leading, value.shape[1:]], axis=0)) for value in fit)
    )


def closed_form_fit(
    points: tf.Tensor,
    model: PointModel,
    weights: tf.Tensor | None = None,
    iterations: int = 4,
    twist_weight: float = 1e-4,
    beta_weight: float = 1e-5,
) -> InverseFit:
    """Fits a body by alternating rotations per joint with least squares for betas and position.

    A joint is rotated so that the points fixed to it (child joints, and landmarks skinned mostly
    to it) fit best. If they do not determine the twist, or are missing, it keeps its parent's
    orientation.

    Args:
      points: metres, any frame, `[..., P, 3]`; missing points may be NaN or infinite.
      model: the body.
      weights: `[..., P]`, 0 for a missing point; None: equal weights.
      iterations: number of alternations.
      twist_weight: weight of each joint's pull towards its parent's orientation, square metres.
      beta_weight: weight of the pull of the betas towards 0, square metres.

    Returns:
      The fit; if all points are missing, the mean body at rest with its pelvis at the origin.

    Raises:
      ValueError: if the number of points does not match the skeleton.
    """
    points, weights, leading = flat_problem(points, weights, model)
    count, dtype = tf.shape(points)[0], points.dtype
    rotations = tf.eye(3, batch_shape=[count, NUM_JOINTS], dtype=dtype)
    betas = tf.zeros([count, model.num_betas], dtype)
    toward, pelvis = torso_placed(points, weights, model)

    def improved(index, rotations, global_rotations, betas, pelvis, toward):
        rest = model.rest_sources(rotations, betas)
        posed = model.pose(rest, global_rotations)
        global_rotations = _fit_rotations(
            points, weights, rest, global_rotations, posed, pelvis, toward, model, twist_weight
        )
        rotations = global_to_relative(global_rotations, model.parents)
        betas, pelvis = _fit_shape(
            points, weights, rotations, global_rotations, model, beta_weight
        )
        return index + 1, rotations, global_rotations, betas, pelvis, global_rotations[:, 0]

    # A loop of TensorFlow's: in a graph the rounds are one piece, which is made once.
    first = (tf.constant(0), rotations, rotations, betas, pelvis, toward)
    _, rotations, global_rotations, betas, pelvis, _ = tf.while_loop(
        lambda index, *_: index < iterations, improved, first
    )
    posed = model.pose(model.rest_sources(rotations, betas), global_rotations)
    fitted = posed.points + pelvis[:, None]
    return unflatten(InverseFit(rotations, betas, pelvis, fitted), leading)


def torso_placed(
    points: tf.Tensor, weights: tf.Tensor, model: PointModel
) -> tuple[tf.Tensor, tf.Tensor]:
    """Aligns the mean body at rest rigidly to the torso.

    Args:
      points: metres, `[N, P, 3]`.
      weights: `[N, P]`.
      model: the body.

    Returns:
      Rotations of the root `[N, 3, 3]` and positions of the pelvis `[N, 3]`.
    """
    rest = model.template - model.template[:1]
    mean = np.zeros((len(model.skeleton), 3))
    np.add.at(mean, model.target, model.factors @ rest)
    mean = tf.broadcast_to(tf.constant(mean, points.dtype), tf.shape(points))
    torso = procrustes(mean, points, weights * _torso_points(model), with_scale=False)
    return torso.rotation, torso.translation


def _shares(model: PointModel) -> np.ndarray:
    """Returns the weight of each joint in each point, `[P, 24]`."""
    shares = np.zeros((len(model.skeleton), NUM_JOINTS))
    np.add.at(shares, (model.target, model.carrier), model.factors.sum(axis=-1))
    return shares


def _torso_points(model: PointModel) -> np.ndarray:
    """Returns which points move with the torso, 0 or 1, `[P]`."""
    carried = _shares(model)[:, SMPL_24.indices(_TORSO)].sum(axis=-1)
    return (carried > _LEAST_SHARE).astype(np.float64)


def _fit_rotations(
    points: tf.Tensor,
    weights: tf.Tensor,
    rest: tf.Tensor,
    global_rotations: tf.Tensor,
    posed: PosedPoints,
    pelvis: tf.Tensor,
    toward: tf.Tensor,
    model: PointModel,
    twist_weight: float,
) -> tf.Tensor:
    """Rotates each joint, parents first, so that the points fixed to it fit.

    A joint's position is the one that its parent's rotation gives, not the observed one. So each
    joint corrects the remaining error of its ancestors, and noise does not accumulate along a
    limb.

    Returns:
      Global rotations, `[N, 24, 3, 3]`.
    """
    shares = _shares(model)
    carriers = np.where(shares.max(axis=-1) >= _LEAST_SHARE, shares.argmax(axis=-1), -1)
    # In the current pose, a landmark skinned to several joints is treated as rigidly fixed to its
    # main joint.
    of_point = np.maximum(carriers, 0)
    arms = posed.points - tf.gather(posed.joints, of_point, axis=1)
    arms = tf.linalg.matvec(tf.gather(global_rotations, of_point, axis=1), arms, transpose_a=True)

    found, places = [None] * NUM_JOINTS, [None] * NUM_JOINTS
    for joints in _levels(model.parents):
        if model.parents[joints[0]] < 0:
            prior, place = toward[:, None], pelvis[:, None]
        else:
            parents = [model.parents[joint] for joint in joints]
            prior = tf.stack([found[parent] for parent in parents], axis=1)
            bones = tf.gather(rest, joints, axis=1) - tf.gather(rest, parents, axis=1)
            place = tf.stack([places[parent] for parent in parents], axis=1)
            place += tf.linalg.matvec(prior, bones)
        covariance = twist_weight * prior
        fixed = np.flatnonzero(np.isin(carriers, joints))
        if len(fixed):
            owners = [joints.index(carriers[point]) for point in fixed]
            seen = tf.gather(points, fixed, axis=1) - tf.gather(place, owners, axis=1)
            seen *= tf.gather(weights, fixed, axis=1)[..., None]
            products = seen[..., :, None] * tf.gather(arms, fixed, axis=1)[..., None, :]
            owned = np.equal(np.arange(len(joints))[:, None], owners)
            covariance += tf.einsum("jp,npab->njab", tf.constant(owned, seen.dtype), products)
        for i, rotation in enumerate(tf.unstack(_nearest_rotations(covariance), axis=1)):
            found[joints[i]], places[joints[i]] = rotation, place[:, i]
    return tf.stack(found, axis=1)


def _nearest_rotations(matrices: tf.Tensor) -> tf.Tensor:
    """`project_to_rotation`, as one operation of whatever graph it is in, for each depth."""
    return _projection(matrices.dtype)(matrices)


@functools.cache
def _projection(dtype: tf.DType) -> Callable[[tf.Tensor], tf.Tensor]:
    return tf.function(
        project_to_rotation,
        input_signature=[tf.TensorSpec([None, None, 3, 3], dtype)],
        autograph=False,
        experimental_attributes={"_noinline": True},
    )


def _levels(parents: Sequence[int]) -> list[list[int]]:
    """Returns the joints of each depth."""
    depths: list[int] = []
    for parent in parents:
        depths.append(0 if parent < 0 else depths[parent] + 1)
    return [
        [joint for joint, own in enumerate(depths) if own == depth]
        for depth in range(max(depths) + 1)
    ]


def _fit_shape(points, weights, rotations, global_rotations, model, beta_weight):
    """Solves for betas `[N, B]` and pelvis `[N, 3]` that move the posed body to the points."""
    dtype, num_betas = points.dtype, model.num_betas
    mean = model.rest_sources(rotations, tf.zeros([tf.shape(points)[0], num_betas], dtype))
    missed = points - model.pose(mean, global_rotations).points
    jacobian = model.shape_jacobian(global_rotations)
    moves = tf.broadcast_to(tf.eye(3, dtype=dtype), tf.concat([tf.shape(missed), [3]], axis=0))
    jacobian = tf.concat([jacobian, moves], axis=-1)
    weighted = jacobian * weights[..., None, None]
    normal = tf.einsum("npcb,npcd->nbd", weighted, jacobian)
    pulls = tf.concat([tf.fill([num_betas], tf.cast(beta_weight, dtype)), [_PLACE_PRIOR] * 3], 0)
    normal = tf.linalg.set_diag(normal, tf.linalg.diag_part(normal) + pulls)
    moment = tf.einsum("npcb,npc->nb", weighted, missed)
    solution = tf.linalg.solve(normal, moment[..., None])[..., 0]
    return solution[:, :num_betas], solution[:, num_betas:]
