import numpy as np
import pytest

from nbf.backbones import build_backbone, dilated_backbone, small_resnet


def kernel(size, inputs, outputs):
    return size**2 * inputs * outputs


def small_resnet_parameters(width, blocks):
    def normalised(size, inputs, outputs):
        return kernel(size, inputs, outputs) + 4 * outputs

    total, inputs = normalised(5, 3, width), width
    for i, count in enumerate(blocks):
        outputs = width * 2**i
        for _ in range(count):
            total += normalised(3, inputs, outputs) + normalised(3, outputs, outputs)
            total += normalised(1, inputs, outputs) if inputs != outputs else 0
            inputs = outputs
    return total


def test_the_small_encoder_has_the_size_and_levels_of_its_design():
    encoder = build_backbone("small", (64, 64, 3))
    assert encoder.count_params() == small_resnet_parameters(16, (1, 2, 2, 1))
    levels = {level: tuple(tensor.shape) for level, tensor in encoder.output.items()}
    assert levels == {
        "c2": (None, 32, 32, 16),
        "c3": (None, 16, 16, 32),
        "c4": (None, 8, 8, 64),
        "c5": (None, 4, 4, 128),
    }


@pytest.mark.parametrize(
    ("name", "parameters", "channels"),
    [
        # keras.applications' own totals without top.
        ("resnet50", 23_587_712, (256, 512, 1024, 2048)),
        ("vgg16", 14_714_688, (128, 256, 512, 512)),
    ],
)
def test_applications_have_their_levels_at_a_quarter_and_on(name, parameters, channels):
    encoder = build_backbone(name, (64, 64, 3))
    assert encoder.count_params() == parameters
    sizes = [16, 8, 4, 2]
    for (level, tensor), size, depth in zip(encoder.output.items(), sizes, channels, strict=True):
        assert tuple(tensor.shape) == (None, size, size, depth), level


@pytest.mark.parametrize(("name", "channels"), [("resnet50", 2048), ("vgg16", 512)])
def test_dilation_keeps_an_eighth_of_the_resolution_and_the_weights(name, channels):
    encoder = build_backbone(name, (64, 64, 3))
    dilated = dilated_backbone(name, (64, 64, 3))
    assert tuple(dilated.output.shape) == (None, 8, 8, channels)
    shapes = [[tuple(w.shape) for w in model.weights] for model in (encoder, dilated)]
    assert shapes[0] == shapes[1]


def test_dilated_features_are_the_plain_ones_where_both_look():
    """With a stride of 1 and dilation 2, every second output is the strided network's."""
    from keras import layers, models

    inputs = layers.Input((16, 16, 2))
    strided = layers.Conv2D(3, 1, strides=2)(inputs)
    strided = models.Model(inputs, layers.Conv2D(4, 3, padding="same")(strided))
    dense = layers.Conv2D(3, 1)(inputs)
    dense = models.Model(inputs, layers.Conv2D(4, 3, padding="same", dilation_rate=2)(dense))
    dense.set_weights(strided.get_weights())
    picture = np.random.default_rng(0).normal(size=(1, 16, 16, 2)).astype(np.float32)
    np.testing.assert_allclose(dense(picture)[:, ::2, ::2], strided(picture), atol=1e-5)


def test_unknown_backbones_are_named():
    with pytest.raises(ValueError, match="Unknown backbone 'resnet18': expected one of small"):
        build_backbone("resnet18", (64, 64, 3))
    with pytest.raises(ValueError, match="Unknown backbone 'small' for DeepLab: expected one of"):
        dilated_backbone("small", (64, 64, 3))


def test_weights_of_a_file_are_read(tmp_path):
    source = small_resnet((32, 32, 3))
    path = tmp_path / "encoder.weights.h5"
    source.save_weights(path)
    loaded = build_backbone("small", (32, 32, 3), weights=str(path))
    for a, b in zip(source.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
