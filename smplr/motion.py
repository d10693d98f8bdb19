"""Endless training bodies from a pool of poses, computed in the graph (paper 3.1).

A pool holds poses from any source: AMASS sequences, the synthetic pose sampler, a data set's
labels. Every batch draws poses from it, exchanges limbs between poses, rotates and mirrors people,
gives them random shapes and genders, and computes their points with the SMPL layer.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from smpl_tf.rotations import axis_angle_to_matrix, mirror_rotations
from smpl_tf.skeleton import SMPL_24
from smplr.landmarks import NUM_JOINTS
from smplr.point_body import PointBody

# Limbs that are exchanged as a whole: joints from the hip, the collar or the neck outwards.
_LIMB_ROOTS = ("left_hip", "right_hip", "left_collar", "right_collar", "neck")


@dataclasses.dataclass(frozen=True)
class MotionConfig:
    """How much a batch varies the poses of the pool.

    Attributes:
      exchange_rate: how often a limb comes from another pose of the pool.
      pose_deviation: standard deviation of a random rotation of each joint except the root,
        radians.
      yaw_deviation: standard deviation of a rotation about the camera's vertical axis, radians;
        None: uniform over all angles.
      pitch_deviation: the same about the camera's horizontal axis, radians.
      roll_deviation: the same about the camera's optical axis, radians.
      any_roll_rate: how often a person is rolled by a uniform random angle: handstands, gymnasts,
        people who lie down.
      disturbed_rate: how often a whole pose gets larger random rotations.
      disturbed_deviation: the `pose_deviation` of these poses, radians.
      mirror: whether to mirror half of the people.
      beta_deviation: standard deviation of the betas.
      max_beta: limit at which betas are clipped.
    """

    exchange_rate: float = 0.2
    pose_deviation: float = 0.05
    yaw_deviation: float | None = None
    pitch_deviation: float = 0.1
    roll_deviation: float = 0.0
    any_roll_rate: float = 0.0
    disturbed_rate: float = 0.0
    disturbed_deviation: float = 0.35
    mirror: bool = True
    beta_deviation: float = 1.0
    max_beta: float = 2.5


def motion_batch(
    pool: tf.Tensor,
    body: PointBody,
    batch_size: int,
    seed: tf.Tensor,
    config: MotionConfig = MotionConfig(),
) -> dict[str, tf.Tensor]:
    """Draws a batch of bodies and computes their points.

    Args:
      pool: axis-angles, parent-relative, the root's in camera axes, radians, `[M, 24, 3]`.
      body: the body or bodies.
      batch_size: number of bodies.
      seed: int `[2]`; the same seed gives the same batch.
      config: how much to vary.

    Returns:
      `points` `[N, 41, 3]` root-relative, metres, camera axes; `rotations` `[N, 24, 3, 3]`
      parent-relative; `betas` `[N, B]`; `gender` `[N]`, +1 male, -1 female.

    Source: paper 3.1 and 3.2 ("millions of generated mocap data"), which do not describe the
      sampling.
    """
    seeds = tf.unstack(tf.random.split(seed, 8))
    indices = tf.random.stateless_uniform(
        [2, batch_size], seeds[0], 0, tf.shape(pool)[0], dtype=tf.int32
    )
    own, other = tf.unstack(tf.gather(pool, indices))
    limb_draws = tf.random.stateless_uniform([batch_size, len(_LIMB_ROOTS)], seeds[1])
    taken = tf.cast(limb_draws < config.exchange_rate, tf.float32)
    taken = tf.einsum("nl,lj->nj", taken, tf.constant(_limb_members(), tf.float32))
    rotations = axis_angle_to_matrix(tf.where(taken[..., None] > 0, other, own))

    turns = tf.random.stateless_normal([batch_size, NUM_JOINTS - 1, 3], seeds[2])
    # Additional streams, so that a seed gives the same bodies as without these options.
    more = [tf.random.fold_in(seed, stream) for stream in range(8, 11)]
    disturbed = tf.random.stateless_uniform([batch_size, 1, 1], more[0]) < config.disturbed_rate
    deviation = tf.where(disturbed, config.disturbed_deviation, config.pose_deviation)
    turned = tf.matmul(rotations[:, 1:], axis_angle_to_matrix(turns * deviation))
    pitch = tf.random.stateless_normal([batch_size], seeds[3]) * config.pitch_deviation
    if config.yaw_deviation is None:
        yaw = tf.random.stateless_uniform([batch_size], seeds[4], -np.pi, np.pi)
    else:
        yaw = tf.random.stateless_normal([batch_size], seeds[4]) * config.yaw_deviation
    zero = tf.zeros_like(yaw)
    view = tf.matmul(
        axis_angle_to_matrix(tf.stack([pitch, zero, zero], axis=-1)),
        axis_angle_to_matrix(tf.stack([zero, yaw, zero], axis=-1)),
    )
    if config.roll_deviation or config.any_roll_rate:
        roll = tf.random.stateless_normal([batch_size], more[1]) * config.roll_deviation
        draws = tf.random.stateless_uniform([2, batch_size], more[2])
        roll = tf.where(draws[0] < config.any_roll_rate, np.pi * (2 * draws[1] - 1), roll)
        view = tf.matmul(axis_angle_to_matrix(tf.stack([zero, zero, roll], axis=-1)), view)
    rotations = tf.concat([tf.matmul(view, rotations[:, 0])[:, None], turned], axis=1)
    if config.mirror:
        mirrored = tf.random.stateless_uniform([batch_size, 1, 1, 1], seeds[5]) < 0.5
        rotations = tf.where(mirrored, mirror_rotations(rotations, SMPL_24.mirror), rotations)

    betas = tf.random.stateless_normal([batch_size, body.num_betas], seeds[6])
    betas = tf.clip_by_value(betas * config.beta_deviation, -config.max_beta, config.max_beta)
    is_male = tf.random.stateless_uniform([batch_size], seeds[7]) < 0.5
    gender = tf.where(is_male, 1.0, -1.0)
    points = body(rotations=rotations, betas=betas, gender=gender)["points"]
    return {"points": points, "rotations": rotations, "betas": betas, "gender": gender}


def motion_batches(
    pool: np.ndarray,
    body: PointBody,
    batch_size: int,
    seed: int,
    config: MotionConfig = MotionConfig(),
    first_batch: int = 0,
) -> tf.data.Dataset:
    """Makes an endless stream of batches; each depends only on the seed and its number.

    Args:
      pool: see `motion_batch`.
      body: the body or bodies.
      batch_size: bodies per batch.
      seed: of the stream.
      config: how much to vary.
      first_batch: number of the first batch; a resumed training gets the same batches as an
        uninterrupted one.

    Returns:
      A dataset of the results of `motion_batch`.
    """
    pool = tf.constant(pool, tf.float32)

    def draw(number):
        return motion_batch(pool, body, batch_size, tf.stack([seed, number]), config)

    numbers = tf.data.Dataset.counter(first_batch)
    return numbers.map(draw, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _limb_members() -> np.ndarray:
    """Returns the joints of each exchangeable limb, 0/1 `[5, 24]`."""
    members = np.zeros((len(_LIMB_ROOTS), NUM_JOINTS))
    for limb, name in enumerate(_LIMB_ROOTS):
        members[limb, SMPL_24.index(name)] = 1
        for joint in range(SMPL_24.index(name) + 1, NUM_JOINTS):
            members[limb, joint] = max(members[limb, joint], members[limb, SMPL_24.parents[joint]])
    return members
