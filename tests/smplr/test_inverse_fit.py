import numpy as np
import pytest
import tensorflow as tf

from smpl_tf.kinematics import relative_to_global
from smpl_tf.model_data import load_model_data
from smpl_tf.rotations import geodesic_angle, matrix_to_axis_angle
from smpl_tf.skeleton import SMPL_24
from smplr import PointBody, inverse_fit
from smplr.bones import root_relative
from tests.reference_smpl import pose_body
from tests.smplr.people import people


@pytest.fixture(scope="module")
def body():
    return load_model_data()


@pytest.fixture(scope="module")
def model(body):
    return inverse_fit.PointModel.of(body)


@pytest.fixture(scope="module")
def truth(body):
    drawn = people(8)
    drawn["points"] = PointBody([body])(rotations=drawn["rotations"], betas=drawn["betas"])[
        "points"
    ].numpy()
    return drawn


def error_mm(fit, truth):
    return 1000 * np.linalg.norm(fit.points - truth["points"], axis=-1).mean()


def test_the_point_model_is_smpl(body, model, truth):
    for rotations, betas in zip(truth["rotations"][:2], truth["betas"][:2], strict=True):
        vertices, joints, _ = pose_body(body, betas, rotations)
        landmarks = vertices[inverse_fit.landmark_vertex_ids(body)]
        expected = root_relative(tf.constant(joints), tf.constant(landmarks))
        turned = relative_to_global(tf.constant(rotations), model.parents)
        posed = model.pose(model.rest_points(tf.constant(rotations), betas), turned)
        np.testing.assert_allclose(posed[1:], expected, atol=1e-5)


def test_the_closed_form_recovers_clean_bodies(model, truth):
    fit = inverse_fit.closed_form_fit(truth["points"], model, iterations=8)
    assert error_mm(fit, truth) < 6
    assert np.abs(fit.betas - truth["betas"]).mean() < 0.4
    angles = np.rad2deg(geodesic_angle(fit.rotations, truth["rotations"]).numpy())
    observed = SMPL_24.indices(("pelvis", "left_hip", "right_hip"))
    assert angles[:, observed].mean() < 4
    posed = PointBody([load_model_data()])(rotations=fit.rotations, betas=fit.betas)
    np.testing.assert_allclose(posed["points"], fit.points, atol=1e-4)


def test_a_body_without_twists_is_found_exactly(body, model):
    rotations = np.tile(np.eye(3, dtype=np.float32), (1, 24, 1, 1))
    betas = np.float32([[1.5, -1, 0.5, 0, 1, 0, 0, -1, 0, 0.3]])
    points = PointBody([body])(rotations=rotations, betas=betas)["points"]
    fit = inverse_fit.closed_form_fit(points, model, iterations=12, beta_weight=1e-9)
    np.testing.assert_allclose(fit.points, points, atol=1e-3)
    np.testing.assert_allclose(fit.betas, betas, atol=0.1)


def test_missing_points_cost_little_and_give_no_nan(model, truth):
    points = truth["points"].copy()
    points[:, SMPL_24.index("left_elbow") - 1] = np.nan
    points[:, 30] = np.inf
    fit = inverse_fit.closed_form_fit(points, model)
    assert error_mm(fit, truth) < 20
    masked = np.ones((8, 41), bool)
    masked[:, [SMPL_24.index("left_elbow") - 1, 30]] = False
    told = inverse_fit.closed_form_fit(truth["points"], model, masked)
    np.testing.assert_allclose(told.points, fit.points, atol=1e-5)


def by_gradient(points, model, steps):
    return tf.function(lambda p: inverse_fit.gradient_fit(p, model, steps=steps))(points)


def test_without_any_point_the_mean_body_at_rest_comes_out(model):
    nothing = np.full((2, 41, 3), np.nan, np.float32)
    expected = (model.template - model.template[0])[1:]
    for fit in (inverse_fit.closed_form_fit(nothing, model), by_gradient(nothing, model, 3)):
        np.testing.assert_allclose(fit.points, np.stack([expected] * 2), atol=1e-4)
        np.testing.assert_allclose(fit.betas, 0, atol=1e-5)


def test_a_joint_seen_through_one_bone_does_not_twist_about_it(model, truth):
    fit = inverse_fit.closed_form_fit(truth["points"], model)
    turns = matrix_to_axis_angle(fit.rotations).numpy()
    for joint, child in (("left_knee", "left_ankle"), ("right_elbow", "right_wrist")):
        joint, child = SMPL_24.indices((joint, child))
        bone = model.template[child] - model.template[joint]
        twist = turns[:, joint] @ (bone / np.linalg.norm(bone))
        assert np.abs(turns[:, joint]).max() > 0.3
        assert np.abs(twist).max() < 0.05


def test_gradient_descent_approaches_clean_bodies(model, truth):
    fit = by_gradient(truth["points"], model, 100)
    assert error_mm(fit, truth) < 25
    between = fit.rotations @ tf.linalg.matrix_transpose(fit.rotations)
    np.testing.assert_allclose(between, np.broadcast_to(np.eye(3), between.shape), atol=1e-5)


def test_both_fit_any_leading_dimensions(model, truth):
    points = truth["points"][:6].reshape(2, 3, 41, 3)
    fit = inverse_fit.closed_form_fit(points, model)
    assert fit.rotations.shape == (2, 3, 24, 3, 3)
    assert fit.betas.shape == (2, 3, 10)
    flat = inverse_fit.closed_form_fit(truth["points"][:6], model)
    np.testing.assert_allclose(fit.points.numpy().reshape(6, 41, 3), flat.points, atol=1e-4)
    assert by_gradient(points, model, 2).points.shape == (2, 3, 41, 3)
