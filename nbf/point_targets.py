"""Training inputs and targets of the points-and-mask network, from known poses and outlines."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from nbf import proxy_corruption
from nbf.landmarks import landmark_points
from nbf.parameters import join_parameters
from nbf.points_mask import BACKGROUND, HALF_SIDE, PERSON, UNKNOWN, person_frame, point_rows
from nbf.proxy_corruption import Corruption
from smpl_tf import SMPL, kinematics
from smpl_tf.rotations import axis_angle_to_matrix, mirror_rotations
from smpl_tf.skeleton import PHOTOGRAPH_21, SMPL_24

Batch = Mapping[str, tf.Tensor]
OUTLINE_SIZE = 64  # pixels, side of the people's stored outlines
# Error of the assumed focal length, which most photographs do not state. Log of a factor.
_FOCAL_DEVIATION = 0.4


def point_targets(
    people: Batch, body: SMPL, size: int, seed: tf.Tensor, corruption: Corruption | None
) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
    """Makes inputs and targets of people, randomly mirrored and rolled about the camera's axis.

    Args:
      people: `pose` `[B, 24, 3]` axis-angles, `betas` `[B, 10]`, `translation` `[B, 3]` metres
        (camera frame, about on the camera's axis), `outline` `[B, 64, 8]` packed bits,
        `outline_camera` `[B, 3]` focal length and principal point of it, pixels.
      body: `nbf.landmarks.landmark_body` of PHOTOGRAPH_21.
      size: side of the mask's map, pixels.
      seed: int `[2]`.
      corruption: errors that are added to points and mask; None: none.

    Returns:
      inputs `points`, `input_map`, `intrinsics` and `translation`, and the targets of
      `FittingLoss`; image coordinates are those of the person's frame (`nbf.points_mask`).
    """
    seeds = tf.unstack(tf.random.split(seed, 6))
    batch_size = tf.shape(people["pose"])[0]
    mirrored = tf.random.stateless_uniform([batch_size], seeds[0]) < 0.5
    angle = _draw_roll(batch_size, seeds[1])
    rotations, posed, translation = _turn(people, body, mirrored, angle)

    in_space = landmark_points(posed, PHOTOGRAPH_21) + translation[:, tf.newaxis]
    rays = in_space[..., :2] / in_space[..., 2:]
    everything = tf.ones(tf.shape(rays)[:2])
    frame = person_frame(rays, everything)
    points, visibility = frame.normalise(rays), everything
    stretch = tf.ones([batch_size])
    cover = None
    if corruption is not None:
        cover = proxy_corruption.draw_cover(batch_size, seeds[2], corruption)
        points, visibility = proxy_corruption.corrupt_points(points, cover, seeds[3], corruption)
        stretch = tf.exp(_FOCAL_DEVIATION * tf.random.stateless_normal([batch_size], seeds[4]))
    # Only visible points determine the frame, as in photographs.
    inner = person_frame(points, visibility)
    frame = frame._replace(
        centre=frame.centre + inner.centre * frame.spread[:, tf.newaxis],
        spread=frame.spread * inner.spread,
    )
    mask = _outline_map(people, frame.centre, frame.spread, mirrored, angle, size)
    if corruption is None or cover is None:
        mask = tf.where(mask > 0.5, PERSON, BACKGROUND)
    else:
        cover = cover.in_frame(inner.centre, inner.spread)
        mask = proxy_corruption.corrupt_mask(mask, cover, seeds[5], corruption)
    inputs = {
        "points": point_rows(points, visibility, inner),
        "input_map": mask,
        "intrinsics": frame.intrinsics(stretch),
        # With a longer focal length, the same picture shows a person farther away.
        "translation": translation * tf.stack([tf.ones_like(stretch)] * 2 + [stretch], -1),
    }
    joints = posed.joints + translation[:, tf.newaxis]
    targets = {
        "parameters": join_parameters(
            people["betas"], kinematics.relative_to_global(rotations, SMPL_24.parents)
        ),
        "joints_3d": posed.joints,
        "joints_2d": frame.normalise(joints[..., :2] / joints[..., 2:]),
    }
    for name in tuple(targets):
        targets[f"{name}_valid"] = tf.ones(tf.shape(targets[name])[:2])
    return inputs, targets


def without_mask(inputs: Batch) -> dict[str, tf.Tensor]:
    """Returns the same inputs with an unknown mask."""
    return {**inputs, "input_map": tf.fill(tf.shape(inputs["input_map"]), UNKNOWN)}


def _draw_roll(batch_size, seed):
    """Angles about the camera's axis, radians: three of five people are about upright."""
    seeds = tf.unstack(tf.random.split(seed, 3))
    upright = tf.random.stateless_uniform([batch_size], seeds[0]) < 0.6
    small = 0.25 * tf.random.stateless_normal([batch_size], seeds[1])
    any_angle = tf.random.stateless_uniform([batch_size], seeds[2], -np.pi, np.pi)
    return tf.where(upright, small, any_angle)


def _turn(people, body, mirrored, angle):
    """Mirrors people and rolls them about the camera's axis.

    Returns parent-relative rotations, the posed bodies without translation, and the translations.
    """
    relative = axis_angle_to_matrix(people["pose"])
    flipped = mirror_rotations(relative, SMPL_24.mirror)
    relative = tf.where(mirrored[:, tf.newaxis, tf.newaxis, tf.newaxis], flipped, relative)
    zero = tf.zeros_like(angle)
    roll = axis_angle_to_matrix(tf.stack([zero, zero, angle], -1))
    root = tf.matmul(roll, relative[:, 0])
    relative = tf.concat([root[:, tf.newaxis], relative[:, 1:]], 1)
    posed = body(betas=people["betas"], pose=relative)
    # A body turns about its pelvis, the world about the camera.
    pelvis = posed.joints[:, 0]
    sign = tf.where(mirrored, -1.0, 1.0)
    one = tf.ones_like(sign)
    place = (pelvis + people["translation"]) * tf.stack([sign, one, one], -1)
    return relative, posed, tf.linalg.matvec(roll, place) - pelvis


def _outline_map(people, centre, spread, mirrored, angle, size):
    """Draws stored outlines in a person's frame, `[B, size, size, 1]` 0 to 1.

    Args:
      people: see `point_targets`.
      centre: `[B, 2]` of the frame, rays.
      spread: `[B]` of the frame, rays.
      mirrored: `[B]` whether the person was mirrored after the outline was drawn.
      angle: `[B]` by which the person was then rolled, radians.
      size: side of the map, pixels.
    """
    bits = tf.bitwise.bitwise_and(
        people["outline"][..., tf.newaxis], tf.constant([128, 64, 32, 16, 8, 4, 2, 1], tf.uint8)
    )
    outline = tf.reshape(tf.cast(bits > 0, tf.float32), [-1, OUTLINE_SIZE, OUTLINE_SIZE, 1])
    focal, x, y = tf.unstack(people["outline_camera"], axis=-1)
    # From a pixel of the map to the person's frame, to rays, back through roll and mirror, to a
    # pixel of the outline; the centre of pixel i is at i + 0.5.
    step = 2.0 * HALF_SIDE / size * spread
    first = centre + (0.5 / size * 2.0 - 1.0) * HALF_SIDE * spread[:, tf.newaxis]
    cos, sin = tf.cos(angle), tf.sin(angle)
    sign = tf.where(mirrored, -1.0, 1.0)
    rows = [
        focal * sign * cos * step,
        focal * sign * sin * step,
        focal * sign * (cos * first[:, 0] + sin * first[:, 1]) + x - 0.5,
        -focal * sin * step,
        focal * cos * step,
        focal * (cos * first[:, 1] - sin * first[:, 0]) + y - 0.5,
        tf.zeros_like(step),
        tf.zeros_like(step),
    ]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=outline,
        transforms=tf.stack(rows, -1),
        output_shape=[size, size],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
