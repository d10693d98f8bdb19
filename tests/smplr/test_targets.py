import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from smpl_tf.camera import Camera
from smpl_tf.model_data import load_model_data
from smpl_tf.rotations import axis_angle_to_matrix, matrix_to_axis_angle, mirror_rotations
from smpl_tf.skeleton import SMPL_24
from smplr import PointBody, targets
from smplr.bones import bone_lengths
from smplr.landmarks import landmark_vertex_ids, template_points
from tests.smplr.people import people, point_body


def identity(count=1):
    return np.tile(np.eye(3, dtype=np.float32), (count, 24, 1, 1))


def test_the_rest_pose_of_the_mean_shape_is_the_template():
    for gender, body in zip((-1.0, 1.0), point_body().bodies, strict=True):
        points = point_body()(rotations=identity(), betas=np.zeros((1, 10)), gender=[gender])
        template = template_points(body)
        np.testing.assert_allclose(points["points"][0], (template - template[0])[1:], atol=1e-6)


def test_the_surface_holds_the_landmarks_and_has_its_root_at_the_origin():
    body = load_model_data(gender="female")
    truth = people(2)
    surface = PointBody([body], surface=True)
    result = surface(rotations=truth["rotations"], betas=truth["betas"])
    alone = PointBody([body])(rotations=truth["rotations"], betas=truth["betas"])
    np.testing.assert_allclose(result["points"], alone["points"], atol=1e-5)
    ids = landmark_vertex_ids(body)
    np.testing.assert_array_equal(
        result["points"][:, 23:], tf.gather(result["vertices"], ids, axis=1)
    )
    turned = axis_angle_to_matrix(np.float32([0.3, 0.2, 0.1]))
    rotations = truth["rotations"].copy()
    rotations[:, 0] = turned @ rotations[:, 0]
    moved = surface(rotations=rotations, betas=truth["betas"])
    np.testing.assert_allclose(
        moved["vertices"], result["vertices"] @ tf.transpose(turned), atol=1e-5
    )


def test_gradients_reach_rotations_and_betas_but_not_a_hard_gender():
    truth = people(2)
    inputs = [tf.constant(truth[name]) for name in ("rotations", "betas", "gender")]
    for mode, reached in (("hard", False), ("blend", True)):
        body = PointBody(point_body().bodies, gender_mode=mode)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            points = body(rotations=inputs[0], betas=inputs[1], gender=0.5 * inputs[2])["points"]
            value = tf.reduce_sum(tf.square(points))
        by_rotations, by_betas, by_gender = tape.gradient(value, inputs)
        assert (np.abs(by_betas) > 0).all()
        # The leaves without a landmark of their own turn nothing but skin.
        assert (np.abs(by_rotations).max(axis=(0, 2, 3)) > 0).all()
        assert (by_gender is not None and bool((np.abs(by_gender) > 0).all())) is reached


def test_gender_picks_or_blends_posed_bodies_never_betas():
    truth = people(3)
    female, male = (
        PointBody([body])(rotations=truth["rotations"], betas=truth["betas"])["points"].numpy()
        for body in point_body().bodies
    )
    gender = np.float32([-0.4, 0.0, 0.4])
    hard = point_body()(rotations=truth["rotations"], betas=truth["betas"], gender=gender)
    np.testing.assert_allclose(hard["points"], [female[0], male[1], male[2]], atol=1e-6)
    blend = PointBody(point_body().bodies, gender_mode="blend")(
        rotations=truth["rotations"], betas=truth["betas"], gender=gender
    )
    share = ((gender + 1) / 2)[:, None, None]
    np.testing.assert_allclose(blend["points"], (1 - share) * female + share * male, atol=1e-6)


def test_mirroring_a_person_twice_changes_nothing_and_bones_little():
    truth = people(4)

    def points(rotations):
        return point_body()(rotations=rotations, betas=truth["betas"], gender=truth["gender"])[
            "points"
        ].numpy()

    mirrored = mirror_rotations(truth["rotations"], SMPL_24.mirror)
    twice = mirror_rotations(mirrored, SMPL_24.mirror)
    np.testing.assert_allclose(points(twice), truth["points"], atol=1e-6)
    joints = SMPL_24.mirror[1:] - 1
    lengths = bone_lengths(truth["points"]).numpy()[:, :23]
    swapped = bone_lengths(points(mirrored)).numpy()[:, joints]
    assert np.abs(swapped - lengths).max() < 0.01


