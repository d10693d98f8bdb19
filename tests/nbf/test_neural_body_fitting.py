import keras
import numpy as np
import pytest
import tensorflow as tf

from nbf import FittingLoss, FittingNetwork, NeuralBodyFitting, SmallSegmenter, targets
from nbf.input_maps import part_map, resize_nearest
from smpl_tf.parts import PARTS_12
from tests.nbf.people import people

SIZE = 32


def whole(soft=False, channels=3):
    keras.utils.set_random_seed(0)
    segmenter = SmallSegmenter(input_size=SIZE, width=8)
    fitting = FittingNetwork("small", input_size=16, input_channels=channels, head="flatten")
    return NeuralBodyFitting(segmenter, fitting, soft=soft)


@pytest.fixture(scope="module")
def model():
    return whole()


def sharp_logits():
    """What a segmenter that is always right would say."""
    _, true = targets.segmentation_targets(people(), input_size=SIZE)
    return 50.0 * tf.one_hot(true["labels"], 13)


def test_right_parts_give_the_map_that_the_second_stage_was_trained_with(model):
    expected = part_map(resize_nearest(people()["parts"], SIZE), PARTS_12, 16)
    np.testing.assert_allclose(model.input_map(sharp_logits()), expected, atol=1e-5)


def test_soft_maps_agree_with_hard_ones_where_the_segmenter_is_sure():
    shown = whole(soft=True).input_map(sharp_logits()).numpy()
    hard = part_map(resize_nearest(people()["parts"], SIZE), PARTS_12, 16).numpy()
    labels = targets.segmentation_targets(people(), input_size=SIZE)[1]["labels"].numpy()
    inside = np.ones((8, 16, 16), bool)
    for shift in ((0, 1), (1, 0), (1, 1)):  # away from edges, which the soft map blurs
        moved = np.roll(labels, shift, (1, 2))
        edges = tf.image.resize(((labels != moved) * 1.0)[..., None], [16, 16], antialias=True)
        inside &= edges[..., 0].numpy() == 0
    assert inside.mean() > 0.5
    np.testing.assert_allclose(shown[inside], hard[inside], atol=1e-3)


def test_probabilities_reach_a_second_stage_with_a_channel_per_class():
    shown = whole(channels=13).input_map(sharp_logits()).numpy()
    np.testing.assert_allclose(((shown + 1) / 2).sum(-1), 1.0, atol=1e-4)


def test_gradients_reach_the_segmenter_through_soft_maps_only():
    pictures = tf.random.stateless_uniform([1, SIZE, SIZE, 3], [1, 2], 0, 255)
    for soft in (False, True):
        model = whole(soft)
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(model(pictures)["joints_3d"])
        weights = model.segmenter.trainable_variables
        gradients = tape.gradient(value, weights)
        assert any(g is not None and np.any(g) for g in gradients) == soft


def test_pictures_go_in_and_bodies_come_out(model):
    inputs, _ = targets.picture_targets(people(), input_size=SIZE)
    outputs = model(inputs)
    camera = {name: inputs[name] for name in ("translation", "intrinsics")}
    fitted = model.fitting({**camera, "input_map": outputs["input_map"]})
    for name, value in fitted.items():
        np.testing.assert_allclose(outputs[name], value, atol=1e-5, err_msg=name)
    assert outputs["logits"].shape == (8, SIZE, SIZE, 13)


def test_a_picture_with_nobody_in_it_gives_a_body_all_the_same(model):
    for picture in (tf.zeros([1, SIZE, SIZE, 3]), tf.fill([1, SIZE, SIZE, 3], 255.0)):
        empty = model(picture)
        assert all(np.all(np.isfinite(value)) for value in empty.values())
        global_rotations = empty["global_rotations"].numpy()
        unit = np.broadcast_to(np.eye(3), global_rotations.shape)
        np.testing.assert_allclose(
            global_rotations @ np.swapaxes(global_rotations, -1, -2), unit, atol=1e-4
        )
        np.testing.assert_allclose(np.linalg.det(global_rotations), 1.0, atol=1e-4)


def test_a_picture_without_a_part_in_it_shows_background_only(model):
    background = tf.one_hot(tf.zeros([2, SIZE, SIZE], tf.int32), 13)
    np.testing.assert_array_equal(model.input_map(background), -np.ones((2, 16, 16, 3)))


def test_the_whole_trains_end_to_end():
    model = whole(soft=True)
    model.compile(keras.optimizers.Adam(1e-3), FittingLoss(), run_eagerly=True)
    inputs, true = targets.picture_targets(people(), input_size=SIZE)
    before = [weight.numpy() for weight in model.segmenter.trainable_variables]
    results = model.train_on_batch(inputs, true, return_dict=True)
    assert np.isfinite(results["loss"]) and "err_joints3d_mm" in results
    after = model.segmenter.trainable_variables
    assert any(np.any(a != b) for a, b in zip(before, after, strict=True))


@pytest.mark.slow
def test_a_saved_whole_comes_back_the_same(model, tmp_path):
    path = tmp_path / "whole.keras"
    model.save(path)
    pictures = tf.random.stateless_uniform([2, SIZE, SIZE, 3], [1, 2], 0, 255)
    expected = model(pictures)["joints_3d"]
    loaded = keras.saving.load_model(path)
    np.testing.assert_allclose(loaded(pictures)["joints_3d"], expected, atol=1e-5)
    model.save_weights(tmp_path / "whole.weights.h5")
    other = NeuralBodyFitting(
        SmallSegmenter(input_size=SIZE, width=8),
        FittingNetwork("small", input_size=16, head="flatten", gender="male"),
    )
    with pytest.raises(ValueError, match="weights.h5: made with the body .*, not with") as e:
        other.load_weights(tmp_path / "whole.weights.h5")
    assert "\n" not in str(e.value)


def test_stages_for_different_parts_are_refused():
    segmenter = SmallSegmenter(num_parts=6, input_size=SIZE, width=8)
    fitting = FittingNetwork("small", input_size=16, input_channels=13)
    with pytest.raises(ValueError, match=r"takes 13 channels; the segmenter gives 3 .* or 7"):
        NeuralBodyFitting(segmenter, fitting)
