"""Trained networks as functions of one tensor, with operations of every runtime.

An exported model differs from the trained one in two ways: it has all outputs that a user needs
(parent-relative rotations, axis-angles, the surface), and it computes rotations without an SVD,
which TFLite lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from datasets import example as example_lib
from datasets import synthetic
from nbf import FittingNetwork, NeuralBodyFitting, input_maps
from nbf.segmentation import PartSegmenter
from smpl_tf import SMPL, SMPLModelData, kinematics
from smpl_tf.nbf_scale import NBF_TRANSLATION
from smpl_tf.parts import colour_code, merge_labels
from smpl_tf.rotations import (
    matrix_to_axis_angle,
    project_to_rotation,
    project_to_rotation_by_squaring,
)
from smpl_tf.skeleton import SMPL_24
from smplr import SMPLR, PointBody
from smplr.bones import root_relative

Outputs = dict[str, tf.Tensor]

_LEAST_SIDE = 16  # pixels; the smallest size of synthetic people
_BODY = {
    "betas": "[B, 10] shape",
    "rotations": "[B, 24, 3, 3] of each joint in its parent's frame; the root's in the camera's",
    "pose": "[B, 24, 3] the same as axis-angles, radians",
}
_CROP = (
    "a square of the picture, resized: a person of 1.786 m is as high as 440/512 of the square, "
    "and the pelvis is at (0.5, 230/512) of its width and height"
)
_HOURGLASS_CROP = (
    "a square of the picture, resized: 2.5 m wide at the pelvis, which is in its middle"
)


class ServedModel(NamedTuple):
    """A model for export.

    Attributes:
      spec: of its single input.
      networks: that provide the weights.
      run: (input, function that projects matrices to rotations) -> outputs.
      bodies: that it contains.
      card: description of input and outputs, for JSON.
      inputs: stacked decoded synthetic Examples -> input.
    """

    spec: tf.TensorSpec
    networks: Sequence[keras.Model]
    run: Callable[[tf.Tensor, Callable], Outputs]
    bodies: Sequence[SMPLModelData]
    card: dict[str, Any]
    inputs: Callable[[dict[str, tf.Tensor]], tf.Tensor]

    def predict(self, given: tf.Tensor) -> Outputs:
        """Returns the outputs, with operations of every runtime."""
        return self.run(given, project_to_rotation_by_squaring)

    def reference(self, given: tf.Tensor) -> Outputs:
        """Returns the outputs like the library's Keras models, with the SVD."""
        return self.run(given, project_to_rotation)


def served_fitting(network: FittingNetwork) -> ServedModel:
    """Prepares a fitting network for export.

    Args:
      network: the network.

    Returns:
      The model; its input is a picture, a map of part labels, or an input map; see its name.
    """
    name, size = network.input_map, network.input_size
    kind = input_maps.input_map(name)
    if name == "rgb":
        spec, text = tf.TensorSpec([None, size, size, 3], tf.uint8, "pictures"), "RGB, 0..255"
        encode = input_maps.to_unit_range

        def inputs(examples):
            return examples["image"]
    elif name.startswith("parts_"):
        spec = tf.TensorSpec([None, size, size], tf.uint8, "parts")
        text = "classes: " + ", ".join(f"{i} {part}" for i, part in enumerate(kind.scheme.names))

        def encode(parts):
            return input_maps.to_unit_range(colour_code(parts, kind.scheme))

        def inputs(examples):
            return merge_labels(examples["parts"], kind.scheme)
    else:
        spec = tf.TensorSpec([None, size, size, kind.channels], tf.float32, "input_map")
        text = f"nbf.input_maps' {name}, values from -1 to 1"
        encode = tf.identity

        def inputs(examples):
            if kind.joints is None:
                return input_maps.encode(examples, name, size)
            return input_maps.to_unit_range(examples["image"])  # three channels: any value will do

    surface = SMPL(network.body.model_data)

    def run(given, project):
        return _fitted(network, surface, network(encode(given)), project)

    return ServedModel(
        spec,
        [network],
        run,
        [network.body.model_data],
        _nbf_card("NBF, second stage", spec, text),
        inputs,
    )


def served_chain(segmenter: PartSegmenter, network: FittingNetwork) -> ServedModel:
    """Prepares both of NBF's stages for export.

    Args:
      segmenter: the first.
      network: the second.

    Returns:
      The model; its input is a picture, and its outputs include the segmenter's parts.
    """
    chain = NeuralBodyFitting(segmenter, network)
    surface, size = SMPL(network.body.model_data), segmenter.input_size
    spec = tf.TensorSpec([None, size, size, 3], tf.uint8, "pictures")

    def run(pictures, project):
        outputs = chain(tf.cast(pictures, tf.float32))
        parts = tf.cast(tf.argmax(outputs["logits"], -1, tf.int32), tf.uint8)
        return {**_fitted(network, surface, outputs, project), "parts": parts}

    card = _nbf_card("NBF, both stages", spec, "RGB, 0..255")
    names = ", ".join(f"{i} {part}" for i, part in enumerate(segmenter.scheme.names))
    card["outputs"]["parts"] = f"[B, {size}, {size}] the segmenter's classes: {names}"
    return ServedModel(
        spec,
        [segmenter, network],
        run,
        [network.body.model_data],
        card,
        lambda examples: examples["image"],
    )