def test_turning_a_person_turns_its_root_alone():
    truth = people(3)
    turn = axis_angle_to_matrix(np.float32([0.4, -0.2, 0.3])).numpy()
    rotations = truth["rotations"].copy()
    rotations[:, 0] = turn @ rotations[:, 0]
    points = point_body()(rotations=rotations, betas=truth["betas"], gender=truth["gender"])
    np.testing.assert_allclose(points["points"], truth["points"] @ turn.T, atol=1e-5)


def examples(count=3):
    truth = people(count)
    known = np.ones(count, np.int64)
    return {
        "smpl/pose": matrix_to_axis_angle(truth["rotations"]).numpy(),
        "smpl/betas": truth["betas"],
        "smpl/neutral_betas": 0.5 * truth["betas"],
        "smpl/gender": (truth["gender"] > 0).astype(np.int64),
        "smpl/valid": known,
        "smpl/betas/valid": known,
        "smpl/neutral_betas/valid": known,
    }


def test_examples_become_what_the_networks_learn_from():
    truth = people(3)
    found = targets.body_targets(examples(), point_body())
    for name in ("points", "rotations", "betas", "gender"):
        np.testing.assert_allclose(found[name], truth[name], atol=1e-4)
    neutral = PointBody([load_model_data()])
    found = targets.body_targets(examples(), neutral)
    np.testing.assert_allclose(found["betas"], 0.5 * truth["betas"])
    expected = neutral(rotations=truth["rotations"], betas=0.5 * truth["betas"])["points"]
    np.testing.assert_allclose(found["points"], expected, atol=1e-4)


def test_what_an_example_does_not_know_is_nan():
    example = examples()
    example["smpl/valid"] = np.array([0, 1, 1])
    example["smpl/gender"][1] = 2
    example["smpl/betas/valid"] = np.array([1, 1, 0])
    found = {
        name: np.isnan(value.numpy()).reshape(3, -1)
        for name, value in targets.body_targets(example, point_body()).items()
    }
    for masks in found.values():
        assert (masks.all(axis=1) == masks.any(axis=1)).all()
    unknown = {name: masks[:, 0].tolist() for name, masks in found.items()}
    assert unknown == {
        "points": [True, True, True],
        "rotations": [True, False, False],
        "betas": [True, True, True],
        "gender": [False, True, False],
    }


def test_the_window_shows_the_cube_around_the_root():
    intrinsics = np.float32([[600, 0, 160], [0, 600, 120], [0, 0, 1]])
    root = np.float32([0.4, -0.3, 6.0])
    left, top, width, height = targets.crop_window(tf.constant(root), intrinsics).numpy()
    assert width == height == pytest.approx(600 * 2.5 / 6)
    centre = Camera(intrinsics, 320, 240).project(root[None])[0].numpy()
    np.testing.assert_allclose([left + width / 2, top + height / 2], centre, rtol=1e-6)
    corners = root + np.float32([[-1.25, -1.25, 0], [1.25, 1.25, 0]])
    np.testing.assert_allclose(
        Camera(intrinsics, 320, 240).project(corners),
        [[left, top], [left + width, top + height]],
        rtol=1e-5,
    )
    window = tf.constant([left, top, width, height])
    np.testing.assert_allclose(targets.window_root(window, intrinsics), root, rtol=1e-5)


def test_point_bodies_are_rebuilt_by_name_and_refuse_what_they_cannot_use():
    body = PointBody(point_body().bodies, num_betas=4, gender_mode="blend")
    config = body.get_config()
    assert "v_template" not in str(config)
    rebuilt = PointBody.from_config(config)
    assert [b.fingerprint for b in rebuilt.bodies] == [b.fingerprint for b in body.bodies]
    assert rebuilt.get_config() == body.get_config()
    with pytest.raises(ValueError, match="expected one body, or a female and a male one, got 3"):
        PointBody([load_model_data()] * 3)
    nameless = dataclasses.replace(load_model_data(), landmarks={"nose": 0})
    with pytest.raises(ValueError, match="lacks the landmarks"):
        PointBody([nameless])
