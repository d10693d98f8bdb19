import numpy as np
import pytest

from smpl_tf.metrics import JOINT_GROUPS
from smpl_tf.rotations import axis_angle_to_matrix
from smpl_tf.skeleton import SMPL_24
from smplr import metrics
from tests.smplr.people import people

# Table 1, row SHN_aug: errors of the groups in mm, in the order of JOINT_GROUPS.
SHN_AUG = (45.0, 22.3, 41.1, 72.7, 105.7, 14.4, 59.6, 99.8)


def test_the_average_of_table_1_comes_out_of_its_groups():
    truth = people(2)["points"]
    predicted = truth.copy()
    for error, names in zip(SHN_AUG, JOINT_GROUPS.values(), strict=True):
        predicted[:, SMPL_24.indices(names) - 1, 0] += error / 1000
    errors = metrics.summary(metrics.point_errors(truth, predicted))
    for error, name in zip(SHN_AUG, JOINT_GROUPS, strict=True):
        assert errors[f"{name}_mm"] == pytest.approx(error, abs=0.01)
    assert errors["joints_16_mm"] == pytest.approx(57.5, abs=0.1)
    weighted = [e * len(names) for e, names in zip(SHN_AUG, JOINT_GROUPS.values(), strict=True)]
    assert errors["joints_23_mm"] == pytest.approx(sum(weighted) / 23, abs=0.01)


def test_all_joints_average_all_joints():
    truth = people(2)["points"]
    predicted = truth.copy()
    predicted[:, 5] += (0.0, 0.023, 0.0)
    errors = metrics.summary(metrics.point_errors(truth, predicted))
    assert errors["joints_23_mm"] == pytest.approx(1.0, abs=1e-3)
    assert errors["landmarks_mm"] == 0


def test_perfect_points_have_no_error():
    truth = people(3)
    errors = metrics.point_errors(truth["points"], truth["points"])
    for name, values in errors.items():
        assert values.shape == (3,)
        np.testing.assert_allclose(values, 0, atol=1e-3, err_msg=name)


def test_protocol_2_forgives_turning_and_scaling_but_rigid_only_turning():
    truth = people(3)["points"]
    turn = axis_angle_to_matrix(np.float32([0.2, 0.5, -0.3])).numpy()
    errors = metrics.summary(metrics.point_errors(truth, 1.1 * truth @ turn.T))
    assert errors["joints_23_mm"] > 100
    assert errors["pa_joints_mm"] < 0.01
    assert errors["pa_rigid_joints_mm"] > 20


def test_joints_alone_have_no_landmark_error():
    truth = people(2)["points"][:, :23]
    errors = metrics.point_errors(truth, truth + np.float32([0.003, 0, 0.004]))
    assert "landmarks_mm" not in errors
    np.testing.assert_allclose(errors["joints_16_mm"], 5, atol=1e-3)
    # Only the three bones from the root change.
    assert errors["bones_mm"].max() < 5 * 3 / 23


def test_rotations_of_leaves_are_kept_apart():
    true = people(2)["rotations"]
    predicted = true.copy()
    turn = axis_angle_to_matrix(np.float32([0.0, np.pi / 2, 0.0])).numpy()
    head = SMPL_24.index("head")
    predicted[:, head] = predicted[:, head] @ turn
    errors = metrics.rotation_errors(true, predicted)
    np.testing.assert_allclose(errors["rotation_deg"], 0, atol=0.1)
    np.testing.assert_allclose(errors["leaf_rotation_deg"], 90 / 5, atol=0.1)


def test_surface_errors_of_both_protocols():
    rng = np.random.default_rng(0)
    true = rng.normal(size=(2, 50, 3)).astype(np.float32)
    errors = metrics.surface_errors(true, true + np.float32([0, 0.003, 0.004]))
    np.testing.assert_allclose(errors["surface_mm"], 5, rtol=1e-3)
    np.testing.assert_allclose(errors["pa_surface_mm"], 0, atol=1e-2)


def test_gender_counts_where_it_is_known():
    hits = metrics.gender_hits([1.0, -1.0, np.nan, 1.0], [0.0, 0.3, -1.0, 5.0])
    np.testing.assert_array_equal(hits["gender_accuracy"], [1, 0, np.nan, 1])
    assert metrics.summary(hits)["gender_accuracy"] == pytest.approx(2 / 3)
    assert metrics.summary(metrics.gender_hits([np.nan], [1.0])) == {}
