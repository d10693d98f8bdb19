import numpy as np
import pytest
import scipy.io

from experiments.runs.common import REPOSITORY, UserError
from experiments.runs.run_folder import RunFolder
from experiments.runs.shipped_runs import PRETRAINED
from experiments.smplr import clip as smplr_clip
from experiments.smplr import motion, networks
from smpl_tf.kinematics import relative_to_global
from smpl_tf.skeleton import SMPL_24
from smplr import SMPLR
from smplr.landmarks import carrying_joints
from tests.smplr.people import people, point_body

CLIP = REPOSITORY.parent / "shared" / "real" / "smplr" / "00449"
# Rows: the file's axes, depth, left and up, in those of the camera.
TO_FILE = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], np.float32)


@pytest.fixture
def clip(tmp_path):
    """A sequence as the authors store it, of people of ours."""
    truth = people(5)
    joints = np.concatenate([np.zeros((5, 1, 3)), truth["points"][:, :23]], axis=1)
    rotations = truth["rotations"].copy()
    rotations[:, 0] = TO_FILE @ rotations[:, 0]
    arrays = {
        "joints": (joints + (0.1, 0.2, 3.0)) @ TO_FILE.T,
        "lmarks": (truth["points"][:, 23:] + (0.1, 0.2, 3.0)) @ TO_FILE.T,
        "rotations": rotations,
    }
    scipy.io.savemat(tmp_path / "info_body.mat", arrays)
    return tmp_path


def test_a_sequence_is_brought_to_the_camera(clip):
    truth, found = people(5), smplr_clip.read_clip(clip)
    np.testing.assert_allclose(found["points"], truth["points"], atol=1e-5)
    np.testing.assert_allclose(found["rotations"], truth["rotations"], atol=1e-6)


def test_omega_is_measured_beside_constant_answers(clip):
    model, truth = SMPLR(), people(5)["rotations"]
    rest = np.broadcast_to(np.eye(3, dtype=np.float32), (24, 3, 3))
    last = model.pose_regressor.layers[-3]
    kernel, bias = last.get_weights()
    last.set_weights([np.zeros_like(kernel), 0.9 * rest.ravel()])
    found = smplr_clip.measure(model, clip, np.zeros((3, 24, 3), np.float32))
    # Ω says "at rest" to everything.
    cosines = (np.trace(truth, axis1=-2, axis2=-1) - 1) / 2
    angles = np.rad2deg(np.arccos(np.clip(cosines, -1, 1)))
    leaves = [10, 11, 15, 22, 23]
    expected = np.delete(angles, leaves, axis=1).mean(), angles[:, leaves].mean()
    assert list(found["Ω"].values()) == pytest.approx(expected, rel=1e-3)
    assert list(found["mean rotation of the known motion"].values()) == pytest.approx(
        expected, rel=1e-3
    )
    # A constant up to a constant is the mean.
    mean = list(found["mean rotation of the sequence"].values())
    assert list(found["Ω, up to the rest pose"].values()) == pytest.approx(mean, rel=1e-3)
    assert mean[0] < expected[0]
    assert "up to the rest pose" in str(smplr_clip.table(found))


@pytest.mark.skipif(not CLIP.exists(), reason="the sequence is not here")
def test_the_shipped_omega_turns_the_joints_of_a_real_body():
    model, _ = networks.load_model(RunFolder(PRETRAINED / "smplr_pose_any_body"))
    poses = motion.sampled_poses(100, "test", workers=0)
    found = {
        name: errors["rotation_deg"]
        for name, errors in smplr_clip.measure(model, CLIP, poses).items()
    }
    assert found["Ω"] < 0.75 * found["mean rotation of the known motion"]
    assert found["Ω, up to the rest pose"] < 0.75 * found["mean rotation of the sequence"]


def test_the_closed_form_turns_a_body_whose_bones_it_knows():
    rotations = people(5)["rotations"]
    points = point_body()(rotations=rotations, betas=np.ones((5, 10)), gender=np.ones(5))
    joints = points["points"][:, :23].numpy()
    found = smplr_clip.turned_to(joints, smplr_clip.arms_at_rest(joints, rotations))
    # The pelvis and the upper spine carry three joints that do not lie on one line.
    for joint in (SMPL_24.index("pelvis"), SMPL_24.index("spine3")):
        of_world = [relative_to_global(r, SMPL_24.parents)[:, joint] for r in (found, rotations)]
        np.testing.assert_allclose(*of_world, atol=5e-3)
    # The others bring their child to its place, whatever their twist.
    moved = relative_to_global(found, SMPL_24.parents).numpy()
    carriers = carrying_joints(23)
    arms = smplr_clip.arms_at_rest(joints, rotations)
    reached = np.einsum("tpab,pb->tpa", moved[:, carriers], arms)
    places = np.concatenate([np.zeros((5, 1, 3)), joints], axis=1)
    np.testing.assert_allclose(reached + places[:, carriers], joints, atol=2e-3)


def test_what_is_no_sequence_is_told(clip):
    with pytest.raises(UserError, match="info_body.mat: not found; give the folder of one seq"):
        smplr_clip.read_clip(clip / "nowhere")
    arrays = scipy.io.loadmat(clip / "info_body.mat")
    scipy.io.savemat(clip / "info_body.mat", {"joints": arrays["joints"][:, :20]})
    with pytest.raises(UserError, match=r"expected 'joints' of shape \[T, 24, 3\], got \(5, 20"):
        smplr_clip.read_clip(clip)
    (clip / "info_body.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    with pytest.raises(UserError, match="info_body.mat: cannot be read as a .mat file"):
        smplr_clip.read_clip(clip)
