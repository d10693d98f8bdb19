import keras
import numpy as np
import pytest
import tensorflow as tf

from smpl_tf import metrics
from smpl_tf.model_data import load_model_data
from smpl_tf.rotations import axis_angle_to_matrix
from smplr import (
    SMPLR,
    DenoisingAutoencoder,
    PoseRegressor,
    ShapeRegressor,
    StackedHourglass,
    losses,
)
from smplr.bones import bone_directions, length_residuals
from smplr.landmarks import template_lengths
from tests.smplr.networks import saved_and_loaded
from tests.smplr.people import people, point_body

SHAPES = {
    "points": (41, 3),
    "denoised": (41, 3),
    "rotations": (24, 3, 3),
    "shape": (11,),
    "joints": (23, 3),
    "landmarks": (18, 3),
}


@pytest.fixture(scope="module")
def model():
    return SMPLR(autoencoder=DenoisingAutoencoder())


def targets(count=4):
    truth = people(count)
    points = truth["points"]
    shape = np.concatenate([truth["betas"], truth["gender"][:, None]], axis=-1)
    named = {"rotations": truth["rotations"], "shape": shape, "denoised": points}
    return points, {**named, "joints": points[:, :23], "landmarks": points[:, 23:]}


def test_points_become_bodies(model):
    outputs = model(people(3)["points"])
    assert {name: value.shape[1:] for name, value in outputs.items()} == SHAPES


def test_parts_see_what_the_paper_says(model):
    points = people(3)["points"]
    outputs = model(points)
    denoised = model.autoencoder(points)
    np.testing.assert_allclose(outputs["denoised"], denoised, atol=1e-6)
    omega = model.pose_regressor(bone_directions(denoised))
    np.testing.assert_allclose(outputs["rotations"], omega, atol=1e-5)
    lengths = template_lengths(load_model_data(gender="female"))
    psi = model.shape_regressor(length_residuals(denoised, lengths))
    np.testing.assert_allclose(outputs["shape"], psi, atol=1e-5)


def test_truth_in_place_of_a_network_gives_the_true_body(model):
    points, truth = targets(3)
    given = {"points": points, "rotations": truth["rotations"], "shape": truth["shape"]}
    outputs = model(given)
    np.testing.assert_allclose(outputs["joints"], truth["joints"], atol=1e-5)
    np.testing.assert_allclose(outputs["landmarks"], truth["landmarks"], atol=1e-5)


@pytest.mark.parametrize("with_autoencoder", [True, False])
def test_nothing_is_nan_whatever_is_missing(with_autoencoder, model):
    if not with_autoencoder:
        model = SMPLR(model.pose_regressor, model.shape_regressor)
    points = people(5)["points"].copy()
    points[0] = np.nan
    points[1, 7] = np.inf
    points[2] = 0
    points[3, 4] = points[3, 1]
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        outputs = model({"points": points, "valid": np.arange(41) != 12})
        value = tf.add_n([tf.reduce_sum(outputs[name]) for name in ("joints", "shape")])
    for name, value_ in outputs.items():
        assert np.isfinite(value_).all(), name
    gradients = tape.gradient(value, variables)
    assert all(np.isfinite(g).all() for g in gradients if g is not None)


def test_a_missing_point_without_an_autoencoder_has_unobserved_bones(model):
    model = SMPLR(model.pose_regressor, model.shape_regressor)
    points = people(2)["points"].copy()
    told = model({"points": points, "valid": np.arange(41) != 7})
    points[:, 7] = np.nan
    np.testing.assert_array_equal(model(points)["joints"], told["joints"])
    expected = model.pose_regressor(bone_directions(points))
    np.testing.assert_allclose(told["rotations"], expected, atol=1e-6)


def test_matrices_are_made_rotations_only_if_asked(model):
    points = people(2)["points"]
    raw = model(points)["rotations"]
    projected = SMPLR(
        model.pose_regressor, model.shape_regressor, model.autoencoder, project_rotations=True
    )(points)["rotations"]

    def deviation(matrices):
        return np.abs(matrices @ tf.linalg.matrix_transpose(matrices) - np.eye(3)).max()

    assert deviation(raw) > 0.1
    assert deviation(projected) < 1e-5


