"""Laws of the turn that stands people upright."""

import numpy as np
import pytest

from smpl_tf.rotations import axis_angle_to_matrix
from smpl_tf.skeleton import SMPL_24, SMPLR_42
from smplr.torso_frame import torso_rotation
from tests.smplr.people import people

NAMES = SMPLR_42.names[1:]
TURN = axis_angle_to_matrix(np.float32([0.7, -2.0, 1.1])).numpy()


def test_a_turned_person_is_turned_back():
    points = people(8)["points"]
    one = torso_rotation(points, NAMES).numpy()
    other = torso_rotation(points @ TURN.T + [3, 0, 1], NAMES).numpy()
    np.testing.assert_allclose(other @ TURN, one, atol=0.02)
    np.testing.assert_allclose(np.linalg.det(one), 1, atol=1e-5)


def test_an_upright_person_who_faces_the_camera_hardly_turns():
    points = people(8)["points"] @ TURN.T
    upright = np.einsum("nab,npb->npa", torso_rotation(points, NAMES), points)
    neck, hips, shoulders = (
        upright[:, [NAMES.index(name) for name in names]]
        for names in (
            ["neck"],
            ["left_hip", "right_hip"],
            ["left_shoulder", "right_shoulder"],
        )
    )
    assert (neck[:, 0, 1] < -0.3).all()  # y is down
    assert (hips[:, 0, 0] > hips[:, 1, 0]).all()
    assert (shoulders[:, 0, 0] > shoulders[:, 1, 0] + 0.2).all()


def test_what_is_not_seen_does_not_count():
    points = people(4)["points"]
    weights = np.ones(points.shape[:2], np.float32)
    hidden = [NAMES.index(name) for name in ("left_hip", "right_hip")]
    weights[:, hidden] = 0
    moved = points.copy()
    moved[:, hidden] = np.nan
    np.testing.assert_array_equal(
        torso_rotation(points, NAMES, weights), torso_rotation(moved, NAMES, weights)
    )
    nothing = torso_rotation(points, NAMES, np.zeros_like(weights))
    np.testing.assert_allclose(nothing, np.tile(np.eye(3), (4, 1, 1)), atol=1e-6)


def test_points_without_a_torso_are_refused():
    with pytest.raises(ValueError, match="Expected points of the torso"):
        torso_rotation(np.zeros((1, 2, 3), np.float32), SMPL_24.names[20:22])