def served_smplr(model: SMPLR) -> ServedModel:
    """Prepares SMPLR for export.

    Args:
      model: with or without an hourglass.

    Returns:
      The model; its input is a picture, or points.
    """
    surface = PointBody(model.body.bodies, model.body.num_betas, model.body.gender_mode, True)
    if model.hourglass is None:
        count = model.num_points
        spec = tf.TensorSpec([None, count, 3], tf.float32, "points")
        text = (
            f"metres, camera axes, relative to the pelvis, which is left out; NaN if missing; "
            f"SMPL's 23 other joints{', then the 18 landmarks' if count > 23 else ''}"
        )
        card = {"model": "SMPLR from points", "input": _described(spec, text)}
    else:
        size = model.hourglass.input.shape[1]
        spec = tf.TensorSpec([None, size, size, 3], tf.uint8, "pictures")
        card = {"model": "SMPLR", "input": _described(spec, f"RGB, 0..255, {_HOURGLASS_CROP}")}
    card["outputs"] = {
        **_BODY,
        "gender": "[B] shape space of the betas: male if >= 0, female if < 0",
        "vertices": "[B, V, 3] metres, camera axes, the pelvis at the origin",
        "joints_3d": "[B, 24, 3] SMPL's joints, likewise",
        "landmarks": "[B, 18, 3] SMPLR's landmarks on the surface, likewise",
    }

    def run(given, project):
        outputs = model(tf.cast(given, tf.float32))
        turned, shape = project(outputs["rotations"]), outputs["shape"]
        body = surface(rotations=turned, betas=shape[:, :-1], gender=shape[:, -1])
        joints, landmarks = body["points"][:, :23], body["points"][:, 23:]
        return {
            "betas": shape[:, :-1],
            "gender": shape[:, -1],
            **_pose(turned),
            "vertices": body["vertices"],
            "joints_3d": tf.concat([tf.zeros_like(joints[:, :1]), joints], axis=1),
            "landmarks": landmarks,
        }

    def inputs(examples):
        if model.hourglass is not None:
            return examples["image"]
        landmarks = examples["landmarks/3d"] if model.num_points > 23 else None
        return root_relative(examples["joints/3d"], landmarks)

    return ServedModel(
        spec,
        [model],
        run,
        model.body.bodies,
        card,
        inputs,
    )


def example_inputs(served: ServedModel, count: int) -> np.ndarray:
    """Makes inputs from synthetic people, always the same ones.

    Args:
      served: the model.
      count: number of people.

    Returns:
      `[count, ...]`.
    """
    side = _LEAST_SIDE if served.spec.name == "points" else served.spec.shape[1]
    config = synthetic.SyntheticConfig(image_size=side)
    examples = [
        example_lib.decode({name: tf.convert_to_tensor(value) for name, value in one.items()})
        for one in synthetic.read_examples(config, "export", 0, count)
    ]
    stacked = {name: tf.stack([one[name] for one in examples]) for name in examples[0]}
    return tf.cast(served.inputs(stacked), served.spec.dtype).numpy()


def _fitted(network, surface, outputs, project) -> Outputs:
    """Computes the body from a fitting network's 226 numbers, with the surface."""
    posed = network.pose(outputs["parameters"], {}, project)
    betas = posed["betas"]
    relative = kinematics.global_to_relative(posed["global_rotations"], SMPL_24.parents)
    return {
        "betas": betas,
        **_pose(relative),
        "vertices": surface(betas=betas, pose=relative).vertices,
        **{name: posed[name] for name in ("joints_3d", "joints_2d")},
    }


def _pose(relative) -> Outputs:
    # With one leading dimension, since TFLite needs a fixed rank.
    axis_angles = matrix_to_axis_angle(tf.reshape(relative, [-1, 3, 3]))
    return {"rotations": relative, "pose": tf.reshape(axis_angles, [-1, len(SMPL_24), 3])}


def _nbf_card(model: str, spec: tf.TensorSpec, text: str) -> dict[str, Any]:
    return {
        "model": model,
        "input": _described(spec, f"{text}; {_CROP}"),
        "outputs": {
            **_BODY,
            "vertices": "[B, V, 3] metres, camera axes, without the translation",
            "joints_3d": "[B, 24, 3] SMPL's joints, likewise",
            "joints_2d": "[B, 24, 2] projected, from -1 to 1 over the square",
        },
        "translation": list(NBF_TRANSLATION),
    }


def _described(spec: tf.TensorSpec, text: str) -> dict[str, Any]:
    return {
        "name": spec.name,
        "shape": ["B", *spec.shape[1:]],
        "dtype": spec.dtype.name,
        "meaning": text,
    }
