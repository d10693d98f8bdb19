"""SMPLR on a real clip: joints, landmarks and rotations of an official SMPL body.

The clip is CLOTH3D++'s sequence 00449, read in place and skipped where it is absent. How well
Ω does on it is tested in tests/experiments/smplr/test_clip.py.
"""

from pathlib import Path

import numpy as np
import pytest

from experiments.smplr import clip as smplr_clip
from smpl_tf.kinematics import relative_to_global
from smpl_tf.skeleton import SMPL_24
from smplr.bones import bone_directions, length_residuals, points_from_bones
from smplr.landmarks import SMPL_TEMPLATE_LENGTHS

CLIP = Path(__file__).parents[3] / "shared/real/smplr/00449"
pytestmark = pytest.mark.skipif(not CLIP.exists(), reason="the clip is not here")


@pytest.fixture(scope="module")
def clip():
    return smplr_clip.read_clip(CLIP)


def test_points_and_rotations_agree(clip):
    global_rotations = relative_to_global(clip["rotations"], SMPL_24.parents).numpy()
    joints = np.concatenate([np.zeros((300, 1, 3)), clip["points"][:, :23]], axis=1)
    for joint, parent in enumerate(SMPL_24.parents[1:], start=1):
        bones = (joints[:, joint] - joints[:, parent])[:, None] @ global_rotations[:, parent]
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
