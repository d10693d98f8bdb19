"""Simulates the 3D errors of networks that detect a person's points in a photograph.

Current networks (BlazePose, lifting networks) make other errors than an hourglass trained on our
own bodies: their people have another build, the depth is inaccurate, whole limbs are wrong, left
and right are swapped, and they also output points that the picture does not show.
"""

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from smpl_tf.skeleton import Skeleton

# Point -> the point whose error it follows, without the sides.
_HANGS_ON = {
    **{"elbow": "shoulder", "wrist": "elbow", "hand": "wrist", "hand_tip": "wrist"},
    **dict.fromkeys(("index", "pinky", "thumb"), "wrist"),
    **{"knee": "hip", "ankle": "knee", "foot": "ankle", "foot_tip": "ankle"},
    **dict.fromkeys(("heel", "big_toe", "small_toe"), "ankle"),
}
_FACE = ("eye_inner", "eye", "eye_outer", "ear", "mouth_corner")
# Independent error of a point in the picture plane, metres; the first is for all other points.
_TORSO_DEVIATION = 0.012
_DEVIATIONS = {
    **{"elbow": 0.018, "wrist": 0.028, "knee": 0.018, "ankle": 0.025},
    **dict.fromkeys(("hand", "hand_tip", "index", "pinky", "thumb"), 0.015),
    **dict.fromkeys(("foot", "foot_tip", "heel", "big_toe", "small_toe"), 0.015),
    **dict.fromkeys(_FACE, 0.007),
}
_CARRIED = 0.8  # fraction of its error that a point passes on
_DEPTH_GAIN = 2.0
_PERSON_SPREAD = 0.5  # deviation of the logarithm of a person's error
# Factor of the errors of a limb that is hard to see, ...
_HARD_GAIN = 3.0
# ... and how often a limb, the lower body, a side or everything is hard to see.
_HARD_LIMB_RATE, _HARD_LOWER_RATE, _HARD_SIDE_RATE, _HARD_PERSON_RATE = 0.2, 0.05, 0.04, 0.04
_LOST_RATE = 0.02  # of single points
_LOST_SHARE = 0.25  # of what is hard to see
_CONFUSED_RATE = 0.1  # rate of uninformative visibilities
# Logarithms of sizes over those of our bodies, mean and deviation: BlazePose's people are some 5 %
# smaller and have wide hips, and faces, hands and feet of half to all of ours.
_SIZE, _DEPTH_SIZE, _BONE, _HIPS, _SMALL = (-0.05, 0.1), (-0.05, 0.15), 0.08, (0.1, 0.12), 0.8
_DEPTH_REVERSAL_RATE = 0.03  # of bones
_SWAPPED_ARMS_RATE, _SWAPPED_LEGS_RATE, _SWAPPED_PERSON_RATE = 0.02, 0.04, 0.03


class _Structure(NamedTuple):
    """Arrays over a skeleton's P points, derived from their names.

    Attributes:
      parents: the parent of each point, -1: the middle of the hips.
      paths: which bones are on the path to a point, 0/1 `[P, P]`.
      carried: maps independent errors to errors that accumulate along limbs, `[P, P]`.
      deviations: of the independent errors, metres.
      mirror: the same point on the other side.
      hips: 0/1; small: 0/1, points of face, hands and feet.
      arms, legs: 0/1, from elbow and knee outwards.
      beyond: 0/1 `[limb, start, P]`: from elbow or knee, from wrist or ankle outwards.
      lower, sides: 0/1 `[P]` and `[2, P]`, parts that may be hidden.
    """

    parents: np.ndarray
    paths: np.ndarray
    carried: np.ndarray
    deviations: np.ndarray
    mirror: np.ndarray
    hips: np.ndarray
    small: np.ndarray
    arms: np.ndarray
    legs: np.ndarray
    beyond: np.ndarray
    lower: np.ndarray
    sides: np.ndarray


