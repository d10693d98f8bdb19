import keras
import numpy as np
import pytest
import tensorflow as tf

from nbf import DeepLab, RefineNet, SegmentationLoss, SmallSegmenter, targets
from nbf.refinenet import refine, residual_unit
from nbf.segmentation import balanced_class_weights
from tests.nbf.people import people

SIZE = 32


def convolution(inputs, outputs, size=3):
    return size**2 * inputs * outputs + outputs


def refine_parameters(channels, classes):
    """What RefineNet's design implies; channels from fine to coarse."""
    total, coarse = 0, None
    for inputs, width in zip(reversed(channels), (512, 256, 256, 256), strict=True):
        unit = 2 * convolution(width, width)
        total += convolution(inputs, width) + 2 * unit  # two residual units
        if coarse is not None:
            total += convolution(width, width) + convolution(coarse, width)  # fusion
        total += 4 * convolution(width, width) + unit  # chained pooling, one unit
        coarse = width
    return total + convolution(coarse, classes)


def test_refinenet_has_the_size_of_its_design():
    channels = (256, 512, 1024, 2048)
    levels = {
        f"c{i + 2}": keras.Input((32 // 2**i, 32 // 2**i, depth), name=f"c{i + 2}")
        for i, depth in enumerate(channels)
    }
    model = keras.Model(levels, refine(levels, 13))
    assert model.output.shape == (None, 32, 32, 13)
    assert model.count_params() == refine_parameters(channels, 13)


@pytest.mark.slow
def test_the_papers_segmenters_have_the_size_of_their_design():
    resnet101, vgg16 = 42_658_176, 14_714_688
    branches = 4 * convolution(2048, 13)
    vgg_branches = 4 * (
        convolution(512, 1024) + convolution(1024, 1024, 1) + convolution(1024, 13, 1)
    )
    for model, expected in (
        (RefineNet(input_size=64), resnet101 + refine_parameters((256, 512, 1024, 2048), 13)),
        (DeepLab(input_size=64), resnet101 + branches),
        (DeepLab(input_size=64, backbone="vgg16"), vgg16 + vgg_branches),
    ):
        assert model.count_params() == expected
        assert model(np.zeros((1, 64, 64, 3))).shape == (1, 64, 64, 13)


def test_a_residual_unit_may_count_its_input_twice_as_released():
    inputs = keras.Input((4, 4, 2))
    single = keras.Model(inputs, residual_unit(inputs, double_skip=False))
    double = keras.Model(inputs, residual_unit(inputs, double_skip=True))
    double.set_weights(single.get_weights())
    features = np.random.default_rng(0).normal(size=(1, 4, 4, 2)).astype(np.float32)
    np.testing.assert_allclose(double(features), single(features) + features, atol=1e-6)


@pytest.fixture(scope="module")
def segmenter():
    keras.utils.set_random_seed(0)
    return SmallSegmenter(input_size=SIZE, width=8)


@pytest.mark.slow
def test_eight_pictures_are_learnt_by_heart(segmenter):
    pictures, true = targets.segmentation_targets(people(), input_size=SIZE)
    steps = 400
    schedule = keras.optimizers.schedules.PolynomialDecay(2e-2, steps, 0.0)
    segmenter.compile(keras.optimizers.Adam(schedule), SegmentationLoss(weight_decay=0.0))
    segmenter.optimizer.build(segmenter.trainable_variables)  # so that the step is traced once
    data = tf.data.Dataset.from_tensors((pictures, true)).repeat()
    history = segmenter.fit(data, steps_per_epoch=steps, shuffle=False, verbose=0).history
    assert list(history) == ["cross_entropy", "iou", "iou_parts", "loss"]
    results = segmenter.evaluate(data.take(1), verbose=0, return_dict=True)
    assert results["cross_entropy"] < 0.02
    assert results["iou_parts"] > 0.95


def test_a_picture_without_labels_does_not_count(segmenter):
    pictures, true = targets.segmentation_targets(people(), input_size=SIZE)
    segmenter.compile(loss=SegmentationLoss(weight_decay=0.0))
    some = {**true, "labels_valid": tf.constant([1.0] * 3 + [0.0] * 5)}
    whole = segmenter.compute_loss(None, some, segmenter(pictures))
    three = {name: value[:3] for name, value in true.items()}
    np.testing.assert_allclose(
        whole, segmenter.compute_loss(None, three, segmenter(pictures[:3])), rtol=1e-4
    )
    none = {**true, "labels_valid": tf.zeros([8])}
    assert segmenter.compute_loss(None, none, segmenter(pictures)) == 0.0


def test_an_empty_picture_has_a_finite_loss(segmenter):
    segmenter.compile(loss=SegmentationLoss())
    true = {"labels": tf.zeros([1, SIZE, SIZE], tf.int32), "labels_valid": tf.ones([1])}
    logits = segmenter(tf.zeros([1, SIZE, SIZE, 3]))
    assert np.isfinite(segmenter.compute_loss(None, true, logits))


@pytest.mark.parametrize(
    "labels",
    [np.zeros((1, 16, 16)), np.full((1, 16, 16), 7), np.full((1, 16, 16), -1)],
    ids=["nobody", "one part only", "unknown"],
)
def test_one_picture_that_lacks_classes_trains(labels):
    model = SmallSegmenter(input_size=16, width=4)
    model.compile(keras.optimizers.SGD(1e-2), SegmentationLoss([1.0] * 13), run_eagerly=True)
    true = {"labels": tf.constant(labels, tf.int32), "labels_valid": tf.ones([1])}
    results = model.train_on_batch(tf.zeros([1, 16, 16, 3]), true, return_dict=True)
    assert all(np.isfinite(value) for value in results.values()), results
    assert all(np.all(np.isfinite(weight)) for weight in model.weights)
    logits = model(tf.zeros([1, 16, 16, 3]))
    assert np.all(np.isfinite(logits))


def test_cross_entropy_is_the_weighted_mean_over_known_pixels():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    labels = rng.integers(-1, 5, (2, 3, 4))
    weights = np.array([0.1, 1.0, 2.0, 0.5, 3.0])
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    for class_weights in (None, weights):
        used = np.ones(5) if class_weights is None else weights
        expected = []
        for i in range(2):
            known = labels[i] >= 0
            each = used[labels[i][known]]
            picked = np.take_along_axis(logs[i][known], labels[i][known][:, None], -1)[:, 0]
            expected.append(-(each * picked).sum() / each.sum())
        losses = SegmentationLoss(class_weights)(tf.constant(labels), tf.constant(logits))
        np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_a_picture_of_unknown_labels_has_no_loss():
    loss = SegmentationLoss()(tf.fill([1, 4, 4], -1), tf.zeros([1, 4, 4, 3]))
    np.testing.assert_array_equal(loss, [0.0])


def test_balanced_weights_raise_small_parts_to_a_mean_of_one():
    counts = np.array([900, 0, 100])
    weights = np.array(balanced_class_weights(counts))
    np.testing.assert_allclose(weights[2] / weights[0], 3.0)
    np.testing.assert_allclose((weights * counts / 1000).sum(), 1.0)
    assert weights[1] == 0.0


def test_a_saved_segmenter_comes_back_the_same(segmenter, tmp_path):
    pictures = tf.random.stateless_uniform([2, SIZE, SIZE, 3], [1, 2], 0, 255)
    segmenter.compile("sgd", SegmentationLoss([1.0] * 13))
    segmenter.optimizer.build(segmenter.trainable_variables)
    segmenter.save(tmp_path / "segmenter.keras")
    loaded = keras.saving.load_model(tmp_path / "segmenter.keras")
    np.testing.assert_allclose(loaded(pictures), segmenter(pictures), atol=1e-5)
    assert loaded.loss.class_weights == [1.0] * 13
    segmenter.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    np.testing.assert_allclose(served.serve(pictures), segmenter(pictures), atol=1e-4)


def test_colours_reach_the_network_centred_and_blue_first(segmenter):
    seen = []
    network = segmenter.network
    segmenter.network = lambda pictures, training: seen.append(pictures) or network(pictures)
    try:
        segmenter(tf.constant([255.0, 116.779, 0.0]) * tf.ones([1, SIZE, SIZE, 3]))
    finally:
        segmenter.network = network
    np.testing.assert_allclose(seen[0][0, 0, 0], [-103.939, 0.0, 255 - 123.68], atol=1e-4)


@pytest.mark.parametrize(
    ("segmenter", "multiple"), [(RefineNet, 32), (DeepLab, 8), (SmallSegmenter, 16)]
)
def test_sizes_that_the_strides_do_not_divide_are_refused(segmenter, multiple):
    with pytest.raises(ValueError, match=f"input_size=100: expected a multiple of {multiple}"):
        segmenter(input_size=100)


def test_misuse_is_answered_in_one_line(segmenter):
    with pytest.raises(ValueError, match=r"expected shape \[B, 32, 32, 3\], got \(1, 64, 64, 3\)"):
        segmenter(tf.zeros([1, 64, 64, 3]))
    segmenter.compile(loss="mse")
    with pytest.raises(ValueError, match=r"expected loss=SegmentationLoss\(...\), got 'mse'"):
        segmenter.compute_loss(None, {}, None)
    with pytest.raises(ValueError, match="^sample_weight: expected None"):
        segmenter.compute_loss(None, {}, None, sample_weight=[1.0])
