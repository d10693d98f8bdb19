import gc

import numpy as np
import pytest
import tensorflow as tf

from smpl_tf import SMPL, MixedGenderSMPL
from tests.small_body import small_body

MALE = small_body(60, seed=1, gender="male")
FEMALE = small_body(60, seed=2, gender="female")
FEMALE = type(FEMALE)(**{**vars(FEMALE), "faces": MALE.faces})


def parameters(count):
    rng = np.random.default_rng(0)
    return {"betas": rng.normal(size=(count, 10)), "pose": rng.normal(size=(count, 72))}


def test_each_sample_gets_the_body_of_its_gender():
    gender = np.array([-1.0, -0.1, 0.0, 0.1, 1.0])
    mixed = MixedGenderSMPL(MALE, FEMALE)(gender=gender, **parameters(5))
    male, female = SMPL(MALE)(**parameters(5)), SMPL(FEMALE)(**parameters(5))
    for ours, man, woman in zip(mixed, male, female, strict=True):
        np.testing.assert_array_equal(ours[:2], woman[:2])
        np.testing.assert_array_equal(ours[2:], man[2:])


def test_blend_mixes_the_posed_results_and_has_a_gradient():
    gender = tf.constant([-3.0, -1.0, -0.5, 0.5, 1.0], tf.float64)
    layer = MixedGenderSMPL(MALE, FEMALE, blend=True, dtype="float64")
    with tf.GradientTape() as tape:
        tape.watch(gender)
        mixed = layer(gender=gender, **parameters(5))
        per_body = tf.reduce_sum(mixed.vertices, axis=(1, 2))
    male = SMPL(MALE, dtype="float64")(**parameters(5))
    female = SMPL(FEMALE, dtype="float64")(**parameters(5))
    share = np.array([0.0, 0.0, 0.25, 0.75, 1.0])[:, None, None]
    expected = share * male.vertices + (1.0 - share) * female.vertices
    np.testing.assert_allclose(mixed.vertices, expected, atol=1e-12)
    np.testing.assert_array_equal(mixed.global_rotations, male.global_rotations)
    slope = 0.5 * tf.reduce_sum(male.vertices - female.vertices, axis=(1, 2))
    np.testing.assert_allclose(tape.gradient(per_body, gender)[2:4], slope[2:4], atol=1e-12)


def test_picking_has_no_gradient_in_the_gender():
    gender = tf.constant([0.5])
    with tf.GradientTape() as tape:
        tape.watch(gender)
        vertices = MixedGenderSMPL(MALE, FEMALE)(gender=gender, **parameters(1)).vertices
    assert tape.gradient(vertices, gender) is None


def test_one_person_at_all_ages_of_the_gender_number():
    output = MixedGenderSMPL(MALE, FEMALE)(gender=np.array([-1.0, 1.0]))
    assert output.vertices.shape == (2, 60, 3)
    assert output.global_rotations.shape == (2, 24, 3, 3)


def test_open_bodies_are_the_default():
    layer = MixedGenderSMPL(vertex_ids=[3])
    assert layer.male.model_data.gender == "male" and layer.female.model_data.gender == "female"
    assert layer.faces.shape == (13776, 3) and len(layer.parents) == 24
    assert layer(gender=np.array([1.0])).vertices.shape == (1, 1, 3)


def test_configuration_names_both_bodies():
    layer = MixedGenderSMPL(vertex_ids=[3], blend=True)
    config = layer.get_config()
    assert [config[name]["gender"] for name in ("male", "female")] == ["male", "female"]
    gc.collect()
    again = MixedGenderSMPL.from_config(config)
    assert again.blend and again.male.vertex_ids == (3,)
    gender = np.array([0.2])
    np.testing.assert_array_equal(again(gender=gender).vertices, layer(gender=gender).vertices)


def test_bodies_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="male and female must have the same faces and joints"):
        MixedGenderSMPL(MALE, small_body(50))
