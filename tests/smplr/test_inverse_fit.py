"""The closed form, Gauss-Newton and gradient descent on the points of known bodies."""

import numpy as np
import pytest
import tensorflow as tf

from smpl_tf.kinematics import relative_to_global
from smpl_tf.model_data import load_model_data
from smpl_tf.rotations import geodesic_angle, matrix_to_axis_angle
from smpl_tf.skeleton import SMPL_24, SMPLR_42
from smplr.gradient_fit import gradient_fit
from smplr.inverse_fit import closed_form_fit
from smplr.landmarks import landmark_vertex_ids
from smplr.least_squares_fit import fit_statistics, least_squares_fit
from smplr.point_model import PointModel
from tests.reference_smpl import pose_body
from tests.smplr.people import people


@pytest.fixture(scope="module")
def body():
    return load_model_data()


@pytest.fixture(scope="module")
def model(body):
    return PointModel.of(body)


@pytest.fixture(scope="module")
def truth(body, model):
    drawn = people(8)
    global_rotations = relative_to_global(tf.constant(drawn["rotations"]), model.parents)
    rest = model.rest_sources(tf.constant(drawn["rotations"]), tf.constant(drawn["betas"]))
    drawn["points"] = model.pose(rest, global_rotations).points.numpy() + np.float32(
        [0.3, -0.2, 4.0]
    )
    return drawn


@pytest.fixture(scope="module")
def start(model, truth):
    return closed_form_fit(truth["points"], model)


def error_mm(fit, truth):
    return 1000 * np.linalg.norm(fit.points - truth["points"], axis=-1).mean()


def test_the_point_model_is_smpl(body, model, truth):
    for one in range(2):
        rotations, betas = truth["rotations"][one], truth["betas"][one]
        vertices, joints, _ = pose_body(body, betas, rotations)
        expected = np.concatenate([joints, vertices[landmark_vertex_ids(body)]])
        found = truth["points"][one]
        np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-5)


def test_the_derivatives_are_those_of_the_points(model, truth):
    rotations = tf.constant(truth["rotations"][:1], tf.float64)
    betas = tf.constant(truth["betas"][:1], tf.float64)
    global_rotations = relative_to_global(rotations, model.parents)
    rest = model.rest_sources(rotations, betas)
    step = 1e-6
    by_betas = model.shape_jacobian(global_rotations).numpy()
    by_turns = model.turn_jacobian(model.pose(rest, global_rotations)).numpy()
    points = model.pose(rest, global_rotations).points.numpy()
    for beta in (0, 7):
        moved = model.rest_sources(rotations, betas + step * np.eye(10)[[beta]])
        change = (model.pose(moved, global_rotations).points.numpy() - points) / step
        np.testing.assert_allclose(by_betas[..., beta], change, atol=1e-6)
    for joint in SMPL_24.indices(("pelvis", "left_hip", "neck", "right_wrist")):
        turn = np.cross([[0, 0, step]], np.eye(3)).T + np.eye(3)
        # All that hangs on the joint turns with it; the rest pose keeps its blend shapes.
        beyond = model.descent[:, joint][:, None, None] > 0
        further = np.where(beyond, turn @ global_rotations.numpy(), global_rotations.numpy())
        change = (model.pose(rest, tf.constant(further)).points.numpy() - points) / step
        np.testing.assert_allclose(by_turns[..., joint, 2], change, atol=1e-5)


def test_the_closed_form_recovers_clean_bodies(start, truth):
    assert error_mm(start, truth) < 4
    assert np.abs(start.betas - truth["betas"]).mean() < 0.4
    angles = np.rad2deg(geodesic_angle(start.rotations, truth["rotations"]).numpy())
    observed = SMPL_24.indices(("pelvis", "left_hip", "right_hip"))
    assert angles[:, observed].mean() < 4


def test_gauss_newton_is_the_inverse_of_posing(model, start, truth):
    fit = least_squares_fit(truth["points"], model, start)
    assert error_mm(fit, truth) < 0.1
    np.testing.assert_allclose(fit.betas, truth["betas"], atol=0.05)
    between = fit.rotations @ tf.linalg.matrix_transpose(fit.rotations)
    np.testing.assert_allclose(between, np.broadcast_to(np.eye(3), between.shape), atol=1e-5)


def test_gauss_newton_in_float64_goes_on_to_the_last_digit(model, truth):
    points = tf.constant(truth["points"][:2], tf.float64)
    fit = least_squares_fit(
        points, model, closed_form_fit(points, model), steps=15, pose_weight=0.0, beta_weight=0.0
    )
    assert fit.betas.dtype == tf.float64
    assert error_mm(fit, {"points": points}) < 1e-3


def test_one_wild_point_does_less_harm_where_distances_count(model, start, truth):
    wild = truth["points"].copy()
    elbow = SMPLR_42.index("left_elbow")
    wild[:, elbow] += 0.3
    harm = []
    for outlier_distance in (None, 0.05):
        fit = least_squares_fit(wild, model, start, outlier_distance=outlier_distance)
        misses = np.linalg.norm(fit.points - truth["points"], axis=-1)
        harm.append(misses[:, SMPLR_42.index("left_wrist")].mean())
    assert harm[1] < 0.7 * harm[0]


