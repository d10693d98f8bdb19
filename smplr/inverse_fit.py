"""Peers of SMPLR's networks: points to a body in closed form, and by gradient descent.

Both take root-relative points with a mask and know the body's arrays; neither is trained. On
clean points they beat the networks, on noisy ones they lose to them.

Source: not in the paper. The closed form alternates orthogonal Procrustes per joint with linear
least squares for betas; the gradient descent follows SMPLify (Bogo et al. 2016) without its
learned priors.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from smpl_tf.kinematics import global_to_relative, relative_to_global
from smpl_tf.lbs import pose_features
from smpl_tf.model_data import SMPLModelData
from smpl_tf.rotations import project_to_rotation
from smplr.bones import bone_paths, observed_points
from smplr.landmarks import NUM_JOINTS, landmark_vertex_ids, template_points

# Settles the root's rotation where every point on it is missing, square metres.
_ROOT_PRIOR = 1e-9
# Rounds the corner of the distance at zero, metres.
_DISTANCE_ROUNDING = 1e-3


class InverseFit(NamedTuple):
    """A body fitted to points.

    Attributes:
      rotations: parent-relative, the root's in the frame of the points, `[..., 24, 3, 3]`.
      betas: `[..., B]`.
      points: of the fitted body, root-relative, metres, `[..., 41, 3]`.
    """

    rotations: tf.Tensor
    betas: tf.Tensor
    points: tf.Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class PointModel:
    """What a body model says about SMPLR's 42 points alone.

    Attributes:
      template: rest pose, mean shape, metres, `[42, 3]`: 24 joints, 18 landmarks.
      shapedirs: metres per unit of each beta, `[42, 3, B]`.
      posedirs: of the landmarks, metres per entry of R - I, `[18, 3, 207]`.
      weights: skinning weights of the landmarks, `[18, 24]`.
      parents: of the joints, -1 for the root.
    """

    template: np.ndarray
    shapedirs: np.ndarray
    posedirs: np.ndarray
    weights: np.ndarray
    parents: tuple[int, ...]

    @classmethod
    def of(cls, model_data: SMPLModelData, num_betas: int = 10) -> "PointModel":
        """Cuts the points out of a whole body model."""
        landmarks = landmark_vertex_ids(model_data)
        shapedirs = model_data.shapedirs[..., :num_betas]
        joint_shapedirs = np.einsum("jv,vcs->jcs", model_data.J_regressor, shapedirs)
        return cls(
            template=template_points(model_data).astype(np.float32),
            shapedirs=np.concatenate([joint_shapedirs, shapedirs[landmarks]]).astype(np.float32),
            posedirs=model_data.posedirs[landmarks].astype(np.float32),
            weights=model_data.weights[landmarks].astype(np.float32),
            parents=tuple(int(parent) for parent in model_data.parents),
        )

    def rest_points(self, rotations: tf.Tensor, betas: tf.Tensor | None = None) -> tf.Tensor:
        """Shapes the rest pose, pose blend shapes included.

        Args:
          rotations: parent-relative, `[..., 24, 3, 3]`.
          betas: `[..., B]`, or None for the mean shape.

        Returns:
          Metres, `[..., 42, 3]`.
        """
        offsets = tf.einsum("lcf,...f->...lc", self.posedirs, pose_features(rotations))
        joints = tf.zeros_like(rotations[..., :, :, 0])
        rest = self.template + tf.concat([joints, offsets], axis=-2)
        if betas is not None:
            rest += tf.einsum("pcb,...b->...pc", self.shapedirs, betas)
        return rest

    def pose(self, rest: tf.Tensor, global_rotations: tf.Tensor) -> tf.Tensor:
        """Poses rest points; linear in them.

        Args:
          rest: metres, `[..., 42, 3]`, broadcasting against the rotations.
          global_rotations: `[..., 24, 3, 3]`.

        Returns:
          Posed points, the root at the origin, `[..., 42, 3]`.
        """
        rest_joints, rest_landmarks = rest[..., :NUM_JOINTS, :], rest[..., NUM_JOINTS:, :]
        fathers = self.parents[1:]
        bones = rest_joints[..., 1:, :] - tf.gather(rest_joints, fathers, axis=-2)
        bones = tf.linalg.matvec(tf.gather(global_rotations, fathers, axis=-3), bones)
        paths = tf.constant(bone_paths(fathers), tf.float32)
        joints = tf.einsum("ij,...jc->...ic", paths, bones)
        joints = tf.concat([tf.zeros_like(joints[..., :1, :]), joints], axis=-2)
        # Each joint moves a point x of the rest pose to R x + (joint - R rest_joint).
        offsets = joints - tf.linalg.matvec(global_rotations, rest_joints)
        landmarks = tf.einsum(
            "lj,...jab,...lb->...la", self.weights, global_rotations, rest_landmarks
        )
        landmarks += tf.einsum("lj,...ja->...la", self.weights, offsets)
        return tf.concat([joints, landmarks], axis=-2)


def closed_form_fit(
    points: tf.Tensor,
    model: PointModel,
    valid: tf.Tensor | None = None,
    iterations: int = 6,
    twist_weight: float = 1e-4,
    beta_weight: float = 1e-5,
) -> InverseFit:
    """Fits a body by turns: rotations joint by joint, then betas by least squares.

    A joint is turned so that the points fixed to it (child joints, and landmarks skinned mostly
    to it) fit best. Where they leave the twist open, or are missing, it keeps its parent's
    orientation.

    Args:
      points: root-relative, metres, `[..., 41, 3]`; missing points may be NaN.
      model: the body.
      valid: bool `[..., 41]`, or None if only non-finite points are missing.
      iterations: rounds of rotations and betas.
      twist_weight: pull of each joint towards its parent's orientation, square metres.
      beta_weight: pull of the betas towards 0, square metres.

    Returns:
      The fit; the mean body in rest orientation where everything is missing.
    """
    points, valid = observed_points(tf.convert_to_tensor(points, tf.float32), valid)
    batch = tf.shape(points)[:-2]
    points = tf.concat([tf.zeros_like(points[..., :1, :]), points], axis=-2)
    valid = tf.concat([tf.ones_like(valid[..., :1]), valid], axis=-1)
    seen = tf.cast(valid, tf.float32)

    betas = tf.zeros(tf.concat([batch, model.shapedirs.shape[-1:]], 0))
    rest = tf.broadcast_to(model.template, tf.shape(points))
    attached = rest  # where each point sits in the rest frame of the joint that it is fixed to
    for _ in range(iterations):
        turned = _fit_rotations(points, seen, rest, attached, model, twist_weight)
        rotations = global_to_relative(turned, model.parents)
        betas = _fit_betas(points, seen, rotations, turned, model, beta_weight)
        rest = model.rest_points(rotations, betas)
        fitted = model.pose(rest, turned)
        attached = _attachments(fitted, rest, turned, model)
    return InverseFit(rotations, betas, fitted[..., 1:, :])


def gradient_fit(
    points: tf.Tensor,
    model: PointModel,
    valid: tf.Tensor | None = None,
    steps: int = 200,
    learning_rate: float = 0.05,
    beta_weight: float = 1e-3,
    pose_weight: float = 1e-3,
) -> InverseFit:
    """Fits a body by Adam on the distance of its points, from the rest pose turned as a whole.

    Args:
      points: root-relative, metres, `[..., 41, 3]`; missing points may be NaN.
      model: the body.
      valid: bool `[..., 41]`, or None if only non-finite points are missing.
      steps: of gradient descent.
      learning_rate: Adam's; falls to 0 along half a cosine.
      beta_weight: pull of the betas towards 0, metres.
      pose_weight: pull of the joints towards the rest pose, metres.

    Returns:
      The fit.
    """
    points, valid = observed_points(tf.convert_to_tensor(points, tf.float32), valid)
    seen = tf.cast(valid, tf.float32)
    rooted = tf.concat([tf.zeros_like(points[..., :1, :]), points], axis=-2)
    rooted_seen = tf.concat([tf.ones_like(seen[..., :1]), seen], axis=-1)
    rest = tf.broadcast_to(model.template, tf.shape(rooted))
    start = _fit_rotations(rooted, rooted_seen, rest, rest, model, 1.0)[..., :1, :, :]
    upright = tf.broadcast_to(tf.eye(3), tf.shape(start[..., :1, :, :]))
    start = tf.concat([start, tf.repeat(upright, NUM_JOINTS - 1, axis=-3)], axis=-3)

    def body(six_numbers, betas):
        rotations = _orthonormal(six_numbers)
        turned = relative_to_global(rotations, model.parents)
        return rotations, model.pose(model.rest_points(rotations, betas), turned)

    def objective(six_numbers, betas):
        rotations, fitted = body(six_numbers, betas)
        squared = tf.reduce_sum(tf.square(fitted[..., 1:, :] - points), axis=-1)
        distances = tf.sqrt(squared + _DISTANCE_ROUNDING**2) * seen
        bending = tf.reduce_mean(tf.square(rotations[..., 1:, :, :] - tf.eye(3)), (-3, -2, -1))
        return (
            tf.reduce_mean(distances, axis=-1)
            + beta_weight * tf.reduce_mean(tf.square(betas), axis=-1)
            + pose_weight * bending
        )

    variables = (
        start[..., :2, :],
        tf.zeros(tf.concat([tf.shape(points)[:-2], model.shapedirs.shape[-1:]], axis=0)),
    )
    variables = _adam(objective, variables, steps, learning_rate)
    rotations, fitted = body(*variables)
    return InverseFit(rotations, variables[1], fitted[..., 1:, :])


def _orthonormal(six_numbers):
    """Turns two rows, `[..., 2, 3]`, into the rotation that they span, `[..., 3, 3]`."""
    first = tf.math.l2_normalize(six_numbers[..., 0, :], axis=-1)
    second = six_numbers[..., 1, :]
    second -= tf.reduce_sum(first * second, axis=-1, keepdims=True) * first
    second = tf.math.l2_normalize(second, axis=-1)
    return tf.stack([first, second, tf.linalg.cross(first, second)], axis=-2)


def _adam(objective, variables, steps, learning_rate):
    """Lowers an objective of one value per sample; samples do not influence each other."""
    beta_1, beta_2 = 0.9, 0.999

    def step(index, variables, means, squares):
        with tf.GradientTape() as tape:
            tape.watch(variables)
            value = objective(*variables)
        gradients = tape.gradient(value, variables)
        time = tf.cast(index + 1, tf.float32)
        rate = 0.5 * learning_rate * (1 + tf.cos(np.pi * (time - 1) / steps))
        rate *= tf.sqrt(1 - beta_2**time) / (1 - beta_1**time)
        means = tuple(beta_1 * m + (1 - beta_1) * g for m, g in zip(means, gradients, strict=True))
        squares = tuple(
            beta_2 * s + (1 - beta_2) * g**2 for s, g in zip(squares, gradients, strict=True)
        )
        variables = tuple(
            v - rate * m / (tf.sqrt(s) + 1e-8)
            for v, m, s in zip(variables, means, squares, strict=True)
        )
        return index + 1, variables, means, squares

    zeros = tuple(tf.zeros_like(variable) for variable in variables)
    state = (tf.constant(0), variables, zeros, zeros)
    return tf.while_loop(lambda index, *_: index < steps, step, state)[1]


def _carriers(model: PointModel) -> np.ndarray:
    """Returns the joint that each of the 42 points is fixed to; -1 for the root."""
    return np.concatenate([model.parents, np.argmax(model.weights, axis=-1)])


def _fit_rotations(points, seen, rest, attached, model, twist_weight):
    """Turns each joint, parents first, so that the points fixed to it fit.

    A joint stands where its parent's rotation puts it, not where it was observed: so that each
    joint makes good what its ancestors could not, and noise does not add up along a limb.

    Returns:
      Global rotations, `[..., 24, 3, 3]`.
    """
    carriers = _carriers(model)
    turned, places = [], []
    for joint, parent in enumerate(model.parents):
        if parent < 0:
            place, prior = points[..., 0, :], _ROOT_PRIOR * tf.eye(3)
        else:
            prior = turned[parent]
            bone = rest[..., joint, :] - rest[..., parent, :]
            place = places[parent] + tf.linalg.matvec(prior, bone)
            prior = twist_weight * prior
        fixed = np.flatnonzero(carriers == joint)
        observed = tf.gather(points, fixed, axis=-2) - place[..., None, :]
        observed *= tf.gather(seen, fixed, axis=-1)[..., None]
        offsets = tf.gather(attached, fixed, axis=-2) - rest[..., joint : joint + 1, :]
        covariance = tf.matmul(observed, offsets, transpose_a=True) + prior
        turned.append(project_to_rotation(covariance))
        places.append(place)
    return tf.stack(turned, axis=-3)


def _fit_betas(points, seen, rotations, turned, model, beta_weight):
    """Solves for the betas that bring the posed body nearest to the points, `[..., B]`."""
    posed = model.pose(model.rest_points(rotations), turned)
    jacobian = model.pose(model.shapedirs.transpose(2, 0, 1), turned[..., None, :, :, :])
    jacobian *= seen[..., None, :, None]
    normal = tf.einsum("...bpc,...dpc->...bd", jacobian, jacobian)
    normal += beta_weight * tf.eye(model.shapedirs.shape[-1])
    moment = tf.einsum("...bpc,...pc->...b", jacobian, points - posed)
    return tf.linalg.solve(normal, moment[..., None])[..., 0]


def _attachments(fitted, rest, turned, model):
    """Returns where skinned points sit in their carrier's rest frame, `[..., 42, 3]`.

    A landmark skinned to several joints does not move rigidly with one of them; seen from its
    carrier in the present pose, it does.
    """
    carriers = np.maximum(_carriers(model), 0)
    relative = fitted - tf.gather(fitted, carriers, axis=-2)
    carrier_rotations = tf.gather(turned, carriers, axis=-3)
    back = tf.linalg.matvec(carrier_rotations, relative, transpose_a=True)
    return back + tf.gather(rest, carriers, axis=-2)
