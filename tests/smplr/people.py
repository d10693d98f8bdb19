"""A few posed open bodies and their points: what most SMPLR tests feed on."""

import functools

import numpy as np

from smpl_tf.model_data import load_model_data
from smpl_tf.rotations import axis_angle_to_matrix
from smplr import PointBody


@functools.cache
def point_body() -> PointBody:
    """Returns the open female and male bodies as points."""
    return PointBody([load_model_data(gender=gender) for gender in ("female", "male")])


def poses(count: int, seed: int = 0, deviation: float = 0.3) -> np.ndarray:
    """Returns axis-angles of people turned towards a camera, float32 `[count, 24, 3]`."""
    rng = np.random.default_rng(seed)
    pose = rng.normal(0, deviation, (count, 24, 3)).astype(np.float32)
    pose[:, 0] = (np.pi, 0, 0) + 0.3 * pose[:, 0]
    return pose


def people(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Returns `rotations`, `betas`, `gender` and `points` of people of both sexes."""
    rng = np.random.default_rng(seed)
    rotations = axis_angle_to_matrix(poses(count, seed)).numpy()
    betas = np.clip(rng.normal(size=(count, 10)), -2, 2).astype(np.float32)
    gender = np.where(np.arange(count) % 2, 1.0, -1.0).astype(np.float32)
    points = point_body()(rotations=rotations, betas=betas, gender=gender)["points"].numpy()
    return {"rotations": rotations, "betas": betas, "gender": gender, "points": points}