def test_a_step_that_does_not_help_is_taken_back(model, truth):
    points = truth["points"]
    costs = []
    fit = closed_form_fit(points, model, iterations=1)
    for _ in range(5):
        fit = least_squares_fit(points, model, fit, steps=1, pose_weight=0.0, beta_weight=0.0)
        costs.append(np.square(fit.points - points).sum(axis=(1, 2)))
    assert (np.diff(costs, axis=0) <= 1e-6).all()


def test_missing_points_cost_little_and_give_no_nan(model, truth):
    points = truth["points"].copy()
    missing = [SMPLR_42.index("left_elbow"), 31]
    points[:, missing[0]] = np.nan
    points[:, missing[1]] = np.inf
    fit = closed_form_fit(points, model)
    assert error_mm(fit, truth) < 20
    weights = np.ones(42)
    weights[missing] = 0
    told = closed_form_fit(truth["points"], model, weights)
    np.testing.assert_allclose(told.points, fit.points, atol=1e-5)
    refined = least_squares_fit(points, model, fit)
    assert np.isfinite(refined.rotations).all()
    given = np.delete(np.arange(42), missing)
    misses = np.linalg.norm(refined.points - truth["points"], axis=-1)
    assert misses[:, given].mean() < 3e-4


def test_without_any_point_the_mean_body_at_rest_comes_out(model):
    nothing = np.full((2, 42, 3), np.nan, np.float32)
    expected = np.zeros((42, 3))
    np.add.at(expected, model.target, model.factors @ (model.template - model.template[0]))
    start = closed_form_fit(nothing, model)
    fits = (start, least_squares_fit(nothing, model, start), gradient_fit(nothing, model, steps=1))
    for fit in fits:
        np.testing.assert_allclose(fit.points, np.stack([expected] * 2), atol=1e-4)
        np.testing.assert_allclose(fit.betas, 0, atol=1e-5)


def test_a_joint_seen_through_one_bone_does_not_twist_about_it(model, start):
    turns = matrix_to_axis_angle(start.rotations).numpy()
    for joint, child in (("left_knee", "left_ankle"), ("right_elbow", "right_wrist")):
        joint, child = SMPL_24.indices((joint, child))
        bone = model.template[child] - model.template[joint]
        twist = turns[:, joint] @ (bone / np.linalg.norm(bone))
        assert np.abs(turns[:, joint]).max() > 0.3
        assert np.abs(twist).max() < 0.05


def test_the_noise_is_read_from_the_residuals(body, model, truth):
    rng = np.random.default_rng(0)
    points = np.repeat(truth["points"], 4, axis=0)
    noisy = points + rng.normal(0, 0.01, points.shape).astype(np.float32)
    pulls = {"pose_weight": 1e-4, "beta_weight": 1e-4}
    fit = least_squares_fit(noisy, model, closed_form_fit(noisy, model), **pulls)
    joint_model = PointModel.of(body, SMPL_24)
    found = fit_statistics(noisy, model, joint_model, fit, **pulls)
    assert 0.008 < found.noise.numpy().mean() < 0.012
    errors = np.linalg.norm(fit.points[:, :24] - points[:, :24], axis=-1)
    assert 0.7 < errors.mean() / found.joint_errors.numpy().mean() < 1.4


def test_gradient_descent_approaches_clean_bodies(model, truth):
    fit = tf.function(lambda points: gradient_fit(points, model, steps=60))(truth["points"])
    assert error_mm(fit, truth) < 25
    between = fit.rotations @ tf.linalg.matrix_transpose(fit.rotations)
    np.testing.assert_allclose(between, np.broadcast_to(np.eye(3), between.shape), atol=1e-5)


def test_gradient_descent_begins_where_it_is_told(model, start, truth):
    fit = gradient_fit(truth["points"], model, start=start, steps=1, learning_rate=0.0)
    np.testing.assert_allclose(fit.points, start.points, atol=1e-5)


def test_both_fit_any_leading_dimensions(model, start, truth):
    points = truth["points"][:6].reshape(2, 3, 42, 3)
    fit = closed_form_fit(points, model)
    assert fit.rotations.shape == (2, 3, 24, 3, 3)
    assert fit.betas.shape == (2, 3, 10)
    flat = fit.points.numpy().reshape(6, 42, 3)
    np.testing.assert_allclose(flat, start.points[:6], atol=1e-4)
    fit = least_squares_fit(points, model, fit, steps=1)
    assert fit.pelvis.shape == (2, 3, 3)
    assert gradient_fit(points, model, steps=2).points.shape == (2, 3, 42, 3)
    with pytest.raises(ValueError, match=r"Expected points \[..., 42, 3\] for SMPLR-42"):
        closed_form_fit(points[..., :41, :], model)
