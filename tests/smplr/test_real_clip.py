"""SMPLR on a real clip: joints, landmarks and rotations of an official SMPL body.

The clip is CLOTH3D++'s sequence 00449. It is read in place and skipped where it is absent. The
slow test trains Ω on the open body, to see that bone directions carry over between bodies.
"""

from pathlib import Path

import keras
import numpy as np
import pytest
import scipy.io
import tensorflow as tf

from datasets.synthetic import people as synthetic_people
from smpl_tf.kinematics import relative_to_global
from smpl_tf.rotations import project_to_rotation
from smpl_tf.skeleton import SMPL_24
from smplr import PoseRegressor, losses, metrics
from smplr.bones import bone_directions, length_residuals, points_from_bones
from smplr.landmarks import SMPL_TEMPLATE_LENGTHS
from smplr.motion import MotionConfig, motion_batches
from tests.smplr.people import point_body

CLIP = Path(__file__).parents[3] / "shared/real/smplr/00449/info_body.mat"
pytestmark = pytest.mark.skipif(not CLIP.exists(), reason="the clip is not here")

# The clip's axes are depth, left, up; the camera's are right, down, away.
TO_CAMERA = np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]], np.float32)


@pytest.fixture(scope="module")
def clip():
    arrays = scipy.io.loadmat(CLIP)
    points = np.concatenate([arrays["joints"][:, 1:], arrays["lmarks"]], axis=1)
    rotations = arrays["rotations"].copy()
    rotations[:, 0] = TO_CAMERA @ rotations[:, 0]
    return {"points": points @ TO_CAMERA.T, "rotations": rotations}


def test_points_and_rotations_agree(clip):
    turned = relative_to_global(clip["rotations"], SMPL_24.parents).numpy()
    joints = np.concatenate([np.zeros((300, 1, 3)), clip["points"][:, :23]], axis=1)
    for joint, parent in enumerate(SMPL_24.parents[1:], start=1):
        bones = (joints[:, joint] - joints[:, parent])[:, None] @ turned[:, parent]
        assert bones.std(axis=0).max() < 1e-3


def test_the_person_stands_in_front_of_the_camera(clip):
    assert (clip["points"][:, SMPL_24.index("head") - 1, 1] < -0.3).all()
    assert (clip["points"][:, SMPL_24.index("left_foot") - 1, 1] > 0.4).all()


def test_the_recovered_tree_and_the_released_lengths_fit_a_real_body(clip):
    residuals = length_residuals(clip["points"], SMPL_TEMPLATE_LENGTHS).numpy()
    # Bones of joints are rigid, those of landmarks nearly so.
    assert residuals[:, :23].std(axis=0).max() < 1e-3
    assert residuals[:, 23:].std(axis=0).max() < 0.025
    assert np.abs(residuals.mean(axis=0)).mean() < 0.03
    back = points_from_bones(bone_directions(clip["points"]), residuals, SMPL_TEMPLATE_LENGTHS)
    np.testing.assert_allclose(back, clip["points"], atol=1e-5)


@pytest.mark.slow
def test_omega_trained_on_the_open_body_turns_the_joints_of_a_real_one(clip):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    drawn = [synthetic_people.draw(rng, translation_jitter=0.0) for _ in range(3000)]
    pool = synthetic_people.choose_poses(drawn)[1]
    omega = PoseRegressor()
    omega.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, 1500)),
        losses.MeanAbsoluteError(),
        jit_compile=False,
    )
    batches = motion_batches(pool, point_body(), 256, seed=0, config=MotionConfig())
    pairs = batches.map(lambda b: (bone_directions(b["points"]), b["rotations"])).prefetch(4)
    omega.fit(pairs, steps_per_epoch=1500, shuffle=False, verbose=2)

    true = tf.constant(clip["rotations"])
    found = project_to_rotation(omega(bone_directions(clip["points"])))
    mean = project_to_rotation(tf.reduce_mean(true, axis=0, keepdims=True))
    ours, theirs = (
        metrics.summary(metrics.rotation_errors(true, tf.broadcast_to(one, true.shape)))
        for one in (found, mean)
    )
    print(f"Ω {ours}, mean rotation of the clip {theirs}")
    assert ours["rotation_deg"] < 0.7 * theirs["rotation_deg"]
