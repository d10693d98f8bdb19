"""fit_points: the inverse of posing, its laws, and its answers to what is missing or wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from smpl_tf import SMPL
from smpl_tf.model_data import load_model_data
from smpl_tf.rotations import axis_angle_to_matrix, geodesic_angle, mirror_rotations
from smpl_tf.skeleton import BLAZEPOSE_33, SMPL_24, SMPLR_42
from smpl_tf.skeleton_points import SKELETONS, find_skeleton, looseness, point_sums
from smplr import SMPLR, DenoisingAutoencoder, point_fitting, traced_fit
from smplr.point_fitting import fit_points
from smplr.probable_fit import fit_body, point_model
from smplr.traced_fit import fit_body_fast
from tests.smplr.people import people, point_body

_ENDS = ("eye", "ear", "mouth_corner", "heel", "big_toe")
CENTRE = np.float32([0.5, -0.3, 3.0])


@pytest.fixture(scope="module")
def smpl():
    return SMPL()


@pytest.fixture(scope="module")
def truth(smpl):
    drawn = people(4)
    body = smpl(betas=drawn["betas"], pose=drawn["rotations"], translation=CENTRE)
    return {**drawn, "vertices": body.vertices.numpy(), "joints": body.joints.numpy()}


def points_of(truth, smpl, skeleton):
    named = smpl.model_data.landmarks
    columns = []
    for parts in point_sums(skeleton, named).values():
        if parts is None:
            columns.append(np.full((len(truth["joints"]), 3), np.nan))
            continue
        columns.append(
            sum(
                factor * truth["joints"][:, SMPL_24.index(name)]
                if name in SMPL_24.names
                else factor * truth["vertices"][:, named[name]]
                for name, factor in parts.items()
            )
        )
    return np.stack(columns, axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def points(truth, smpl):
    return points_of(truth, smpl, SMPLR_42)


@pytest.fixture(scope="module")
def fitted(points):
    return fit_points(points)


def miss_mm(found, true):
    return 1000 * np.linalg.norm(np.asarray(found) - np.asarray(true), axis=-1).mean()


def test_the_parameters_give_the_body_in_the_frame_of_the_points(fitted, truth, smpl, points):
    posed = smpl(betas=fitted.betas, pose=fitted.pose, translation=fitted.translation)
    np.testing.assert_allclose(posed.joints, fitted.joints, atol=1e-4)
    np.testing.assert_allclose(fitted.points[:, :24], fitted.joints, atol=1e-5)
    assert miss_mm(posed.joints, truth["joints"]) < 1
    assert miss_mm(posed.vertices, truth["vertices"]) < 12
    np.testing.assert_allclose(
        fitted.residuals, np.linalg.norm(fitted.points - points, axis=-1), atol=1e-6
    )
    assert fitted.gender.numpy().tolist() == [0] * 4


@pytest.mark.parametrize("name", sorted(SKELETONS))
def test_every_skeleton_finds_the_bodies_whose_points_it_is_given(name, truth, smpl, monkeypatch):
    # One fit of each: graphs would cost more, and two skeletons have theirs in other tests.
    monkeypatch.setattr(point_fitting, "fit_body_fast", fit_body)
    skeleton = SKELETONS[name]
    given_points = points_of(truth, smpl, skeleton)[:2]
    fit = fit_points(given_points, name)
    known = np.isfinite(given_points).all(axis=-1)
    np.testing.assert_array_equal(fit.residuals.numpy()[~known], 0)
    # Loose points give way where a plainer pose is had for it.
    allowed = 0.003 + np.sqrt(3) * looseness(skeleton).mean()
    assert fit.residuals.numpy()[known].mean() < allowed
    assert miss_mm(fit.joints, truth["joints"][:2]) < 30


def test_blazeposes_head_and_feet_are_used(truth, smpl):
    seen = points_of(truth, smpl, BLAZEPOSE_33)[:2]
    known = dict(zip(BLAZEPOSE_33.names, np.isfinite(seen).all(axis=(0, 2)), strict=True))
    ends = ["nose", *(f"{side}_{end}" for side in ("left", "right") for end in _ENDS)]
    assert all(known[name] for name in ends)
    whole = fit_points(seen, "blazepose_33")
    blind = seen.copy()
    blind[:, BLAZEPOSE_33.indices(ends)] = np.nan
    without = fit_points(blind, "blazepose_33")
    for joint in ("head", "left_ankle", "right_ankle"):
        here = SMPL_24.index(joint)
        errors = [
            geodesic_angle(fit.rotations[:, here], truth["rotations"][:2, here]).numpy().mean()
            for fit in (whole, without)
        ]
        assert errors[0] < 0.7 * errors[1], joint


def test_a_skeleton_goes_by_its_short_name():
    assert find_skeleton("H36M").name == "H36M-17"
    assert find_skeleton("OpenPose-25") is SKELETONS["openpose_25"]


@settings(deadline=None, max_examples=2)
@given(
    shift=st.tuples(*[st.floats(-20, 20)] * 3),
    turn=st.tuples(*[st.floats(-3, 3)] * 3),
)
def test_bodies_move_and_turn_with_their_points(points, fitted, shift, turn):
    turn = axis_angle_to_matrix(np.float32(turn)).numpy()
    shift = np.float32(shift)
    moved = fit_points(points @ turn.T + shift)
    np.testing.assert_allclose(moved.joints, fitted.joints @ turn.T + shift, atol=2e-3)
    np.testing.assert_allclose(moved.betas, fitted.betas, atol=0.1)
    root = geodesic_angle(moved.rotations[:, 0], turn @ fitted.rotations[:, 0]).numpy()
    assert np.rad2deg(root).max() < 1


def test_mirrored_points_give_mirrored_bodies(smpl, truth):
    # The body's template is its own mirror image to a millimetre or two.
    mirrored = (truth["joints"] * np.float32([-1, 1, 1]))[:, SMPL_24.mirror]
    one = fit_points(truth["joints"], "smpl_24")
    other = fit_points(mirrored, "smpl_24")
    np.testing.assert_allclose(
        other.joints, (one.joints.numpy() * [-1, 1, 1])[:, SMPL_24.mirror], atol=4e-3
    )
    angles = geodesic_angle(other.rotations, mirror_rotations(one.rotations, SMPL_24.mirror))
    inner = SMPL_24.indices(("pelvis", "left_hip", "left_shoulder", "right_knee"))
    assert np.rad2deg(angles.numpy()[:, inner]).mean() < 5


def test_no_weight_no_flag_and_no_number_mean_the_same(points):
    lost = [SMPLR_42.index(name) for name in ("left_elbow", "right_foot_tip")]
    holes = points.copy()
    holes[:, lost] = np.nan
    flags = np.ones((4, 42), bool)
    flags[:, lost] = False
    fits = [
        fit_points(given_points, method="closed_form", **arguments)
        for given_points, arguments in (
            (holes, {}),
            (points, {"valid": flags}),
            (points, {"weights": flags}),
        )
    ]
    for fit in fits:
        np.testing.assert_array_equal(fit.residuals.numpy()[:, lost], 0)
        np.testing.assert_allclose(fit.joints, fits[0].joints, atol=1e-5)
    assert miss_mm(fits[0].points, points) < 15


def test_what_cannot_be_gets_a_finite_answer(points):
    collapsed = points.copy()
    collapsed[0, SMPLR_42.index("left_wrist")] = collapsed[0, SMPLR_42.index("left_elbow")]
    collapsed[1] = collapsed[1, :1]  # all points in one place
    collapsed[2] = np.nan
    collapsed[3, 1:] = np.inf
    for method in ("closed_form", "optimise"):
        fit = fit_points(collapsed, method=method)
        assert set(fit.method) == {method}
        for name, values in fit._replace(method=0)._asdict().items():
            assert np.isfinite(values).all(), name
        # Nothing seen: the mean body at rest, its pelvis at the origin.
        np.testing.assert_allclose(fit.betas[2], 0, atol=1e-5)
        np.testing.assert_allclose(fit.pose[2], 0, atol=1e-5)
        np.testing.assert_allclose(fit.joints[2, 0], 0, atol=1e-5)
        # One point seen: it stands there.
        np.testing.assert_allclose(fit.joints[3, 0], points[3, 0], atol=1e-4)


def test_leading_dimensions_are_kept_and_methods_are_names(points):
    assert fit_points(points[0], method="closed_form").method == "closed_form"
    pairs = fit_points(points.reshape(2, 2, 42, 3), method="optimise")
    assert pairs.method.tolist() == [["optimise"] * 2] * 2
    assert pairs.pose.shape == (2, 2, 24, 3)


def test_more_noise_is_seen_and_expected(points):
    rng = np.random.default_rng(0)
    draws = rng.normal(size=points.shape).astype(np.float32)
    found = [fit_points(points + size * draws) for size in (0.003, 0.02)]
    assert found[0].noise.numpy().mean() * 2 < found[1].noise.numpy().mean()
    assert (found[0].joint_errors.numpy() < found[1].joint_errors.numpy()).mean() > 0.95


def test_the_nearer_of_two_bodies_is_taken():
    drawn = people(4)
    body = point_body()
    rooted = np.concatenate([np.zeros((4, 1, 3), np.float32), drawn["points"]], axis=1)
    fit = fit_points(rooted, body=body.bodies)
    np.testing.assert_array_equal(fit.gender, drawn["gender"])
    assert miss_mm(fit.points, rooted) < 1


@pytest.fixture(scope="module")
def networks():
    keras.utils.set_random_seed(0)
    return SMPLR(bodies=[load_model_data()], autoencoder=DenoisingAutoencoder())


class TestNetworks:
    def test_they_are_asked_where_the_noise_is_large(self, networks, points):
        rng = np.random.default_rng(0)
        noisy = points.copy()
        noisy[1] += rng.normal(0, 0.1, noisy[1].shape)
        found = fit_points(noisy[:2], networks=networks)
        assert found.method.tolist() == ["optimise", "denoise"]
        # A new autoencoder leaves points as they are.
        alone = fit_points(noisy[:2], method="optimise")
        np.testing.assert_allclose(found.joints, alone.joints, atol=5e-3)

    def test_they_turn_with_the_points(self, networks, points):
        turn = axis_angle_to_matrix(np.float32([0.4, 1.0, -2.0])).numpy()
        one = fit_points(points, method="networks", networks=networks)
        other = fit_points(points @ turn.T, method="networks", networks=networks)
        np.testing.assert_allclose(other.joints, one.joints @ turn.T, atol=5e-3)

    def test_in_camera_axes_they_see_the_points_as_they_are(self, networks, points):
        found = fit_points(points, method="networks", networks=networks, camera_axes=True)
        outputs = networks(points[:, 1:] - points[:, :1], training=False)
        np.testing.assert_allclose(found.betas, outputs["shape"][:, :-1], atol=1e-5)

    @pytest.mark.slow
    def test_those_of_this_very_skeleton_get_its_points_as_they_are(
        self, truth, smpl, monkeypatch
    ):
        keras.utils.set_random_seed(0)
        ours = SMPLR(
            bodies=[load_model_data()],
            autoencoder=DenoisingAutoencoder(skeleton="blazepose_33"),
            upright=True,
        )
        seen = points_of(truth, smpl, BLAZEPOSE_33)
        weights = np.full(seen.shape[:2], 0.5, np.float32)
        arguments = {"weights": weights, "networks": ours, "camera_axes": True}
        found = fit_points(seen, "blazepose_33", method="networks", **arguments)
        outputs = ours({"points": seen, "weights": weights}, training=False)
        np.testing.assert_allclose(found.betas, outputs["shape"][:, :-1], atol=1e-5)
        assert set(found.method) == {"networks"}
        # The body lies where its points are.
        known = np.isfinite(seen).all(axis=-1)
        miss = (found.points.numpy() - seen)[known].reshape(len(seen), -1, 3)
        np.testing.assert_allclose(miss.mean(axis=1), 0, atol=1e-4)
        # Others reach them through the fit; cleaned points are fitted.
        other = fit_points(truth["joints"], "smpl_24", method="networks", networks=ours)
        assert np.isfinite(other.joints).all()
        cleaned = fit_points(seen, "blazepose_33", method="denoise", **arguments)
        assert set(cleaned.method) == {"denoise"}
        assert np.isfinite(cleaned.joints).all()

        clean = points_of(truth, smpl, SMPLR_42)
        clean = clean[:, 1:] - clean[:, :1]
        with monkeypatch.context() as patch:
            patch.setattr(ours, "autoencoder", lambda points, training: clean)
            cleaned = fit_points(seen, "blazepose_33", method="denoise", **arguments)
        relative, true = (
            joints - joints[:, :1] for joints in (cleaned.joints.numpy(), truth["joints"])
        )
        assert miss_mm(relative, true) < 2
        assert miss_mm(cleaned.joints, truth["joints"]) < 40

    def test_other_bodies_than_theirs_are_refused(self, networks, points):
        with pytest.raises(ValueError, match="were trained on .* leave body out"):
            fit_points(points, networks=networks, body=point_body().bodies)


@pytest.mark.parametrize(
    ("scale", "arguments", "message"),
    [
        (1000, {}, "looks like millimetres; divide by 1000.$"),
        (100, {}, "looks like centimetres; divide by 100.$"),
        (0.01, {}, "no unit of length"),
        (1, {"skeleton": "kinect"}, "Unknown skeleton 'kinect'; expected one of smpl_24"),
        (
            1,
            {"skeleton": "lsp_14"},
            r"Expected points \[..., 14, 3\] .* got \[4, 42, 3\]",
        ),
        (1, {"method": "magic"}, "Unknown method 'magic'; expected one of auto"),
        (1, {"method": "networks"}, "needs networks"),
        (1, {"method": "denoise"}, "needs networks with an autoencoder"),
    ],
)
def test_mistakes_are_named(points, scale, arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_points(points * scale, **arguments)


@pytest.mark.slow
@pytest.mark.parametrize("refine", [False, True])
def test_graphs_fit_the_same_bodies_as_eager_code(refine, points):
    models = [point_model(load_model_data(), one) for one in (SMPLR_42, SMPL_24)]
    given = tf.constant(points[:2], tf.float32), tf.ones([2, len(SMPLR_42)])
    eager, traced = (fit(*given, *models, refine) for fit in (fit_body, fit_body_fast))
    for name, bound in (("rotations", 1e-3), ("betas", 2e-2), ("pelvis", 1e-4), ("noise", 1e-4)):
        np.testing.assert_allclose(traced[name], eager[name], atol=bound, err_msg=name)


def test_batches_of_any_size_share_the_graphs_of_a_fit(points):
    stages = traced_fit._traced_stages(
        point_model(load_model_data(), SMPLR_42),
        point_model(load_model_data(), SMPL_24),
        tf.float32,
    )
    fit_points(points[:1])
    graphs = [stage._graph for stage in stages]
    for count in (3, 2, 4):
        fit_points(points[:count])
    assert None not in graphs and [stage._graph for stage in stages] == graphs