def finder_noise(
    points: tf.Tensor, skeleton: Skeleton, seed: tf.Tensor, scale: float = 1.0
) -> tuple[tf.Tensor, tf.Tensor]:
    """Simulates the 3D points of a network that detects people in photographs.

    Size and build change; the depth of bones is sometimes reversed, left and right are sometimes
    swapped. Errors are Gaussian, accumulate along the limbs and are larger in depth, for some
    people, and where a limb, a side, the lower body or everything is hard to see; the visibility
    mostly reflects this. Some points that are hard to see are lost.

    Args:
      points: true points of a body, metres, camera axes, `[N, P, 3]`; hips among them.
      skeleton: of the points.
      seed: int `[2]`; the same seed gives the same noise.
      scale: factor of the Gaussian errors.

    Returns:
      Points, metres, camera axes, the origin midway between the hips, NaN where lost, `[N, P, 3]`;
      the reported visibility, 0 where lost, above 0 and at most 1 elsewhere, `[N, P]`.

    Source: not in the paper, whose noise is an hourglass's (4.4.2).
    """
    table = _structure(skeleton)
    dtype = points.dtype
    streams = iter(tf.unstack(tf.random.split(seed, 24)))
    count = tf.shape(points)[0]

    def normal(*shape):
        return tf.random.stateless_normal([count, *shape], next(streams), dtype=dtype)

    def uniform(*shape):
        return tf.random.stateless_uniform([count, *shape], next(streams), dtype=dtype)

    def happens(rate, *shape):
        return tf.cast(uniform(*shape) < rate, dtype)

    def constant(array):
        return tf.constant(array, dtype)

    number = len(skeleton)
    # Another build: scales bones from the hips outwards, the same for left and right.
    points = points - _middle(points, table)
    starts = tf.gather(points, np.maximum(table.parents, 0), axis=1)
    hanging = constant(table.parents >= 0)[:, None]
    bones = points - hanging * starts
    growth = _BONE * normal(number) + constant(table.hips) * (_HIPS[0] + _HIPS[1] * normal(1))
    growth -= constant(table.small) * _SMALL * uniform(1)
    growth = (growth + tf.gather(growth, table.mirror, axis=1)) / 2
    bones *= tf.exp(growth)[..., None]
    reversed_depth = happens(_DEPTH_REVERSAL_RATE, number) * hanging[:, 0]
    bones *= tf.stack([tf.ones_like(growth)] * 2 + [1 - 2 * reversed_depth], axis=-1)
    points = tf.einsum("pq,nqc->npc", constant(table.paths), bones)
    size = tf.exp(_SIZE[0] + _SIZE[1] * normal(1, 1))
    depth = tf.exp(_DEPTH_SIZE[0] + _DEPTH_SIZE[1] * normal(1, 1))
    points *= size * tf.concat([tf.ones_like(depth)] * 2 + [depth], axis=-1)

    swapped = happens(_SWAPPED_ARMS_RATE, 1) * constant(table.arms)
    swapped = tf.maximum(swapped, happens(_SWAPPED_LEGS_RATE, 1) * constant(table.legs))
    swapped = tf.maximum(swapped, happens(_SWAPPED_PERSON_RATE, 1))
    points = tf.where(swapped[..., None] > 0, tf.gather(points, table.mirror, axis=1), points)

    # The parts that are hard to see.
    first = tf.cast(uniform(len(table.beyond)) / _HARD_LIMB_RATE * 2, tf.int32)
    hard = tf.einsum("nls,lsp->np", tf.one_hot(first, 2, dtype=dtype), constant(table.beyond))
    hard = tf.maximum(hard, happens(_HARD_LOWER_RATE, 1) * constant(table.lower))
    side = tf.cast(uniform(1) / _HARD_SIDE_RATE * 2, tf.int32)
    side = tf.one_hot(side[:, 0], 2, dtype=dtype)
    hard = tf.maximum(hard, side @ constant(table.sides))
    hard = tf.clip_by_value(tf.maximum(hard, happens(_HARD_PERSON_RATE, 1)), 0, 1)

    errors = normal(number, 3) * constant(table.deviations)[:, None]
    errors *= (1 + (_HARD_GAIN - 1) * hard)[..., None]
    errors = tf.einsum("pq,nqc->npc", constant(table.carried), errors)
    errors *= scale * tf.exp(_PERSON_SPREAD * normal(1, 1)) * constant([1.0, 1.0, _DEPTH_GAIN])
    points += errors

    # Visible points are near 1, except for a few; those and hard ones are anywhere below.
    draw = uniform(number)
    confused = happens(_CONFUSED_RATE, number)
    unsure = hard + confused - 2 * hard * confused
    visibility = tf.where(unsure > 0, 0.05 + 0.8 * draw, 1 - 0.2 * draw**3)
    lost = tf.maximum(happens(_LOST_RATE, number), hard * happens(_LOST_SHARE, 1))
    points -= _middle(points, table)
    points = tf.where(lost[..., None] > 0, constant(np.nan), points)
    return points, visibility * (1 - lost)


