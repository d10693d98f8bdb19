"""Encoders with named feature levels: ResNets, VGG-16, EfficientNet-Lite0, and small ones.

A backbone is a functional Keras model from pictures to a dict of feature maps, finest first. The
levels `c2` to `c5` have strides 4, 8, 16 and 32; in the small one 2, 4, 8 and 16.
"""

import keras

from nbf import efficientnet_lite
from smpl_tf.keras_settings import check_channels_last

# Last layer of each level in keras.applications.
_LEVELS = {
    "resnet50": {
        "c2": "conv2_block3_out",
        "c3": "conv3_block4_out",
        "c4": "conv4_block6_out",
        "c5": "conv5_block3_out",
    },
    "resnet101": {
        "c2": "conv2_block3_out",
        "c3": "conv3_block4_out",
        "c4": "conv4_block23_out",
        "c5": "conv5_block3_out",
    },
    "vgg16": {
        "c2": "block2_pool",
        "c3": "block3_pool",
        "c4": "block4_pool",
        "c5": "block5_pool",
    },
}
_APPLICATIONS = {
    "resnet50": keras.applications.ResNet50,
    "resnet101": keras.applications.ResNet101,
    "vgg16": keras.applications.VGG16,
}
EFFICIENTNET = "efficientnet_lite0"
BACKBONES = ("small", EFFICIENTNET, *_APPLICATIONS)


def build_backbone(
    name: str, input_shape: tuple[int | None, int | None, int], weights: str | None = None
) -> keras.Model:
    """Builds an encoder.

    Args:
      name: one of `BACKBONES`.
      input_shape: (height, width, channels); height and width may be None.
      weights: a file of weights for this encoder (such as the ImageNet weights of
        keras.applications without top, or EfficientNet-Lite0's .pth), or None for random ones.

    Returns:
      A model from `[B, H, W, channels]` to a dict of levels, finest first, the last one `c5`.

    Raises:
      ValueError: if the name is unknown, or Keras is set to channels_first.

    Source: paper 4.2 and appendix B; differs from the released code, whose ResNet-50 pools by 2 x
      2 and strides in a block's first unit: this is Keras' own ResNet, which takes ImageNet
      weights.
    """
    if name not in BACKBONES:
        raise ValueError(f"Unknown backbone {name!r}: expected one of {', '.join(BACKBONES)}.")
    check_channels_last()
    if name == EFFICIENTNET:
        return efficientnet_lite.build(input_shape, weights)
    if name == "small":
        backbone = small_resnet(input_shape)
        if weights:
            backbone.load_weights(weights)
        return backbone
    network = _APPLICATIONS[name](include_top=False, weights=weights, input_shape=input_shape)
    levels = {level: network.get_layer(layer).output for level, layer in _LEVELS[name].items()}
    return keras.Model(network.input, levels, name=name)


def small_resnet(
    input_shape: tuple[int | None, int | None, int],
    width: int = 16,
    blocks: tuple[int, ...] = (1, 2, 2, 1),
) -> keras.Model:
    """Builds a residual network for CPUs: ResNet-18's form, a few channels, no max-pooling.

    Args:
      input_shape: (height, width, channels).
      width: channels of the first level; each level doubles them.
      blocks: residual blocks of the levels c2 to c5.

    Returns:
      A model from pictures to the levels `c2` to `c5`, at strides 2, 4, 8 and 16.

    Source: no counterpart in the paper.
    """
    check_channels_last()
    inputs = keras.Input(input_shape)
    features = _convolution(inputs, width, kernel_size=5, strides=2)
    levels = {}
    for i, count in enumerate(blocks):
        for block in range(count):
            strides = 2 if i > 0 and block == 0 else 1
            features = _residual_block(features, width * 2**i, strides)
        levels[f"c{i + 2}"] = features
    return keras.Model(inputs, levels, name="small_resnet")


def _convolution(features, channels, kernel_size, strides, activation="relu"):
    features = keras.layers.Conv2D(
        channels,
        kernel_size,
        strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )(features)
    # Low: statistics of the last batch work, those of ten steps ago do not; see docs/results.md.
    features = keras.layers.BatchNormalization(momentum=0.5)(features)
    return keras.layers.Activation(activation)(features) if activation else features


def _residual_block(features, channels, strides):
    shortcut = features
    if strides > 1:
        # Taking every other pixel before a convolution without stride gives the same numbers.
        # oneDNN's gradient of a strided 1 x 1 convolution writes outside its memory for fewer than
        # 16 channels and a batch of one (TensorFlow 2.21, CPUs with AVX-512).
        shortcut = keras.layers.MaxPooling2D(1, strides)(shortcut)
    if features.shape[-1] != channels:
        shortcut = _convolution(shortcut, channels, 1, 1, activation=None)
    features = _convolution(features, channels, 3, strides)
    features = _convolution(features, channels, 3, 1, activation=None)
    return keras.layers.Activation("relu")(features + shortcut)


def dilated_backbone(
    name: str, input_shape: tuple[int | None, int | None, int], weights: str | None = None
) -> keras.Model:
    """Builds an encoder whose last level has an eighth of the input's resolution.

    The strides after that resolution become dilations, so that the same weights fit.

    Args:
      name: "resnet50", "resnet101" or "vgg16".
      input_shape: (height, width, channels).
      weights: a file of weights, or None.

    Returns:
      A model from `[B, H, W, channels]` to the last level, `[B, H / 8, W / 8, C]`.

    Raises:
      ValueError: if the name is none of these.

    Source: DeepLab-v2 (Chen et al. 2016), section 3.1.
    """
    if name not in _APPLICATIONS:
        raise ValueError(
            f"Unknown backbone {name!r} for DeepLab: expected one of {', '.join(_APPLICATIONS)}."
        )
    check_channels_last()
    network = _APPLICATIONS[name](include_top=False, weights=weights, input_shape=input_shape)
    if name == "vgg16":
        dilations = {"block4": 1, "block5": 2}
    else:
        dilations = {"conv4": 2, "conv5": 4}

    def dilate(layer):
        config = layer.get_config()
        dilation = dilations.get(layer.name.split("_")[0])
        if dilation is None or not isinstance(
            layer, keras.layers.Conv2D | keras.layers.MaxPooling2D
        ):
            return layer.__class__.from_config(config)
        config["strides"] = 1
        if isinstance(layer, keras.layers.MaxPooling2D):
            # A window of even size without stride would shift the picture by half a pixel.
            config.update(pool_size=3, padding="same")
        elif layer.kernel_size != (1, 1):
            config["dilation_rate"] = dilation
        return layer.__class__.from_config(config)

    dilated = keras.models.clone_model(network, clone_function=dilate)
    dilated.set_weights(network.get_weights())
    return dilated
