"""Refines a fitted body towards the detected points of the person, in 2D and in 3D.

Starting from the networks' result, pose, shape and translation are optimised through the SMPL
layer and the person's own camera for a few dozen steps of gradient descent, with a penalty for
leaving the start. The best body on the way is returned, the start included.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from nbf.landmarks import landmark_body, landmark_points
from nbf.prediction.fitted_person import FittedPerson
from smpl_tf import SMPL, rotations
from smpl_tf.found_person import FoundPerson
from smpl_tf.nbf_scale import NBF_FOCAL, NBF_TRANSLATION
from smpl_tf.placing import on_lines_of_sight
from smpl_tf.skeleton import PHOTOGRAPH_21, SMPL_24, Skeleton

POINTS = Skeleton(
    name="Photograph points and SMPL's joints",
    names=tuple(dict.fromkeys(PHOTOGRAPH_21.names + SMPL_24.names)),
)
"""The points that a body is fitted to; a detector gives some of them."""

_HIPS = POINTS.indices(("left_hip", "right_hip"))
_STEPS = 100
_LEARNING_RATE = 0.04
_PIXELS = NBF_FOCAL / NBF_TRANSLATION[2]  # pixels (of 512) per metre: the unit of all costs below
_SOFTENING_2D, _SOFTENING_3D = 2.0, 25.0  # smaller errors are squared
# The points of head and feet are many, and lie on the skin, where people differ from the body.
_SHARE_OF_ENDS = 0.3
_LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_WEIGHTS = np.array([1.0 if one.endswith(_LIMBS) else _SHARE_OF_ENDS for one in POINTS.names])
_SHARE_OF_3D = 0.6  # weight of an error in 3D relative to one in the picture
# Costs of leaving the networks' result: inversely proportional to the squared errors of its
# rotations (root mean square, radians) and betas on 300 held-out people with corrupted points.
_COST = 0.22
_POSE_ERRORS = {
    **{"hip": 0.57, "knee": 0.52, "ankle": 0.50, "foot": 0.39},
    **{"shoulder": 0.79, "elbow": 0.72, "wrist": 0.47, "hand": 0.44},
    **{"pelvis": 0.43, "head": 0.39},
}
_SPINE_ERROR = 0.35  # and neck and collars
_POSE_COSTS = np.array(  # per squared radian
    [[_COST / _POSE_ERRORS.get(one.split("_")[-1], _SPINE_ERROR) ** 2] for one in SMPL_24.names]
)
_SHAPE_COST = 0.05  # per squared unit of betas; the rotations' three axes share their error
_PLACE_COST = 4.0  # per squared step of translation
_STEP_OF_PLACE = 0.3  # metres perpendicular to the view, and fraction of the distance along it


class Refined(NamedTuple):
    """The result of a refinement.

    Attributes:
      people: the refined people.
      before: `[N]` criterion of the network's result.
      after: `[N]` criterion of the refined people.
    """

    people: list[FittedPerson]
    before: np.ndarray
    after: np.ndarray


class _Evidence(NamedTuple):
    """The detected points of N people.

    Attributes:
      rays: `[N, P, 2]` x / z and y / z of the points.
      weights_2d: `[N, P]`, sum to 1 for each person.
      points_3d: `[N, P, 3]` metres from the middle of the hips, camera axes.
      weights_3d: `[N, P]`, sum to 1 or 0 for each person.
      distance: `[N]` metres, along the view.
    """

    rays: tf.Tensor
    weights_2d: tf.Tensor
    points_3d: tf.Tensor
    weights_3d: tf.Tensor
    distance: tf.Tensor


class PointRefiner:
    """Refines people with the same body; its graph is traced once, for any number of people.

    Attributes:
      body: the SMPL layer of the fitted people.
    """

    def __init__(self, body: SMPL, share_of_3d: float = _SHARE_OF_3D):
        """Prepares the graph.

        Args:
          body: the SMPL layer of the fitted people.
          share_of_3d: weight of the error of detected 3D points; the error in the picture has
            weight 1.
        """
        self.body = body
        self._share_of_3d = share_of_3d
        self._points = landmark_body(body.model_data, POINTS)
        person, points = [None], [None, len(POINTS)]
        self._descend = tf.function(
            self._descent,
            input_signature=[
                tuple(
                    tf.TensorSpec([None, *shape], tf.float32)
                    for shape in ([24, 3, 3], [self._points.num_betas], [3])
                ),
                _Evidence(
                    tf.TensorSpec([*points, 2], tf.float32),
                    tf.TensorSpec(points, tf.float32),
                    tf.TensorSpec([*points, 3], tf.float32),
                    tf.TensorSpec(points, tf.float32),
                    tf.TensorSpec(person, tf.float32),
                ),
            ],
        )

    def __call__(self, people: Sequence[FittedPerson], found: Sequence[FoundPerson]) -> Refined:
        """Moves bodies to detected points.

        Args:
          people: the fitted people, in their camera frames.
          found: the detection of each; visibility is the weight of a point, reduced for head and
            feet.

        Returns:
          The refined people; the criterion is the mean distance of the points in the picture, in
          pixels at NBF's scale (246 pixels per metre).
        """
        start = tuple(
            tf.constant(np.stack([getattr(one, name) for one in people]), tf.float32)
            for name in ("pose", "betas", "translation")
        )
        evidence = _gathered(people, found)
        best, before, after = self._descend(start, evidence)
        pose, betas, translation = (values.numpy() for values in best)
        refined = [
            dataclasses.replace(one, pose=pose[i], betas=betas[i], translation=translation[i])
            for i, one in enumerate(people)
        ]
        return Refined(refined, before.numpy(), after.numpy())

    def _descent(self, start, evidence):
        """Runs Adam; returns the best parameters, and the error before and after."""
        pose, betas, translation = start
        place = tf.stack([tf.ones_like(evidence.distance)] * 2 + [evidence.distance], -1)
        place *= _STEP_OF_PLACE

        def moved(changes):
            turns, shapes, moves = changes
            turned = tf.matmul(rotations.axis_angle_to_matrix(turns), pose)
            return turned, betas + shapes, translation + moves * place

        changes = [tf.zeros_like(pose[..., 0]), tf.zeros_like(betas), tf.zeros_like(translation)]
        means = squares = [tf.zeros_like(change) for change in changes]
        best = list(start)
        before = after = tf.zeros_like(evidence.distance)
        lowest = tf.fill(tf.shape(evidence.distance), np.float32(np.inf))
        for step in tf.range(_STEPS + 1):
            with tf.GradientTape() as tape:
                tape.watch(changes)
                parameters = moved(changes)
                loss, error = self._loss(changes, parameters, evidence)
            gradients = tape.gradient(loss, changes)
            before = tf.where(step == 0, error, before)
            after = tf.where(loss < lowest, error, after)
            better = (loss < lowest) & (step > 0)
            lowest = tf.minimum(loss, lowest)
            best = [
                tf.where(tf.reshape(better, [-1] + [1] * (value.shape.rank - 1)), value, kept)
                for value, kept in zip(parameters, best, strict=True)
            ]
            time = tf.cast(step + 1, tf.float32)
            means = [0.9 * m + 0.1 * g for m, g in zip(means, gradients, strict=True)]
            squares = [0.99 * s + 0.01 * g * g for s, g in zip(squares, gradients, strict=True)]
            rate = _LEARNING_RATE * tf.sqrt(1 - 0.99**time) / (1 - 0.9**time)
            changes = [
                c - rate * m / (tf.sqrt(s) + 1e-6)
                for c, m, s in zip(changes, means, squares, strict=True)
            ]
        return best, before, after

    def _loss(self, changes, parameters, evidence):
        """Returns the objective `[N]`, and the mean error in the picture `[N]`."""
        turns, shapes, moves = changes
        pose, betas, translation = parameters
        body = self._points(pose=pose, betas=betas, translation=translation)
        points = landmark_points(body, POINTS)
        depth = tf.maximum(points[..., 2:], 0.05)
        offsets = points[..., :2] / depth - evidence.rays
        offsets *= _PIXELS * evidence.distance[:, tf.newaxis, tf.newaxis]
        squared = tf.reduce_sum(tf.square(offsets), -1)
        hips = tf.reduce_mean(tf.gather(points, _HIPS, axis=-2), -2, keepdims=True)
        apart = tf.reduce_sum(tf.square(_PIXELS * (points - hips - evidence.points_3d)), -1)
        loss = tf.reduce_sum(evidence.weights_2d * _softened(squared, _SOFTENING_2D), -1)
        loss += self._share_of_3d * tf.reduce_sum(
            evidence.weights_3d * _softened(apart, _SOFTENING_3D), -1
        )
        costs = tf.constant(_POSE_COSTS, turns.dtype)
        loss += tf.reduce_sum(costs * tf.square(turns), [-2, -1])
        loss += _SHAPE_COST * tf.reduce_sum(tf.square(shapes), -1)
        loss += _PLACE_COST * tf.reduce_sum(tf.square(moves), -1)
        error = tf.reduce_sum(evidence.weights_2d * tf.sqrt(squared), -1)
        return loss, error


def _softened(squared, softening):
    """Returns square roots of squared distances, smooth at 0."""
    return tf.sqrt(squared + softening**2) - softening


def _gathered(people: Sequence[FittedPerson], found: Sequence[FoundPerson]) -> _Evidence:
    rays, weights_2d, points_3d, weights_3d, distance = [], [], [], [], []
    for person, one in zip(people, found, strict=True):
        # 3D points that disagree with the 2D points would pull the body off these.
        seen = on_lines_of_sight(one, person.camera).in_skeleton(POINTS)
        known = np.isfinite(seen.points_2d).all(-1)
        pixels = np.where(known[:, None], seen.points_2d, 0)
        intrinsics = np.asarray(person.camera.intrinsics, float)
        homogeneous = np.concatenate([pixels, np.ones((len(pixels), 1))], -1)
        rays.append(np.linalg.solve(intrinsics, homogeneous.T).T[:, :2])
        weights_2d.append(_shares(np.where(known, seen.visibility * _WEIGHTS, 0)))
        there = np.zeros(len(POINTS), bool)
        place = np.zeros((len(POINTS), 3))
        if seen.points_3d is not None:
            there = np.isfinite(seen.points_3d).all(-1)
            place = np.where(there[:, None], seen.points_3d, 0)
        points_3d.append(place)
        weights_3d.append(_shares(np.where(there, seen.visibility * _WEIGHTS, 0)))
        distance.append(max(float(person.joints_3d[:, 2].mean()), 0.1))
    arrays = (rays, weights_2d, points_3d, weights_3d, distance)
    return _Evidence(*(tf.constant(np.array(one), tf.float32) for one in arrays))


def _shares(weights: np.ndarray) -> np.ndarray:
    total = weights.sum()
    return weights / total if total > 0 else weights