def _middle(points: tf.Tensor, table: _Structure) -> tf.Tensor:
    """Returns the middle of the hips, or of all points if the hips are missing, `[N, 1, 3]`."""
    share = table.hips if table.hips.any() else np.ones_like(table.hips)
    share = tf.constant(share / share.sum(), points.dtype)
    return tf.einsum("p,npc->nc", share, points)[:, None]


def _bare(name: str) -> str:
    return name.removeprefix("left_").removeprefix("right_")


def _parent(name: str, names: tuple[str, ...]) -> str | None:
    """Returns the skeleton's nearest point whose error a point follows, or None."""
    side = name.removesuffix(_bare(name))
    if _bare(name) in _FACE:
        return "nose" if "nose" in names else None
    above = _HANGS_ON.get(_bare(name))
    while above is not None and side + above not in names:
        above = _HANGS_ON.get(above)
    return None if above is None else side + above


@functools.cache
def _structure(skeleton: Skeleton) -> _Structure:
    names = skeleton.names
    number = len(names)
    found = [_parent(name, names) for name in names]
    parents = np.array([-1 if one is None else skeleton.index(one) for one in found])
    # A point may precede its parent, so the order is by depth, not by index.
    paths = np.eye(number)
    for _ in range(number):
        paths = np.eye(number) + np.where(parents[:, None] >= 0, paths[parents], 0)
        if all(one < 0 or (paths[i] >= paths[one]).all() for i, one in enumerate(parents)):
            break

    def are(*bare):
        return np.array([_bare(name) in bare for name in names], np.float64)

    def outwards(*starts):
        """Returns these points and all their descendants."""
        chosen = [skeleton.index(name) for name in starts if name in names]
        return paths[:, chosen].max(axis=1, initial=0.0)

    steps = paths.sum(axis=1)[:, None] - paths.sum(axis=1)[None]
    beyond = [
        [outwards(f"{side}_{joint}") for joint in joints]
        for side in ("left", "right")
        for joints in (("elbow", "wrist"), ("knee", "ankle"))
    ]
    lower = outwards("left_knee", "right_knee")
    sides = [[float(name.startswith(side)) for name in names] for side in ("left_", "right_")]
    small = are(*_FACE, *(name for name, on in _HANGS_ON.items() if on in ("wrist", "ankle")))
    return _Structure(
        parents=parents,
        paths=paths,
        carried=paths * _CARRIED**steps,
        deviations=np.array([_DEVIATIONS.get(_bare(name), _TORSO_DEVIATION) for name in names]),
        mirror=skeleton.mirror,
        hips=are("hip"),
        small=small,
        arms=outwards("left_elbow", "right_elbow"),
        legs=outwards("left_knee", "right_knee"),
        beyond=np.array(beyond),
        lower=lower,
        sides=np.array(sides),
    )
