import keras
import numpy as np
import pytest
import tensorflow as tf

from smplr import StackedHourglass, losses
from smplr.hourglass import FusedBatchNormalization, VolumeLogits
from smplr.volumes import prior_log_odds, soft_argmax
from tests.smplr.networks import count_trainable, saved_and_loaded
from tests.smplr.people import people


def small(**kwargs):
    defaults = {"image_size": 64, "num_stacks": 1, "width": 8, "bins": 4, "head_dropout": 0.0}
    return StackedHourglass(**{**defaults, **kwargs})


def pictures(count=2):
    return np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def hourglass():
    keras.utils.set_random_seed(0)
    return small(num_stacks=2)


@pytest.mark.slow
def test_it_has_the_released_size():
    hourglass = StackedHourglass()
    assert count_trainable(hourglass) == 16_475_456
    assert hourglass.input.shape == (None, 256, 256, 3)
    assert hourglass.output["volumes"].shape == (None, 5, 64, 64, 16, 45)
    assert hourglass.output["points"].shape == (None, 41, 3)


@pytest.mark.parametrize(("num_points", "num_limbs"), [(41, 0), (23, 4)])
def test_every_variant_of_table_1_has_its_channels(num_points, num_limbs):
    hourglass = small(num_points=num_points, num_limbs=num_limbs)
    assert hourglass.output["volumes"].shape == (None, 1, 16, 16, 4, num_points + num_limbs)
    assert hourglass.output["points"].shape == (None, num_points, 3)


def test_points_are_read_from_the_last_stack(hourglass):
    outputs = hourglass(pictures())
    expected = soft_argmax(outputs["volumes"][:, -1, ..., :41], hourglass.grid)
    np.testing.assert_allclose(outputs["points"], expected, atol=1e-6)
    np.testing.assert_allclose(hourglass.points_model(pictures()), outputs["points"], atol=1e-6)


def test_channels_hold_one_bin_after_the_other():
    maps = np.arange(2 * 3 * 12, dtype=np.float32).reshape(1, 2, 3, 12)
    volumes = VolumeLogits(bins=3)([maps, maps + 100])
    assert volumes.shape == (1, 2, 2, 3, 3, 4)
    for depth in range(3):
        for point in range(4):
            np.testing.assert_array_equal(
                volumes[:, 0, :, :, depth, point], maps[..., 4 * depth + point]
            )
    np.testing.assert_array_equal(volumes[:, 1], volumes[:, 0] + 100)


def test_the_scale_and_brightness_of_a_picture_do_not_matter(hourglass):
    points = hourglass(pictures())["points"]
    np.testing.assert_allclose(hourglass(0.5 * pictures() + 20)["points"], points, atol=1e-4)


def test_a_picture_of_one_colour_gives_finite_points(hourglass):
    assert np.isfinite(hourglass(np.zeros((1, 64, 64, 3), np.float32))["points"]).all()


def test_it_survives_saving(hourglass, tmp_path):
    loaded = saved_and_loaded(hourglass, tmp_path)
    assert loaded.get_config() == hourglass.get_config()
    assert loaded.grid == hourglass.grid
    expected = hourglass(pictures())["points"]
    np.testing.assert_array_equal(loaded(pictures())["points"], expected)


@pytest.mark.slow
def test_it_exports_with_any_batch_size(tmp_path):
    hourglass = small(centred=True, side=2.0)
    assert hourglass.grid.centred
    hourglass.export(tmp_path / "saved_model", verbose=False)
    served = tf.saved_model.load(tmp_path / "saved_model")
    expected = hourglass(pictures(3))["points"]
    np.testing.assert_allclose(served.serve(pictures(3))["points"], expected, atol=1e-5)


def test_volumes_and_points_are_float32_in_half_precision():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        hourglass = small()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    convolution = next(layer for layer in hourglass.layers if "conv2d" in layer.name)
    assert convolution.compute_dtype == "bfloat16"
    outputs = hourglass(pictures())
    assert outputs["volumes"].dtype == outputs["points"].dtype == tf.float32


def test_a_size_that_the_poolings_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="image_size to be a multiple of 64, got 100"):
        StackedHourglass(image_size=100)


def test_volumes_start_at_the_prior_where_it_is_wanted():
    hourglass = small(num_stacks=2, prior_height="density")
    expected = prior_log_odds(hourglass.grid, "density")
    biases = [w.numpy() for w in hourglass.trainable_weights if w.name == "bias"]
    assert [bias.shape for bias in biases] == [(4 * 45,)] * 2
    np.testing.assert_allclose(biases, expected, rtol=1e-6)
    # A channel's mean is the bias and what the kernel makes of features that are 0 or more.
    volumes = hourglass(pictures(), training=True)["volumes"]
    assert abs(np.mean(volumes) - expected) < 0.5
    assert not any(w.name == "bias" for w in small().trainable_weights)


@pytest.mark.slow
def test_a_small_one_learns_pictures_by_heart():
    keras.utils.set_random_seed(0)
    hourglass = small(width=32, bins=8, prior_height="peak")
    truth = people(8)["points"]
    hourglass.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.005, 400)),
        loss={"volumes": losses.VolumeLoss(), "points": losses.MeanAbsoluteError()},
        loss_weights={"volumes": 1.0, "points": 0.1},
        jit_compile=False,
    )
    targets = {"volumes": truth, "points": truth}
    hourglass.fit(pictures(8), targets, batch_size=8, epochs=400, verbose=0)
    points = hourglass(pictures(8))["points"]
    assert np.linalg.norm(points - truth, axis=-1).mean() < 0.010


@pytest.mark.parametrize("scale", [False, True])
def test_fused_batch_normalisation_is_keras_own(scale):
    maps = tf.random.stateless_normal([3, 4, 2, 5], [0, 1]) * 3 + 1
    fused, own = (
        kind(momentum=0.9, epsilon=1e-5, scale=scale)
        for kind in (FusedBatchNormalization, keras.layers.BatchNormalization)
    )
    results = []
    for layer in (fused, own):
        layer.build(maps.shape)
        with tf.GradientTape() as tape:
            tape.watch(maps)
            trained = layer(maps, training=True)
            loss = tf.reduce_sum(trained**3)
        gradients = tape.gradient(loss, [maps, *layer.trainable_variables])
        applied = layer(maps, training=False)
        layer.trainable = False
        frozen = layer(maps, training=True)
        results.append([trained, *gradients, applied, frozen, *layer.variables])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(results[0][-1].shape, [5])
