import numpy as np
import pytest
import scipy.io

from experiments import smplr_clip
from experiments.common import UserError
from smpl_tf.rotations import axis_angle_to_matrix
from smplr import SMPLR
from tests.smplr.people import people

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


def test_omega_is_measured_beside_the_mean_rotation(clip):
    model, truth = SMPLR(), people(5)["rotations"]
    constant = axis_angle_to_matrix(np.zeros((24, 3), np.float32)).numpy()
    last = model.pose_regressor.layers[-3]
    kernel, bias = last.get_weights()
    last.set_weights([np.zeros_like(kernel), 0.9 * constant.ravel()])
    found = smplr_clip.measure(model, clip)
    # Ω says "at rest" to everything.
    cosines = (np.trace(truth, axis1=-2, axis2=-1) - 1) / 2
    angles = np.rad2deg(np.arccos(np.clip(cosines, -1, 1)))
    leaves = [10, 11, 15, 22, 23]
    assert found["Ω"]["leaf_rotation_deg"] == pytest.approx(angles[:, leaves].mean(), rel=1e-3)
    inner = np.delete(angles, leaves, axis=1).mean()
    assert found["Ω"]["rotation_deg"] == pytest.approx(inner, rel=1e-3)
    assert 0 < found["mean rotation"]["rotation_deg"] < inner
    assert "mean rotation" in str(smplr_clip.table(found))


def test_what_is_no_sequence_is_told(clip):
    with pytest.raises(UserError, match="info_body.mat: not found; give the folder of one seq"):
        smplr_clip.read_clip(clip / "nowhere")
    arrays = scipy.io.loadmat(clip / "info_body.mat")
    scipy.io.savemat(clip / "info_body.mat", {"joints": arrays["joints"][:, :20]})
    with pytest.raises(UserError, match=r"expected 'joints' of shape \[T, 24, 3\], got \(5, 20"):
        smplr_clip.read_clip(clip)
