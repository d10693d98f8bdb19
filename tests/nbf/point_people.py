"""A few people with outlines, as `nbf.point_targets` takes them; drawn once."""

import functools

import numpy as np
import tensorflow as tf

from experiments.nbf.point_people import outline
from nbf.landmarks import landmark_body
from smpl_tf import SMPL, load_model_data
from smpl_tf.skeleton import PHOTOGRAPH_21

COUNT = 6


@functools.lru_cache
def body():
    """The body of PHOTOGRAPH_21."""
    return landmark_body(load_model_data(), PHOTOGRAPH_21)


@functools.lru_cache
def people():
    rng = np.random.default_rng(3)
    smpl = SMPL()
    pose = rng.normal(0.0, 0.3, (COUNT, 24, 3)).astype(np.float32)
    pose[:, 0] = np.array([np.pi, 0, 0]) + 0.2 * pose[:, 0]
    betas = rng.normal(size=(COUNT, 10)).astype(np.float32)
    translation = np.float32([[0.0, 0.1, z] for z in rng.uniform(2.0, 8.0, COUNT)])
    vertices = smpl(betas=betas, pose=pose, translation=translation).vertices.numpy()
    masks, cameras = zip(*(outline(one, smpl.faces) for one in vertices), strict=True)
    return {
        "pose": tf.constant(pose),
        "betas": tf.constant(betas),
        "translation": tf.constant(translation),
        "outline": tf.constant(np.packbits(masks, axis=-1)),
        "outline_camera": tf.constant(np.float32(cameras)),
    }
