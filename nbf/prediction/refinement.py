"""Refines a fitted body to detected points or to a part map, by gradient descent.

Starting from the network's result, pose, shape and translation are optimised through the SMPL
layer for a few dozen steps, with a penalty for leaving the start. The best body on the way by the
reported criterion is returned, the start included, so no person's criterion gets worse.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from nbf.prediction import part_agreement
from nbf.prediction.fitted_person import PredictedPerson
from nbf.prediction.point_refinement import POINTS, PointRefiner, Refined
from smpl_tf import SMPL, rotations
from smpl_tf.found_person import FoundPerson
from smpl_tf.nbf_scale import NBF_IMAGE_SIZE, nbf_camera
from smpl_tf.parts import PartScheme

_STEPS = 60
_LEARNING_RATE = 0.02
_ROUND = 10  # steps between two updates of visibility
_POINTS = 48  # points of each part, on the body and in the map

# Costs of leaving the network's result, in pixels of error (of 512).
_POSE_COST = 0.7  # per squared radian, summed over the joints
_SHAPE_COST = 0.3  # per squared unit of betas
_PLACE_COST = 4.0  # per squared step of translation
# One step of translation, metres: along the view a metre changes the size by only a twentieth.
_STEP_OF_PLACE = (0.3, 0.3, 6.0)
_CAMERA = nbf_camera(NBF_IMAGE_SIZE)
_LEAST_POINTS = 6  # known points that a refinement needs
_SOFTENING = 2.0  # pixels: smaller errors are squared


class Gain(NamedTuple):
    """The improvement of a person by refinement.

    Attributes:
      kind: "points" or "parts".
      before: the criterion of the network's result.
      after: that of the refined body.
    """

    kind: str
    before: float
    after: float

    def __str__(self) -> str:
        """The gain in words."""
        if self.kind == "points":
            return f"points {self.before:.1f} → {self.after:.1f} px of {NBF_IMAGE_SIZE}"
        return f"parts' IoU {100 * self.before:.0f} → {100 * self.after:.0f} %"


def refine(
    people: Sequence[PredictedPerson],
    found: Sequence[FoundPerson] | None,
    scheme: PartScheme | None,
    refiners: Sequence[Refiner],
) -> list[PredictedPerson]:
    """Refines people to their detected points, or without those to their part maps.

    Args:
      people: the fitted people.
      found: the detection of each; None: unknown.
      scheme: of the part maps; None where there are none.
      refiners: one for each body.

    Returns:
      The people with their gains; without a gain where there was nothing to refine to. Verdicts on
      the previous bodies are dropped.
    """
    refined = list(people)
    known = [
        found is not None and (found[i].in_skeleton(POINTS).visibility > 0).sum() >= _LEAST_POINTS
        for i in range(len(people))
    ]
    for refiner in refiners:
        own = [i for i, one in enumerate(people) if one.person.body is refiner.body]
        by_points = [i for i in own if known[i]]
        by_parts = [i for i in own if not known[i]] if scheme is not None else []
        outcomes = []
        if by_points and found is not None:
            outcome = refiner.to_points(
                [people[i].person for i in by_points], [found[i] for i in by_points]
            )
            outcomes.append(("points", by_points, outcome))
        if by_parts and scheme is not None:
            outcome = refiner.to_parts([people[i] for i in by_parts], scheme)
            outcomes.append(("parts", by_parts, outcome))
        for kind, indices, outcome in outcomes:
            for i, person, *gain in zip(
                indices, outcome.people, outcome.before, outcome.after, strict=True
            ):
                refined[i] = people[i]._replace(
                    person=person, verdict=None, gain=Gain(kind, *map(float, gain))
                )
    return refined


class Refiner:
    """Refines people with the same body; its graphs are traced once, for any number of people.

    Attributes:
      body: the SMPL layer of the fitted people.
      to_points: moves bodies to detected points.
    """

    def __init__(self, body: SMPL):
        """Prepares the graphs.

        Args:
          body: the SMPL layer of the fitted people.
        """
        self.body = body
        self.to_points = PointRefiner(body)
        self._round_of_parts = _compiled(body, _part_loss)

    def to_parts(self, people: Sequence[PredictedPerson], scheme: PartScheme) -> Refined:
        """Moves bodies to the part maps that they were fitted to.

        The objective is the distance between each part's points in the map and on the visible
        surface, each to its nearest neighbour; the best body is chosen by overlap.

        Args:
          people: the fitted people, with labels.
          scheme: the parts of the labels.

        Returns:
          The refined people; the criterion is the mean IoU of the parts.
        """
        body, labels = self.body, np.stack([one.view.found_labels for one in people])
        target, in_map = _points_of_maps(labels, scheme)

        def drawn(posed):
            raster = part_agreement.rasterized(posed.vertices.numpy(), body, labels.shape[-1])
            return raster, part_agreement.part_labels(raster, body, scheme)

        def criterion(posed):
            return part_agreement.mean_part_iou(drawn(posed)[1], labels, scheme)

        def visible(posed):
            raster, parts = drawn(posed)
            corners, weights, on_body = _points_of_surface(raster, parts, body.faces, scheme)
            return target, corners, weights, np.float32(in_map & on_body)

        return _descend(body, people, self._round_of_parts, visible, criterion, -1)


def _part_loss(posed, target, corners, weights, both):
    surface = tf.gather(posed.vertices, corners, batch_dims=1)  # [N, C, P, 3 corners, 3]
    points = tf.reduce_sum(surface * weights[..., None], -2)
    shape = tf.shape(points)
    projected = _CAMERA.project(tf.reshape(points, [shape[0], -1, 3]))
    projected = tf.reshape(projected, tf.concat([shape[:3], [2]], 0))
    offsets = projected[..., :, None, :] - target[..., None, :, :]
    distances = _softened(tf.reduce_sum(offsets * offsets, -1))
    nearest = tf.reduce_mean(tf.reduce_min(distances, -1), -1)
    nearest += tf.reduce_mean(tf.reduce_min(distances, -2), -1)
    return tf.math.divide_no_nan(tf.reduce_sum(nearest * both, -1), tf.reduce_sum(both, -1))


def _posed(body, start, changes):
    """Returns the changed body, and its rotations, betas and translation."""
    turns, shapes, moves = changes
    relative, betas, translation = start
    turned = tf.matmul(rotations.axis_angle_to_matrix(turns), relative)
    parameters = turned, betas + shapes, translation + moves * tf.constant(_STEP_OF_PLACE)
    return body(pose=turned, betas=parameters[1], translation=parameters[2]), parameters


def _compiled(body, loss):
    """Runs one round of Adam on the loss plus the cost of leaving the start, as a graph."""

    def cost(changes):
        turns, shapes, moves = changes
        return (
            _POSE_COST * tf.reduce_sum(turns**2, [-2, -1])
            + _SHAPE_COST * tf.reduce_sum(shapes**2, -1)
            + _PLACE_COST * tf.reduce_sum(moves**2, -1)
        )

    @tf.function(reduce_retracing=True)
    def descend(start, changes, means, squares, first, data):
        for step in tf.range(first, first + _ROUND):
            with tf.GradientTape() as tape:
                tape.watch(changes)
                posed, _ = _posed(body, start, changes)
                total = tf.reduce_sum(loss(posed, *data) + cost(changes))
            gradients = tape.gradient(total, changes)
            time = tf.cast(step + 1, tf.float32)
            means = [0.9 * m + 0.1 * g for m, g in zip(means, gradients, strict=True)]
            squares = [0.99 * s + 0.01 * g * g for s, g in zip(squares, gradients, strict=True)]
            rate = _LEARNING_RATE * tf.sqrt(1 - 0.99**time) / (1 - 0.9**time)
            changes = [
                c - rate * m / (tf.sqrt(s) + 1e-6)
                for c, m, s in zip(changes, means, squares, strict=True)
            ]
        return changes, means, squares

    return descend


def _descend(
    body: SMPL,
    people: Sequence[PredictedPerson],
    descend: Callable,
    make_data: Callable,
    criterion: Callable,
    sign: int,
) -> Refined:
    """Optimises, and keeps each person's best body by `sign` times the criterion."""
    names = ("pose", "betas", "translation")
    start = [
        tf.constant(np.stack([getattr(one.person, name) for one in people]), tf.float32)
        for name in names
    ]
    changes = [tf.zeros(shape) for shape in ((len(people), 24, 3), start[1].shape, start[2].shape)]
    means = squares = [tf.zeros_like(change) for change in changes]
    posed, parameters = _posed(body, start, changes)
    best = [value.numpy() for value in parameters]
    before = after = criterion(posed)
    for first in range(0, _STEPS, _ROUND):
        # Visibility changes from round to round.
        data = [tf.constant(values) for values in make_data(posed)]
        changes, means, squares = descend(start, changes, means, squares, tf.constant(first), data)
        posed, parameters = _posed(body, start, changes)
        now = criterion(posed)
        better = sign * now < sign * after
        after = np.where(better, now, after)
        for kept, value in zip(best, parameters, strict=True):
            kept[better] = value.numpy()[better]
    refined = [
        dataclasses.replace(one.person, **dict(zip(names, values, strict=True)))
        for one, *values in zip(people, *best, strict=True)
    ]
    return Refined(refined, before, after)


def _softened(squared):
    """Returns square roots of squared distances, smooth at 0."""
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
    return points, there


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
    return corners, weights, there


def _spread(mask):
    """Returns a fixed number of evenly chosen pixels of a mask; none from a tiny mask."""
    rows, columns = np.nonzero(mask)
    if len(rows) < 4:
        return rows[:0], columns[:0]
    chosen = np.linspace(0, len(rows) - 1, _POINTS).round().astype(int)
    return rows[chosen], columns[chosen]
