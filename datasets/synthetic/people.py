"""Random people: sex, shape and pose, and the posed body in front of the camera."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from datasets.bodies import OPEN_BODY, Bodies
from datasets.synthetic import activities, poses
from smpl_tf import SMPL
from smpl_tf.kinematics import forward_kinematics
from smpl_tf.model_data import SMPLModelData
from smpl_tf.nbf_scale import NBF_TRANSLATION
from smpl_tf.rotations import axis_angle_to_matrix, matrix_to_axis_angle, mirror_axis_angle
from smpl_tf.skeleton import SMPL_24, SMPLR_LANDMARKS

GENDERS = ("female", "male")
OPEN_BODIES = Bodies(neutral=OPEN_BODY, female=OPEN_BODY, male=OPEN_BODY)
_MAX_BETA = 2.5  # standard deviations
_YAW_DEGREES = 57  # mostly towards the camera; all directions occur
_CANDIDATES = 3  # poses drawn per person; the first without self-intersection is taken
_TOUCHING = 0.03  # metres by which two limbs may intersect

# Standard deviation of each angle around its activity's, degrees.
_DEVIATIONS = {
    name.replace("hip_flexion", "thigh"): min(max(0.06 * (high - low), 3), 9)
    for name, (low, high) in poses.LIMITS.items()
}

# Limbs as capsules: from joint, to joint, radius in metres for an average person.
_CAPSULES = (
    ("spine1", "spine3", 0.13),
    ("neck", "head", 0.09),
    ("left_elbow", "left_hand", 0.045),
    ("right_elbow", "right_hand", 0.045),
    ("left_shoulder", "left_elbow", 0.05),
    ("right_shoulder", "right_elbow", 0.05),
    ("left_hip", "left_knee", 0.075),
    ("right_hip", "right_knee", 0.075),
    ("left_knee", "left_ankle", 0.055),
    ("right_knee", "right_ankle", 0.055),
)
_MAY_MEET = (  # neighbouring pairs, and pairs that intersect only if a third pair does
    *((0, 1), (0, 4), (0, 5), (0, 6), (0, 7), (1, 4), (1, 5), (2, 4), (3, 5), (6, 8), (7, 9)),
    *((0, 8), (0, 9), (1, 6), (1, 7), (1, 8), (1, 9), (4, 6), (5, 7), (6, 7), (4, 5)),
)


class Person(NamedTuple):
    """The random choices for one person, as NumPy arrays."""

    gender: str  # gender of the body
    betas: np.ndarray  # [10] in the space of this gender's body
    # Joint angles in degrees, see poses.LIMITS; or rotations of captured motion, [_CANDIDATES, 24,
    # 3, 3].
    candidates: dict[str, np.ndarray] | np.ndarray
    root: np.ndarray  # [_CANDIDATES, 3, 3] pelvis in the camera frame
    translation: np.ndarray  # [3] metres, camera frame
    doing: tuple[str, ...]  # of each candidate


class Posed(NamedTuple):
    """Posed people, batched over N; float32, metres, camera frame."""

    chosen: np.ndarray  # [N] index of the candidate pose
    pose: np.ndarray  # [N, 24, 3] axis-angle
    neutral_betas: np.ndarray | None  # [N, 10]; None without a neutral body
    vertices: np.ndarray  # [N, V, 3]
    joints: np.ndarray  # [N, 24, 3]
    landmarks: np.ndarray | None  # [N, 18, 3]; None if a body does not name them

    def person(self, row: int) -> Posed:
        """Returns one person, without the leading axis."""
        known = {name: field[row] for name, field in self._asdict().items() if field is not None}
        return self._replace(**known)


def genders_of(bodies: Bodies) -> tuple[str, ...]:
    """Returns the possible genders of people: those with a body.

    Args:
      bodies: people are neutral if neither a female nor a male body is given.
    """
    own = tuple(gender for gender in GENDERS if getattr(bodies, gender) is not None)
    return own or ("neutral",)


def draw(
    rng: np.random.Generator,
    translation_jitter: float,
    genders: Sequence[str] = GENDERS,
    captured: np.ndarray | None = None,
) -> Person:
    """Draws a random person.

    Args:
      rng: random generator.
      translation_jitter: standard deviation of the translation's x and y around NBF's, metres;
        clipped at two of them.
      genders: to choose from.
      captured: `[M, 24, 3]` axis-angles of motion, the root's in camera axes, to draw poses from
        instead of activities; the heading is replaced.

    Returns:
      The person, with several candidate poses.
    """
    gender = genders[int(rng.integers(len(genders)))]
    betas = np.clip(rng.normal(size=10), -_MAX_BETA, _MAX_BETA)
    translation = np.array(NBF_TRANSLATION)
    translation[:2] += translation_jitter * np.clip(rng.normal(size=2), -2, 2)
    lens_pitch, yaw = rng.normal(0, 6), rng.normal(0, _YAW_DEGREES)
    body = (gender, betas.astype(np.float32), translation.astype(np.float32))
    if captured is not None:
        return _captured(rng, captured, body, lens_pitch, yaw)
    candidates, roots, names = [], [], []
    for _ in range(_CANDIDATES):
        doing, arms, angles = activities.sample(rng)
        angles = _personal(rng, angles)
        candidates.append(poses.limited(angles))
        upright = poses.turn("z", angles["roll"]) @ poses.turn("x", angles["lean"])
        # Half a turn about x converts SMPL's y up and z front to the camera's y down and z away.
        roots.append(poses.turn("x", 180 + lens_pitch) @ poses.turn("y", yaw) @ upright)
        names.append(f"{doing}/{arms}")
    return Person(
        gender=gender,
        betas=betas.astype(np.float32),
        candidates={name: np.array([one[name] for one in candidates]) for name in poses.LIMITS},
        root=np.stack(roots),
        translation=translation.astype(np.float32),
        doing=tuple(names),
    )


def choose_poses(
    people: Sequence[Person], bodies: Bodies = OPEN_BODIES
) -> tuple[np.ndarray, np.ndarray]:
    """Chooses each person's first candidate pose without self-intersection.

    Args:
      people: N persons.
      bodies: of the people.

    Returns:
      `[N]` index of the candidate, the best one if all intersect; and `[N, 24, 3]`
      axis-angles, parent-relative, the root's in the camera frame, radians.
    """
    of_activities = [one.candidates for one in people if isinstance(one.candidates, dict)]
    if of_activities:
        angles = {
            name: np.concatenate([one[name] for one in of_activities]) for name in poses.LIMITS
        }
        relative = poses.joint_rotations(angles)
    else:
        relative = np.concatenate([np.asarray(one.candidates) for one in people])
    relative[:, 0] = np.concatenate([person.root for person in people])
    data = bodies.data("neutral" if bodies.neutral is not None else genders_of(bodies)[0])
    rest = tf.constant(data.J_regressor @ data.v_template, tf.float32)
    joints = _candidate_joints(tf.constant(relative, tf.float32), rest).numpy()
    depth = self_intersection(joints).reshape(len(people), _CANDIDATES)
    chosen = np.where((depth < _TOUCHING).any(1), (depth < _TOUCHING).argmax(1), depth.argmin(1))
    relative = relative.reshape(len(people), _CANDIDATES, 24, 3, 3)[np.arange(len(people)), chosen]
    return chosen, matrix_to_axis_angle(tf.constant(relative, tf.float32)).numpy()


def pose_bodies(people: Sequence[Person], bodies: Bodies = OPEN_BODIES) -> Posed:
    """Chooses a pose for each person and computes the bodies.

    Args:
      people: N persons.
      bodies: of the people.

    Returns:
      Bodies of the N.
    """
    chosen, pose = choose_poses(people, bodies)
    betas = np.stack([person.betas for person in people])
    translation = np.stack([person.translation for person in people])
    own = {gender: bodies.data(gender) for gender in genders_of(bodies)}
    num_vertices = max(data.num_vertices for data in own.values())
    vertices = np.empty((len(people), num_vertices, 3), np.float32)
    joints = np.empty((len(people), 24, 3), np.float32)
    neutral_betas = np.empty((len(people), 10), np.float32) if bodies.neutral else None
    named = all(data.landmarks.keys() >= set(SMPLR_LANDMARKS) for data in own.values())
    landmarks = np.empty((len(people), len(SMPLR_LANDMARKS), 3), np.float32) if named else None
    for gender, data in own.items():
        rows = np.flatnonzero([person.gender == gender for person in people])
        if not len(rows):
            continue
        vertices[rows], joints[rows] = _smpl(data)(betas[rows], pose[rows], translation[rows])
        if landmarks is not None:
            landmarks[rows] = vertices[rows][:, data.landmark_ids(SMPLR_LANDMARKS)]
        if neutral_betas is not None:
            neutral_betas[rows] = bodies.neutral_betas(betas[rows], gender)
    return Posed(chosen, pose, neutral_betas, vertices, joints, landmarks)


def self_intersection(joints: np.ndarray) -> np.ndarray:
    """Measures how deeply limbs, torso and head intersect, as capsules.

    Args:
      joints: [N, 24, 3] metres.

    Returns:
      [N] metres of the worst pair; 0 or less if nothing touches.
    """
    starts = joints[:, SMPL_24.indices([start for start, _, _ in _CAPSULES])]
    ends = joints[:, SMPL_24.indices([end for _, end, _ in _CAPSULES])]
    radii = np.array([radius for _, _, radius in _CAPSULES])
    pairs = [
        (i, j)
        for i in range(len(_CAPSULES))
        for j in range(i + 1, len(_CAPSULES))
        if (i, j) not in _MAY_MEET
    ]
    first, second = np.array(pairs).T
    distance = _segment_distance(
        starts[:, first], ends[:, first], starts[:, second], ends[:, second]
    )
    return (radii[first] + radii[second] - distance).max(axis=1)


def _captured(
    rng: np.random.Generator,
    captured: np.ndarray,
    body: tuple[str, np.ndarray, np.ndarray],
    lens_pitch: float,
    yaw: float,
) -> Person:
    """Draws a person in captured poses, half of them mirrored, with a new heading."""
    drawn = np.float64(captured[rng.integers(len(captured), size=_CANDIDATES)])
    mirrored = rng.random(_CANDIDATES) < 0.5
    drawn[mirrored] = mirror_axis_angle(drawn[mirrored], SMPL_24.mirror).numpy()
    relative = axis_angle_to_matrix(drawn).numpy()
    forward = relative[:, 0] @ [0, 0, 1]  # camera axes: to the viewer is -z
    heading = np.degrees(np.arctan2(-forward[:, 0], -forward[:, 2]))
    gender, betas, translation = body
    return Person(
        gender=gender,
        betas=betas,
        candidates=relative,
        root=poses.turn("x", lens_pitch) @ poses.turn("y", -yaw - heading) @ relative[:, 0],
        translation=translation,
        doing=("captured",) * _CANDIDATES,
    )


def _personal(rng: np.random.Generator, angles: poses.Angles) -> poses.Angles:
    """Mirrors half of the poses and adds individual variation, in degrees."""
    angles = poses.mirrored(angles) if rng.random() < 0.5 else dict(angles)
    # The spread has heavy tails: few people follow an activity exactly, some deviate a lot.
    spread = rng.choice([0.6, 1.0, 1.8], p=[0.4, 0.45, 0.15])
    for name, deviation in zip(
        _DEVIATIONS, spread * rng.normal(size=len(_DEVIATIONS)), strict=True
    ):
        angles[name] = angles.get(name, 0) + _DEVIATIONS[name] * deviation
    angles["neck_twist"] += 18 * rng.normal()
    for name in ("lean", "roll"):
        angles[name] = angles.get(name, 0) + 3 * rng.normal()
    return angles


@functools.lru_cache
def _smpl(data: SMPLModelData) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    layer = SMPL(data)

    @tf.function(reduce_retracing=True)
    def run(betas, pose, translation):
        body = layer(betas=betas, pose=pose, translation=translation)
        return body.vertices, body.joints

    return run


@tf.function(reduce_retracing=True)
def _candidate_joints(relative, rest):
    rest = tf.broadcast_to(rest, [tf.shape(relative)[0], *rest.shape])
    return forward_kinematics(relative, rest, tuple(SMPL_24.parents))[1]


def _segment_distance(p0, p1, q0, q1):
    """Returns the distance of segments [..., 3], by alternating exact projections."""
    d, e = p1 - p0, q1 - q0
    dd, ee = (np.maximum((v * v).sum(-1), 1e-12) for v in (d, e))
    s = np.full(d.shape[:-1], 0.5)
    for _ in range(6):
        t = np.clip(((p0 + s[..., None] * d - q0) * e).sum(-1) / ee, 0, 1)
        s = np.clip(((q0 + t[..., None] * e - p0) * d).sum(-1) / dd, 0, 1)
    return np.linalg.norm(p0 + s[..., None] * d - q0 - t[..., None] * e, axis=-1)
