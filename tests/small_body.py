"""A small random body in SMPL's format, for tests that need any body but no real one."""

import numpy as np

from smpl_tf.model_data import SMPLModelData
from smpl_tf.skeleton import SMPL_24


def small_body(
    num_vertices: int = 200, num_betas: int = 10, seed: int = 0, gender: str = "neutral"
) -> SMPLModelData:
    """Makes a body of human size with SMPL's 24 joints; vertices lie about their joints.

    Args:
      num_vertices: at least 24.
      num_betas: shape components.
      seed: same seed, same body.
      gender: what the data says of itself.

    Returns:
      A body whose template, blend shapes and regressor are random but well scaled: joints lie
      inside the cloud of their vertices, each vertex follows at most four joints.
    """
    rng = np.random.default_rng(seed)
    parents = np.array(SMPL_24.parents, np.int32)
    num_joints = len(parents)
    joints = np.zeros((num_joints, 3))
    for joint in range(1, num_joints):
        joints[joint] = joints[parents[joint]] + rng.normal(0.0, 0.15, 3)
    owner = np.arange(num_vertices) % num_joints
    v_template = joints[owner] + rng.normal(0.0, 0.05, (num_vertices, 3))

    weights = np.zeros((num_vertices, num_joints))
    rows = np.arange(num_vertices)
    weights[rows, owner] = 1.0
    for _ in range(3):
        weights[rows, rng.integers(0, num_joints, num_vertices)] += rng.uniform(
            0.0, 0.4, num_vertices
        )
    weights /= weights.sum(axis=1, keepdims=True)

    regressor = (owner == np.arange(num_joints)[:, None]).astype(np.float64)
    regressor /= regressor.sum(axis=1, keepdims=True)
    return SMPLModelData(
        v_template=v_template,
        shapedirs=rng.normal(0.0, 0.01, (num_vertices, 3, num_betas)),
        posedirs=rng.normal(0.0, 0.003, (num_vertices, 3, 9 * (num_joints - 1))),
        weights=weights,
        J_regressor=regressor,
        parents=parents,
        faces=rng.permuted(
            np.tile(np.arange(num_vertices, dtype=np.int32), (2 * num_vertices, 1)), axis=1
        )[:, :3].copy(),
        gender=gender,
        name=f"small_body_{num_vertices}_{seed}",
    )