def test_frozen_parts_keep_their_statistics_and_pass_gradients():
    model = SMPLR(autoencoder=DenoisingAutoencoder())
    model.autoencoder.trainable = False
    model.shape_regressor.trainable = False
    points = tf.constant(people(4)["points"])
    before = [w.numpy() for w in model.autoencoder.weights + model.shape_regressor.weights]
    moving = [w.numpy() for w in model.pose_regressor.non_trainable_weights]
    with tf.GradientTape() as tape:
        tape.watch(points)
        first = model(points, training=True)
        value = tf.reduce_sum(first["denoised"])
    assert np.abs(tape.gradient(value, points)).max() > 0
    again = model(points, training=True)
    np.testing.assert_array_equal(first["denoised"], again["denoised"])
    np.testing.assert_array_equal(first["shape"], again["shape"])
    after = model.autoencoder.weights + model.shape_regressor.weights
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    moved = model.pose_regressor.non_trainable_weights
    assert any(np.any(a != b.numpy()) for a, b in zip(moving, moved, strict=True))


def test_it_learns_with_keras_fit():
    keras.utils.set_random_seed(0)
    model = SMPLR()
    points, truth = targets(8)
    error = losses.MeanAbsoluteError()
    model.compile(
        keras.optimizers.Adam(1e-3),
        loss={
            "rotations": error,
            "shape": losses.ShapeLoss(),
            "joints": error,
            "landmarks": error,
        },
        metrics={"joints": [metrics.MPJPE()]},
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)  # so that the step is traced once
    truth.pop("denoised")
    history = model.fit(points, truth, epochs=15, batch_size=8, verbose=0).history
    assert history["joints_mpjpe_mm"][-1] < history["joints_mpjpe_mm"][0]
    assert history["joints_loss"][-1] < 0.6 * history["joints_loss"][0]
    assert history["rotations_loss"][-1] < 0.7 * history["rotations_loss"][0]


def test_it_survives_saving_and_names_its_bodies(model, tmp_path):
    points = people(2)["points"]
    loaded = saved_and_loaded(model, tmp_path)
    outputs = model(points)
    for name, value in loaded(points).items():
        np.testing.assert_array_equal(value, outputs[name], err_msg=name)
    assert loaded.template_lengths == model.template_lengths
    fingerprints = [body.fingerprint for body in point_body().bodies]
    assert [body.fingerprint for body in loaded.body.bodies] == fingerprints


@pytest.mark.slow
def test_it_exports_with_any_batch_size(model, tmp_path):
    signature = [tf.TensorSpec([None, 41, 3], tf.float32)]
    model.export(tmp_path / "saved_model", verbose=False, input_signature=signature)
    served = tf.saved_model.load(tmp_path / "saved_model")
    for count in (1, 3):
        points = people(count)["points"]
        np.testing.assert_allclose(
            served.serve(points)["joints"], model(points)["joints"], atol=1e-5
        )


def test_a_picture_goes_through_every_part(model):
    hourglass = StackedHourglass(image_size=64, num_stacks=1, width=8, bins=8)
    whole = SMPLR(model.pose_regressor, model.shape_regressor, model.autoencoder, hourglass)
    for part in (whole.pose_regressor, whole.shape_regressor, whole.autoencoder):
        part.trainable = False
    picture = np.random.default_rng(0).uniform(size=(2, 64, 64, 3)).astype(np.float32)
    with tf.GradientTape() as tape:
        outputs = whole(picture, training=True)
        value = tf.reduce_sum(tf.abs(outputs["joints"]))
    assert outputs["volumes"].shape == (2, 1, 16, 16, 8, 45)
    assert outputs["points"].shape == (2, 41, 3)
    gradients = tape.gradient(value, hourglass.trainable_weights)
    # Limb channels have no part in the points.
    assert sum(g is not None and bool(np.abs(g).max() > 0) for g in gradients) > 20
    assert whole.trainable_weights == hourglass.trainable_weights
    for part in (whole.pose_regressor, whole.shape_regressor, whole.autoencoder):
        part.trainable = True


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="pose_regressor 23, shape_regressor 41; build them"):
        SMPLR(PoseRegressor(num_points=23), ShapeRegressor())


def test_joints_alone_are_enough():
    model = SMPLR(PoseRegressor(23), ShapeRegressor(23), DenoisingAutoencoder(23))
    outputs = model(people(2)["points"][:, :23])
    assert outputs["landmarks"].shape == (2, 18, 3)
    assert len(model.template_lengths) == 23


def test_upright_networks_turn_with_the_points():
    keras.utils.set_random_seed(0)
    upright = SMPLR(upright=True)
    points = people(4)["points"]
    turn = axis_angle_to_matrix(np.float32([0.7, -2.0, 1.1])).numpy()
    one, other = upright(points), upright(points @ turn.T)
    np.testing.assert_allclose(other["rotations"][:, 1:], one["rotations"][:, 1:], atol=0.02)
    np.testing.assert_allclose(other["rotations"][:, 0], turn @ one["rotations"][:, 0], atol=0.02)
    as_is = SMPLR(upright.pose_regressor, upright.shape_regressor)(points)
    assert np.abs(as_is["rotations"] - one["rotations"]).max() > 1e-3
