"""The fitting network: input map -> encoder -> 226 numbers -> SMPL -> joints, 3D and projected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nbf import pretrained
from nbf.backbones import build_backbone
from nbf.body_fitting_model import BodyFittingModel, check_body
from nbf.input_maps import input_map
from nbf.landmarks import landmark_body, landmark_points, landmark_skeleton
from nbf.parameters import NUM_PARAMETERS, split_parameters, upright_parameters
from nbf.point_encoder import point_encoder
from nbf.targets import NBF_INTRINSICS, fitting_targets
from smpl_tf import SMPLModelData, kinematics, load_model_data, rotations
from smpl_tf.camera import Camera
from smpl_tf.model_data import body_spec, find_body, require_smpl
from smpl_tf.nbf_scale import NBF_TRANSLATION
from smpl_tf.saved_models import load_model
from smpl_tf.skeleton import SMPL_24

HEADS = ("pool", "flatten")
POINT_ENCODER = "points"  # the backbone for points and mask, `nbf.point_encoder`


@keras.saving.register_keras_serializable(package="nbf")
class FittingNetwork(BodyFittingModel):
    """Predicts SMPL's shape and pose from an input map.

    `compile(optimizer, loss=FittingLoss(...))`, then `fit` on the result of
    `nbf.targets.fitting_targets`. The body's arrays are constants, never weights: a weights file
    names the body it was trained with, and loading it with another body is an error.

    Source: paper 3.2 and 4.2, figure 2.
    """

    def __init__(
        self,
        backbone: str | keras.Model = "resnet50",
        input_size: int = 224,
        input_channels: int | None = None,
        head: str = "pool",
        body: SMPLModelData | str | None = None,
        gender: str = "neutral",
        mean_parameters: np.ndarray | None = None,
        landmarks: int | str | None = None,
        special_rotations: bool = True,
        backbone_weights: str | None = None,
        input_map: str | None = None,
        frozen_backbone: bool = False,
        **kwargs: Any,
    ):
        """Builds the network.

        Args:
          backbone: one of `nbf.backbones.BACKBONES`, or POINT_ENCODER for points and mask, or an
            encoder of your own: a functional model from the input map (a dict of all inputs, for
            points and mask) to a dict of feature maps; only `c5` `[B, h, w, C]` is used.
          input_size: side of the input map, pixels.
          input_channels: channels of the input map; None: those of `input_map`, or 3.
          head: "pool" averages the encoder's last level over the picture (the paper's), "flatten"
            keeps spatial positions (small encoders at small sizes).
          body: the body to fit: a body model file, its arrays, or None for the open body.
          gender: of the open body.
          mean_parameters: `[226]` means of the training set
            (`nbf.parameters.parameter_statistics`); the network predicts the difference from
            them. None: the mean shape, upright.
          landmarks: None, 14, 91, or "mesh" for all vertices: additional points to predict.
          special_rotations: project to rotations; False also admits reflections, as released.
          backbone_weights: a file of weights for the encoder, or None.
          input_map: which of `nbf.input_maps.INPUT_MAPS` it is made for; None: unspecified.
          frozen_backbone: keep the encoder's weights in training.
          **kwargs: of `keras.Model`.

        Raises:
          ValueError: if an argument has an unknown value.
        """
        super().__init__(**kwargs)
        if head not in HEADS:
            raise ValueError(f"head={head!r}: expected one of {', '.join(HEADS)}.")
        self.input_size = input_size
        self.input_channels = input_channels = _channels(input_map, input_channels)
        self.input_map = input_map
        self.head = head
        self.landmarks = landmarks
        self.special_rotations = special_rotations

        model_data = body if isinstance(body, SMPLModelData) else load_model_data(body, gender)
        require_smpl(model_data)
        self._landmark_skeleton = landmark_skeleton(landmarks) if landmarks else None
        self.body = landmark_body(model_data, self._landmark_skeleton)
        self.backbone_name = backbone if isinstance(backbone, str) else None
        self.encoder = _encoder(backbone, self.input_shapes, backbone_weights)
        self.frozen_backbone = frozen_backbone
        if frozen_backbone:
            self.encoder.trainable = False
        self.reduce = (
            keras.layers.GlobalAveragePooling2D() if head == "pool" else keras.layers.Flatten()
        )
        # N(0, 0.02) as released; in the body's precision, never half, for the geometry behind it.
        self.regressor = keras.layers.Dense(
            NUM_PARAMETERS,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.02),
            dtype=self.body.geometry_dtype.name,
            name="regressor",
        )
        if mean_parameters is None:
            mean_parameters = upright_parameters()
        mean_parameters = np.asarray(mean_parameters, np.float32)
        if mean_parameters.shape != (NUM_PARAMETERS,):
            raise ValueError(
                f"mean_parameters: expected shape ({NUM_PARAMETERS},), got "
                f"{mean_parameters.shape}."
            )
        self.mean_parameters = self.add_weight(
            name="mean_parameters",
            shape=(NUM_PARAMETERS,),
            initializer=keras.initializers.Constant(mean_parameters),
            trainable=False,
            dtype=self.body.geometry_dtype.name,
            autocast=False,
        )
        self.build({name: (None, *shape) for name, shape in self.input_shapes.items()})

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each encoder input, without the batch."""
        if self.input_map is not None:
            return input_map(self.input_map).shapes(self.input_size)
        return {"input_map": (self.input_size, self.input_size, self.input_channels)}

    @property
    def sees_points(self) -> bool:
        """Whether its input is detected 2D points and a mask (`nbf.points_mask`)."""
        return self.input_map is not None and input_map(self.input_map).points is not None

    @property
    def sees_parts(self) -> bool:
        """Whether the input map shows body parts, which a segmenter finds in a picture."""
        return self.input_map is not None and input_map(self.input_map).scheme is not None

    def build(self, input_shape: Any) -> None:
        """Builds the layers that Keras does not build with the encoder."""
        features = self.encoder.output["c5"].shape
        self.reduce.build(features)
        self.regressor.build(self.reduce.compute_output_shape(features))

    def call(
        self, inputs: tf.Tensor | Mapping[str, tf.Tensor], training: bool = False
    ) -> dict[str, tf.Tensor]:
        """Fits bodies.

        Args:
          inputs: `input_map` `[B, S, S, C]` in -1..1, alone or as a dict with it, and optionally
            `translation` `[B, 3]` metres and `intrinsics` `[B, 3, 3]` (`fitting_targets`), which
            default to NBF's. Of points and mask (`nbf.points_mask`): `points` `[B, 21, 3]`, the
            mask's `input_map` and the person's `intrinsics`, none of which has a default.
          training: whether batch normalisation uses the batch's statistics.

        Returns:
          dict: `parameters` `[B, 226]` as predicted, before any projection; `betas` `[B, 10]`;
          `global_rotations` `[B, 24, 3, 3]` camera frame; `joints_3d` `[B, 24, 3]` metres, without
          translation; `joints_2d` `[B, 24, 2]` image coordinates from -1 to 1; with landmarks also
          `landmarks_3d` and `landmarks_2d`.

        Raises:
          ValueError: if the map has another size or depth.
        """
        if not isinstance(inputs, dict):
            inputs = {"input_map": inputs}
        self._check_shapes(inputs)
        seen = {name: inputs[name] for name in self.input_shapes}
        features = self.encoder(seen if len(seen) > 1 else seen["input_map"], training=training)
        features = features["c5"]
        offsets = self.regressor(self.reduce(features))
        return self.pose(offsets + self.mean_parameters, inputs)

    def pose(
        self,
        parameters: tf.Tensor,
        inputs: Mapping[str, tf.Tensor],
        project: Callable[..., tf.Tensor] = rotations.project_to_rotation,
    ) -> dict[str, tf.Tensor]:
        """Turns parameters into bodies; uses no weights.

        Args:
          parameters: `[B, 226]`; rotations need not be orthogonal.
          inputs: dict with `translation` and `intrinsics`, or without, as `call` takes them.
          project: function of `smpl_tf.rotations` that projects matrices to rotations.

        Returns:
          What `call` returns.
        """
        betas, matrices = split_parameters(parameters)
        global_rotations = project(matrices, special=self.special_rotations)
        relative = kinematics.global_to_relative(global_rotations, SMPL_24.parents)
        body = self.body(betas=betas, pose=relative)
        translation = inputs.get("translation", tf.constant(NBF_TRANSLATION, tf.float32))
        translation = tf.cast(translation, body.joints.dtype)
        camera = Camera(inputs.get("intrinsics", tf.constant(NBF_INTRINSICS)), 2, 2)

        def to_picture(points):
            return camera.project(points + translation[..., tf.newaxis, :])

        outputs = {
            "parameters": parameters,
            "betas": betas,
            "global_rotations": global_rotations,
            "joints_3d": body.joints,
            "joints_2d": to_picture(body.joints),
        }
        if self._landmark_skeleton is not None:
            outputs["landmarks_3d"] = landmark_points(body, self._landmark_skeleton)
            outputs["landmarks_2d"] = to_picture(outputs["landmarks_3d"])
        return outputs

    def _check_shapes(self, inputs):
        for name, expected in self.input_shapes.items():
            got = inputs[name].shape if name in inputs else None
            if got is None or not got[1:].is_compatible_with(expected):
                maker = "nbf.points_mask" if self.sees_points else "nbf.input_maps at this size"
                raise ValueError(
                    f"{name}: expected shape [B, {', '.join(map(str, expected))}], got "
                    f"{got and tuple(got)}; make it with {maker}."
                )

    def get_fitting_network(self) -> FittingNetwork:
        """Returns the network itself."""
        return self

    def from_examples(
        self, examples: Mapping[str, Any]
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Makes inputs and targets for training and evaluation: `load(...).batch(n).map(this)`.

        Args:
          examples: a batch of decoded Examples of one picture size.

        Returns:
          Inputs and targets of `nbf.targets.fitting_targets`.

        Raises:
          ValueError: if the network does not know which input map it is made for.
        """
        if self.input_map is None:
            raise ValueError(
                "input_map: unknown; build the network with FittingNetwork(input_map=...)"
            )
        return fitting_targets(
            examples,
            self.input_map,
            self.input_size,
            landmarks=self.landmarks,
            body=self.body.model_data,
        )

    def mean_pose(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Predicts the training set's mean for every person: the baseline of every metric.

        Args:
          inputs: what `call` takes, as a dict.

        Returns:
          What `call` returns.
        """
        count = tf.shape(inputs["input_map"])[0]
        parameters = tf.repeat(self.mean_parameters[tf.newaxis], count, axis=0)
        return self.pose(parameters, inputs)

    def get_config(self) -> dict:
        """Returns the constructor's arguments; the body by name, gender and fingerprint."""
        return {
            **super().get_config(),
            "backbone": self.backbone_name or keras.saving.serialize_keras_object(self.encoder),
            "input_size": self.input_size,
            "input_channels": self.input_channels,
            "head": self.head,
            "landmarks": self.landmarks,
            "special_rotations": self.special_rotations,
            "input_map": self.input_map,
            "frozen_backbone": self.frozen_backbone,
            "body": body_spec(self.body.model_data),
        }

    @classmethod
    def from_config(cls, config: dict) -> FittingNetwork:
        """Rebuilds the network from `get_config`.

        Args:
          config: of `get_config`.

        Raises:
          BodyNotFoundError: if the body it was trained with cannot be found.
        """
        config = dict(config)
        body = find_body(config.pop("body"))
        if not isinstance(config["backbone"], str):
            config["backbone"] = keras.saving.deserialize_keras_object(config["backbone"])
        return cls(body=body, **config)

    @classmethod
    def from_pretrained(
        cls, name: str | Path = pretrained.FITTING, body: SMPLModelData | str | Path | None = None
    ) -> FittingNetwork:
        """Loads a trained network.

        Args:
          name: one of `nbf.pretrained.NAMES`, the folder of a finished run, or a `.keras` file.
          body: the body it was trained with, or its file, if the file has moved since.

        Returns:
          The network, not compiled.

        Raises:
          ValueError: it is missing, damaged, of another kind, or made with another body.

        Example:
          >>> network = FittingNetwork.from_pretrained("small_synthetic_parts")
          >>> network.input_map, network.input_size
          ('parts_12', 64)
        """
        path = pretrained.model_file(name)
        if body is not None and not isinstance(body, SMPLModelData):
            body = load_model_data(body)
        network = load_model(path, cls)  # finds `body` by its fingerprint
        if body is not None:
            check_body(body, network.body.model_data.fingerprint, str(path))
        return network

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Stores the mean parameters and the fingerprint of the body."""
        super().save_own_variables(store)
        fingerprint = self.body.model_data.fingerprint
        store["body_fingerprint"] = np.frombuffer(fingerprint.encode(), np.uint8)

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Reads what `save_own_variables` stored; `load_weights` then checks the body."""
        self.loaded_fingerprint = bytes(np.asarray(store["body_fingerprint"])).decode()
        self.mean_parameters.assign(store["0"])


def _channels(name: str | None, channels: int | None) -> int:
    """Returns the channels of an input map, by its name or as given."""
    if name is None:
        return 3 if channels is None else channels
    own = input_map(name).channels
    if channels not in (None, own):
        raise ValueError(f"input_channels={channels}: {name} has {own}; leave it out")
    return own


def _encoder(
    backbone: str | keras.Model, shapes: Mapping[str, tuple[int, ...]], weights: str | None
) -> keras.Model:
    """Builds the named encoder, or checks a given one."""
    if isinstance(backbone, str):
        if len(shapes) == 1:
            height, width, channels = shapes["input_map"]
            return build_backbone(backbone, (height, width, channels), weights)
        if backbone != POINT_ENCODER:
            raise ValueError(
                f"backbone={backbone!r}: expected {POINT_ENCODER!r} for points and mask."
            )
        encoder = point_encoder(shapes["points"][0], shapes["input_map"][0])
        if weights:
            encoder.load_weights(weights)
        return encoder
    levels = getattr(backbone, "output", None)  # only functional models have one
    if not isinstance(levels, dict) or "c5" not in levels or len(levels["c5"].shape) != 4:
        raise ValueError(
            "backbone: expected a name, or a functional keras.Model whose output is a dict with "
            f"the level c5 [B, h, w, C], got {backbone!r} with the output {levels!r}; build it as "
            "keras.Model(inputs, {'c5': features})."
        )
    _check_encoder_inputs(backbone, shapes)
    if weights:
        backbone.load_weights(weights)
    return backbone


def _check_encoder_inputs(backbone, shapes):
    taken = backbone.input if isinstance(backbone.input, dict) else {"input_map": backbone.input}
    for name, shape in shapes.items():
        expected = (None, *shape)
        got = getattr(taken.get(name), "shape", None)
        if (
            got is None
            or len(got) != len(expected)
            or any(b not in (None, a) for a, b in zip(expected[1:], got[1:], strict=True))
        ):
            raise ValueError(
                f"backbone: expected a model of one {name.replace('_', ' ')} {expected}, got one "
                f"of {got}; build it for the same input_size and input_channels."
            )
