"""Training people of the points-and-mask network: any pose, shape and camera, cached in files.

A person is generated once, with the outline, which takes most of the time; training rotates,
mirrors and corrupts people (`nbf.point_targets`) in every batch.
"""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from experiments.runs.pose_pool import sampled_poses
from nbf.point_targets import OUTLINE_SIZE
from smpl_tf import SMPL, SMPLModelData
from smpl_tf.camera import Camera
from smpl_tf.files import written_aside
from smpl_tf.rasterizer import rasterize
from smpl_tf.rotations import matrix_to_axis_angle
from smplr import PointBody
from smplr.motion import MotionConfig, motion_batch

_FOLDER = Path("data/point_people")
_POSES = 20000  # between which limbs are exchanged
FILE_SIZE = 20000
_CHUNK = 250
_NEAREST, _FARTHEST = 1.5, 25.0  # metres, of the middle of the person
_OUTLINE_MARGIN = 1.08  # side of the outline's square over the person's larger side

_VARIED = MotionConfig(exchange_rate=0.3, beta_deviation=1.3, max_beta=3.0)
_MILD = dataclasses.replace(_VARIED, pose_deviation=0.08, pitch_deviation=0.35)
# The sampler has no sports and falls: these variations have strong rotations of every joint, and
# views from far above and below. They are used in turn.
_STRONG = dataclasses.replace(_VARIED, pose_deviation=0.35, pitch_deviation=0.35)
_TIPPED = dataclasses.replace(_VARIED, pose_deviation=0.2, pitch_deviation=1.0)
_VARIATIONS = (_MILD, _STRONG, _MILD, _TIPPED, _MILD, _STRONG, _MILD, _MILD)
_STREAMS = {"train": 0, "test": 1}


class PointPeople(NamedTuple):
    """People and their outlines; N of them.

    Attributes:
      pose: `[N, 24, 3]` axis-angles, parent-relative, the root's in camera axes.
      betas: `[N, 10]`.
      translation: `[N, 3]` metres, camera frame; the middle of the body is on the camera's axis.
      outline: `[N, 64, 8]` uint8, packed bits of the mask `[64, 64]`.
      outline_camera: `[N, 3]` focal length and principal point of that mask, pixels.
    """

    pose: np.ndarray
    betas: np.ndarray
    translation: np.ndarray
    outline: np.ndarray
    outline_camera: np.ndarray


def load_people(
    split: str, count: int, body: SMPLModelData, workers: int | None = None
) -> PointPeople:
    """Generates the people of a split, or reads them if they exist.

    Args:
      split: "train" or "test"; they have separate random streams.
      count: number of people; stored in files of FILE_SIZE, or in one smaller file.
      body: of all of them.
      workers: processes that sample poses.

    Returns:
      The people.
    """
    files = []
    size = min(FILE_SIZE, -(-count // _CHUNK) * _CHUNK)
    for number in range(-(-count // size)):
        path = _FOLDER / f"{split}_{body.fingerprint}_{size}_{number:03}.npz"
        if not path.exists():
            people = draw_people(split, number, size, body, workers)
            with written_aside(path) as aside:
                np.savez(aside, **people._asdict())
        with np.load(path) as arrays:
            files.append(PointPeople(**arrays))
    return PointPeople(*(np.concatenate(arrays)[:count] for arrays in zip(*files, strict=True)))


def draw_people(
    split: str, number: int, size: int, body: SMPLModelData, workers: int | None = None
) -> PointPeople:
    """Generates the `size` people of one file; see `load_people`."""
    poses = tf.constant(_base_poses(split, workers))
    smpl, points = SMPL(body), PointBody([body])
    chunks = []
    label = f"people ({split}, {number})"
    with ThreadPoolExecutor(2) as pool, tqdm(total=size, desc=label) as bar:
        for chunk in range(size // _CHUNK):
            seed = tf.constant([_STREAMS[split], number * FILE_SIZE + chunk])
            variation = _VARIATIONS[chunk % len(_VARIATIONS)]
            chunks.append(_draw(seed, variation, poses, smpl, points, pool))
            bar.update(_CHUNK)
    return PointPeople(*(np.concatenate(arrays) for arrays in zip(*chunks, strict=True)))


def _base_poses(split, workers):
    path = _FOLDER / f"{split}_poses.npy"
    if not path.exists():
        poses = sampled_poses(_POSES, split, workers)
        with written_aside(path) as aside:
            np.save(aside, poses)
    return np.load(path)


def _draw(seed, variation, poses, smpl, points, pool) -> PointPeople:
    seeds = tf.unstack(tf.random.split(seed, 2))
    drawn = motion_batch(poses, points, _CHUNK, seeds[0], variation)
    vertices = smpl(betas=drawn["betas"], pose=drawn["rotations"]).vertices.numpy()
    distance = np.exp(
        tf.random.stateless_uniform(
            [_CHUNK], seeds[1], np.log(_NEAREST), np.log(_FARTHEST)
        ).numpy()
    )
    middle = (vertices.min(1) + vertices.max(1)) / 2
    translation = np.stack([0 * distance, 0 * distance, distance], -1) - middle
    outlines = pool.map(outline, vertices + translation[:, None], [smpl.faces] * _CHUNK)
    masks, cameras = zip(*outlines, strict=True)
    return PointPeople(
        matrix_to_axis_angle(drawn["rotations"]).numpy(),
        drawn["betas"].numpy(),
        translation.astype(np.float32),
        np.packbits(masks, axis=-1),
        np.array(cameras, np.float32),
    )


def outline(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Draws a body's outline so that it fills its square.

    Args:
      vertices: `[V, 3]` metres, camera frame.
      faces: `[F, 3]`.

    Returns:
      The mask `[64, 64]` bool, and focal length and principal point of its camera, pixels.
    """
    places = vertices[:, :2] / vertices[:, 2:]
    low, high = places.min(0), places.max(0)
    focal = OUTLINE_SIZE / (_OUTLINE_MARGIN * (high - low).max())
    x, y = OUTLINE_SIZE / 2 - focal * (low + high) / 2
    intrinsics = np.array([[focal, 0, x], [0, focal, y], [0, 0, 1]])
    camera = Camera(intrinsics, OUTLINE_SIZE, OUTLINE_SIZE)
    return rasterize(vertices, faces, camera).mask, (focal, x, y)
