"""Makes a fitted body agree better with 2D joints or with a part map, by gradient descent.

From the network's answer, and not far from it: pose, shape and place are varied through the SMPL
layer for a few dozen steps. What comes out is the best of what was met on the way by the criterion
that is reported, the start included, so no person's criterion gets worse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from experiments import part_agreement
from experiments.nbf_prediction import FittedPerson
from smpl_tf import SMPL, rotations
from smpl_tf.camera import NBF_IMAGE_SIZE, nbf_camera
from smpl_tf.parts import PartScheme

_STEPS = 60
_LEARNING_RATE = 0.02
_ROUND = 10  # steps between two looks at what is visible
_POINTS = 48  # of each part, on the body and in the map

# What a departure from the network's answer costs, in pixels of error (of 512).
_POSE_COST = 6.0  # per squared radian, summed over the joints
_SHAPE_COST = 0.5  # per squared unit of betas
_PLACE_COST = 40.0  # per squared metre across; along the view a hundredth of it
_SOFTENING = 2.0  # pixels: errors below count by their square


class Refined(NamedTuple):
    """What a refinement brought.

    Attributes:
      people: the refined people.
      before: `[N]` criterion of the network's answer.
      after: `[N]` criterion of the refined people.
    """

    people: list[FittedPerson]
    before: np.ndarray
    after: np.ndarray


def refine_to_joints(
    body: SMPL, people: Sequence[FittedPerson], joints_2d: Sequence[np.ndarray]
) -> Refined:
    """Moves bodies to given 2D joints.

    Args:
      body: the SMPL layer.
      people: the fitted people.
      joints_2d: of each, `[24, 2]` pixels of the picture, NaN where unknown; one known at least.

    Returns:
      The refined people; the criterion is the mean distance of the known joints in pixels at
      NBF's scale, where 246 are a metre.
    """
    camera = nbf_camera(NBF_IMAGE_SIZE)
    scale = np.array([NBF_IMAGE_SIZE / person.window.side for person in people])
    corner = np.array([person.window[:2] for person in people])
    target = (np.stack(joints_2d) - corner[:, None]) * scale[:, None, None]
    known = np.isfinite(target).all(-1)
    weights = tf.constant(known / known.sum(-1, keepdims=True), tf.float32)
    target = tf.constant(np.where(known[..., None], target, 0), tf.float32)
    joints_only = SMPL(body.model_data, vertex_ids=[])

    def distances(posed):
        offsets = camera.project(posed.joints) - target
        return tf.reduce_sum(offsets * offsets, -1)

    def criterion(posed):
        return tf.reduce_sum(weights * tf.sqrt(distances(posed)), -1).numpy()

    def loss(posed):
        return tf.reduce_sum(weights * _softened(distances(posed)), -1)

    return _descend(joints_only, people, lambda posed: loss, criterion, smaller_is_better=True)


def refine_to_parts(body: SMPL, people: Sequence[FittedPerson], scheme: PartScheme) -> Refined:
    """Moves bodies to the part maps that they were fitted to.

    What the descent follows is the distance between points of each part in the map and on the
    visible surface, to the nearest of each other; what decides is the overlap.

    Args:
      body: the SMPL layer.
      people: the fitted people, with labels.
      scheme: the parts of the labels.

    Returns:
      The refined people; the criterion is the mean IoU of the parts.
    """
    camera = nbf_camera(NBF_IMAGE_SIZE)
    labels = np.stack([person.labels for person in people])
    size = labels.shape[-1]
    target, in_map = _points_of_maps(labels, scheme)

    def criterion(posed):
        raster = part_agreement.rasterized(posed.vertices.numpy(), body, size)
        drawn = part_agreement.part_labels(raster, body, scheme)
        return part_agreement.mean_part_iou(drawn, labels, scheme)

    def make_loss(posed):
        raster = part_agreement.rasterized(posed.vertices.numpy(), body, size)
        drawn = part_agreement.part_labels(raster, body, scheme)
        corners, weights, on_body = _points_of_surface(raster, drawn, body.faces, scheme)
        both = tf.constant(in_map & on_body, tf.float32)

        def loss(posed):
            surface = tf.gather(posed.vertices, corners, batch_dims=1)  # [N, C, P, 3 corners, 3]
            points = tf.reduce_sum(surface * weights[..., None], -2)
            shape = tf.shape(points)
            projected = camera.project(tf.reshape(points, [shape[0], -1, 3]))
            projected = tf.reshape(projected, [shape[0], shape[1], shape[2], 2])
            offsets = projected[..., :, None, :] - target[..., None, :, :]
            squared = _softened(tf.reduce_sum(offsets * offsets, -1))
            nearest = tf.reduce_mean(tf.reduce_min(squared, -1), -1) + tf.reduce_mean(
                tf.reduce_min(squared, -2), -1
            )
            count = tf.maximum(tf.reduce_sum(both, -1), 1)
            return tf.reduce_sum(nearest * both, -1) / count

        return loss

    return _descend(body, people, make_loss, criterion, smaller_is_better=False)


def _descend(
    body: SMPL,
    people: Sequence[FittedPerson],
    make_loss: Callable,
    criterion: Callable,
    smaller_is_better: bool,
) -> Refined:
    """Descends, and keeps the best of each person's bodies by the criterion."""
    count = len(people)
    start = [np.stack([getattr(p, name) for p in people]) for name in ("rotations", "betas")]
    places = np.stack([person.translation for person in people])
    turns, shapes, moves = variables = [
        tf.Variable(tf.zeros([count, *shape])) for shape in ((24, 3), start[1].shape[1:], (3,))
    ]
    optimizer = keras.optimizers.Adam(_LEARNING_RATE)
    optimizer.build(variables)

    def parameters():
        turned = tf.matmul(rotations.axis_angle_to_matrix(turns), start[0])
        # A metre of depth is a small step: it changes the size by a twentieth.
        return turned, start[1] + shapes, places + moves * tf.constant([0.3, 0.3, 6.0])

    def pose():
        turned, betas, translation = parameters()
        return body(pose=turned, betas=betas, translation=translation)

    def step(loss):
        with tf.GradientTape() as tape:
            placed = moves * tf.constant([0.3, 0.3, 0.6])
            cost = _POSE_COST * tf.reduce_sum(turns**2, [-2, -1])
            cost += _SHAPE_COST * tf.reduce_sum(shapes**2, -1)
            cost += _PLACE_COST * tf.reduce_sum(placed**2, -1)
            total = tf.reduce_sum(loss(pose()) + cost)
        optimizer.apply(tape.gradient(total, variables), variables)

    best = [value.numpy() for value in parameters()]
    before = after = criterion(pose())
    for _ in range(_STEPS // _ROUND):
        # What is visible changes from round to round, and so does the graph that follows it.
        compiled = tf.function(step, reduce_retracing=True)
        loss = make_loss(pose())
        for _ in range(_ROUND):
            compiled(loss)
        now = criterion(pose())
        better = now < after if smaller_is_better else now > after
        after = np.where(better, now, after)
        for kept, value in zip(best, parameters(), strict=True):
            kept[better] = value.numpy()[better]
    refined = [
        person._replace(rotations=turned, betas=betas, translation=translation)
        for person, turned, betas, translation in zip(people, *best, strict=True)
    ]
    return Refined(refined, before, after)


def _softened(squared):
    """Distances from squared ones, smooth at 0."""
    return tf.sqrt(squared + _SOFTENING**2) - _SOFTENING


def _points_of_maps(labels, scheme):
    """Pixels of each part, `[N, C, P, 2]` at 512, and where there are any, `[N, C]`."""
    zoom = NBF_IMAGE_SIZE / labels.shape[-1]
    points = np.zeros((len(labels), scheme.num_classes - 1, _POINTS, 2), np.float32)
    there = np.zeros(points.shape[:2], bool)
    for i, j in np.ndindex(there.shape):
        rows, columns = _spread(labels[i] == j + 1)
        if len(rows):
            points[i, j], there[i, j] = (np.stack([columns, rows], -1) + 0.5) * zoom, True
    return tf.constant(points), there


def _points_of_surface(raster, labels, faces, scheme):
    """Surface points of each visible part: vertices, their weights, and where there are any."""
    shape = (len(labels), scheme.num_classes - 1, _POINTS, 3)
    corners, weights = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    there = np.zeros(shape[:2], bool)
    for i, j in np.ndindex(there.shape):
        rows, columns = _spread(labels[i] == j + 1)
        if len(rows):
            corners[i, j] = faces[raster.face_index[i, rows, columns]]
            weights[i, j], there[i, j] = raster.barycentric[i, rows, columns], True
    return tf.constant(corners), tf.constant(weights), there


def _spread(mask):
    """Some pixels of a mask, evenly chosen, always as many; none if a few pixels are all."""
    rows, columns = np.nonzero(mask)
    if len(rows) < 4:
        return rows[:0], columns[:0]
    chosen = np.linspace(0, len(rows) - 1, _POINTS).round().astype(int)
    return rows[chosen], columns[chosen]
