"""EfficientNet-Lite0: its form, its weights from PyTorch's file, frozen and tuned."""

import keras
import numpy as np
import pytest

from nbf import FittingNetwork, RefineNet, efficientnet_lite, refinenet, segmentation
from nbf.backbones import build_backbone
from tests.nbf import fake_torch_file


def shapes_of(encoder):
    """What PyTorch calls the arrays of an encoder, and their shapes there."""
    shapes = {}
    for layer in encoder.layers:
        name = layer.name.replace("-", ".")
        if isinstance(layer, keras.layers.BatchNormalization):
            parts = ("weight", "bias", "running_mean", "running_var")
            shapes |= {f"{name}.{part}": (layer.gamma.shape[0],) for part in parts}
            shapes[f"{name}.num_batches_tracked"] = ()
        elif layer.weights:
            height, width, a, b = layer.weights[0].shape
            depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            pair = (a, b) if depthwise else (b, a)
            shapes[f"{name}.weight"] = (*pair, height, width)
    return shapes | {"_conv_head.weight": (8, 4, 1, 1), "_bn1.bias": (8,), "_fc.bias": (9,)}


@pytest.fixture(scope="module")
def encoder():
    return build_backbone("efficientnet_lite0", (32, 32, 3))


@pytest.fixture(scope="module")
def arrays(encoder):
    return fake_torch_file.random_arrays(shapes_of(encoder))


def test_the_form_is_that_of_the_published_network(encoder):
    # 4,652,008 of the classifier, without its head of 409,600 + 2,560 and layer of 1,281,000, and
    # with the moving statistics, which PyTorch does not count: 19,536 channels, twice.
    moving = sum(int(np.prod(weight.shape)) for weight in encoder.non_trainable_weights)
    assert encoder.count_params() - moving == 4_652_008 - 409_600 - 2_560 - 1_281_000
    levels = {level: tuple(tensor.shape[1:]) for level, tensor in encoder.output.items()}
    assert levels == {"c2": (8, 8, 24), "c3": (4, 4, 40), "c4": (2, 2, 112), "c5": (1, 1, 320)}


def test_every_array_of_pytorchs_file_has_its_place(encoder, arrays, tmp_path):
    path = tmp_path / "lite0.pth"
    path.write_bytes(fake_torch_file.content(arrays))
    loaded = efficientnet_lite.build((32, 32, 3), path)
    stem = loaded.get_layer("_conv_stem").weights[0].numpy()
    np.testing.assert_array_equal(stem[1, 2, 0, 5], arrays["_conv_stem.weight"][5, 0, 1, 2])
    wide = loaded.get_layer("_blocks-3-_depthwise_conv").weights[0].numpy()
    theirs = arrays["_blocks.3._depthwise_conv.weight"]
    np.testing.assert_array_equal(wide[4, 3, 7, 0], theirs[7, 0, 4, 3])
    norm = loaded.get_layer("_blocks-15-_bn2")
    for name, weight in zip(efficientnet_lite._NORM, norm.weights, strict=True):
        np.testing.assert_array_equal(weight, arrays[f"_blocks.15._bn2.{name}"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.pop("_bn0.bias"), "has no _bn0.bias"),
        (lambda a: a.update({"_bn0.bias": np.zeros(7, "f4")}), r"_bn0.bias has the shape \(7,\)"),
        (lambda a: a.update({"_se.weight": np.zeros(7, "f4")}), "has _se.weight, which"),
    ],
)
def test_weights_of_another_network_are_refused(encoder, arrays, change, words):
    changed = dict(arrays)
    change(changed)
    with pytest.raises(ValueError, match=f"^file: {words}"):
        efficientnet_lite.assign(encoder, changed, "file")


@pytest.mark.slow
def test_a_frozen_encoder_stays_and_the_rest_learns():
    options = {"input_size": 32, "input_map": "rgb", "backbone": "efficientnet_lite0"}
    tuned = FittingNetwork(**options)
    frozen = FittingNetwork(**options, frozen_backbone=True)
    assert len(tuned.trainable_variables) > 100
    assert {v.path for v in frozen.trainable_variables} == {
        v.path for v in frozen.regressor.weights
    }
    copied = FittingNetwork.from_config(frozen.get_config())
    assert copied.frozen_backbone and len(copied.trainable_variables) == 2
    segmenter = RefineNet(input_size=64, backbone="efficientnet_lite0", frozen_backbone=True)
    assert segmenter(np.zeros((1, 64, 64, 3), "f4")).shape == (1, 64, 64, 13)
    assert all("_blocks" not in v.path for v in segmenter.trainable_variables)


@pytest.mark.slow
def test_the_segmenter_shows_its_encoder_pictures_from_minus_1_to_1(monkeypatch):
    def plain(shape, weights=None):  # an encoder whose levels are the picture's own colours
        pictures = keras.Input(shape)
        levels = {f"c{i}": keras.layers.AveragePooling2D(2**i)(pictures) for i in (2, 3, 4, 5)}
        return keras.Model(pictures, levels)

    monkeypatch.setattr(efficientnet_lite, "build", plain)
    monkeypatch.setattr(refinenet, "refine", lambda levels, *_: levels["c2"])
    segmenter = RefineNet(num_parts=1, input_size=32, backbone="efficientnet_lite0")
    pictures = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype("f4")
    centred = (pictures - segmentation.IMAGENET_MEAN)[..., ::-1]
    expected = (pictures / 127.5 - 1).reshape(8, 4, 8, 4, 3).mean((1, 3))
    np.testing.assert_allclose(segmenter.network(centred)[0], expected, atol=1e-5)
