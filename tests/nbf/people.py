"""A batch of decoded Examples of eight people, drawn once; what most NBF tests feed on."""

import functools

import numpy as np

from smpl_tf import SMPL
from smpl_tf.nbf_scale import NBF_TRANSLATION, nbf_camera
from smpl_tf.parts import face_labels
from smpl_tf.rasterizer import label_map, rasterize

SIZE = 48


@functools.lru_cache
def _people():
    rng = np.random.default_rng(0)
    count = 8
    smpl = SMPL()
    pose = rng.normal(0.0, 0.25, (count, 24, 3)).astype(np.float32)
    # Turned to the camera: y down.
    pose[:, 0] = np.array([np.pi, 0, 0]) + 0.2 * pose[:, 0]
    betas = rng.normal(0.0, 1.0, (count, 10)).astype(np.float32)
    translation = np.array(NBF_TRANSLATION) + rng.normal(0.0, 0.05, (count, 3))
    translation = translation.astype(np.float32)
    body = smpl(betas=betas, pose=pose, translation=translation)
    camera = nbf_camera(SIZE)
    raster = rasterize(body.vertices, smpl.model_data.faces, camera)
    parts = label_map(raster, face_labels(smpl.model_data))
    known = np.ones(count, np.int64)
    return {
        "id": np.array([f"person/{i}".encode() for i in range(count)]),
        "image": (parts[..., None] * np.array([10, 7, 3])).astype(np.uint8),
        "image/height": known * SIZE,
        "image/width": known * SIZE,
        "parts": parts,
        "parts/valid": known,
        "smpl/pose": pose,
        "smpl/neutral_betas": betas,
        "smpl/neutral_betas/valid": known,
        "smpl/translation": translation,
        "smpl/valid": known,
        "joints/3d": body.joints.numpy(),
        "joints/3d/valid": np.ones((count, 24), np.int64),
        "joints/2d": camera.project(body.joints).numpy(),
        "joints/2d/valid": np.ones((count, 24), np.int64),
        "camera/intrinsics": np.tile(camera.intrinsics, (count, 1, 1)),
        "camera/valid": known,
    }


def people(**changes):
    """The batch, with some features replaced."""
    return {**_people(), **changes}


def person(index=0, **changes):
    """One of them, without a batch dimension."""
    return {**{key: value[index] for key, value in _people().items()}, **changes}
