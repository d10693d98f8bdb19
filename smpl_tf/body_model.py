"""SMPL as a Keras layer."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from smpl_tf.model_data import SMPLModelData, body_spec, find_body, load_model_data
from smpl_tf.posed_body import posed_body
from smpl_tf.tensor_like import TensorLike


class BodyModelOutput(NamedTuple):
    """A posed body.

    Attributes:
      vertices: [..., V, 3] metres, translation included.
      joints: [..., J, 3] metres, translation included.
      global_rotations: [..., J, 3, 3] rotation of each joint from the rest pose.
    """

    vertices: tf.Tensor
    joints: tf.Tensor
    global_rotations: tf.Tensor


@keras.saving.register_keras_serializable(package="smpl_tf")
class SMPL(keras.layers.Layer):
    """Turns shape, pose and translation into a posed body.

    The body's arrays are constants, never weights: no weights file carries licensed data. A saved
    model names its body, and finds it again when it is loaded. Geometry is computed in float32
    (float64 under that policy), also under mixed precision. Keras keeps no names of a tuple: give
    `body._asdict()` as the output of a functional model that is saved, else the loaded one gives a
    plain list of vertices, joints and global rotations.

    Args:
      model: None for the open body, the path of a body model file, or its arrays.
      gender: "neutral", "female" or "male"; chooses among the open bodies.
      vertex_ids: the vertices to compute, in this order; None for all, [] for joints alone.
      num_betas: how many shape components to use.

    Raises:
      ValueError: if the body lacks some of the vertices or has fewer shape components.

    Source: SMPL (Loper 2015). NBF section 3.1 and SMPLR section 3.2 use it as a fixed layer.

    Example:
      >>> import tensorflow as tf
      >>> from smpl_tf import SMPL
      >>> body = SMPL()(betas=tf.zeros([2, 10]), pose=tf.zeros([2, 24, 3]))
      >>> body.vertices.shape, body.joints.shape
      (TensorShape([2, 6890, 3]), TensorShape([2, 24, 3]))
    """

    def __init__(
        self,
        model: str | Path | SMPLModelData | None = None,
        gender: str = "neutral",
        vertex_ids: Sequence[int] | None = None,
        num_betas: int = 10,
        **kwargs: Any,
    ):
        super().__init__(autocast=False, **kwargs)
        if not isinstance(model, SMPLModelData):
            model = load_model_data(model, gender)
        self.model_data = model
        self.vertex_ids = None if vertex_ids is None else tuple(int(i) for i in vertex_ids)
        self.num_betas = num_betas
        _check_against_body(self.model_data, self.vertex_ids or (), num_betas)
        self.parents = tuple(self.model_data.parents.tolist())
        precise = self.variable_dtype == "float64"
        self.geometry_dtype = tf.float64 if precise else tf.float32
        self._posed = posed_body(model, self.vertex_ids, num_betas, self.geometry_dtype)
        self.built = True  # it has no weights to create

    @property
    def faces(self) -> np.ndarray:
        """(F, 3) int32 triangles of the whole body, counter-clockwise seen from outside."""
        return self.model_data.faces

    def call(
        self,
        betas: TensorLike | None = None,
        pose: TensorLike | None = None,
        translation: TensorLike | None = None,
    ) -> BodyModelOutput:
        """Poses bodies; the leading dimensions of the arguments broadcast.

        Args:
          betas: [..., num_betas]; None is the mean shape.
          pose: parent-relative rotations: axis-angles [..., J, 3] or [..., 3 J] in radians, or
            matrices [..., J, 3, 3]; None is the rest pose.
          translation: [..., 3] metres; None is zero.

        Returns:
          BodyModelOutput. A rotation that is not finite makes NaN of its joint's global rotation,
          of the joints below it, and of the vertices with a skinning weight there; the others are
          as if it were the rest pose's.

        Raises:
          ValueError: if an argument has another shape.
        """
        betas, relative, translation = self._check_inputs(betas, pose, translation)
        inner = 2 if _ends_with(relative.shape, (len(self.parents), 3)) else 3
        given = [(betas, 1), (relative, inner)] + [(translation, 1)] * (translation is not None)
        static, leading = _broadcast_leading(given)

        # Called eagerly, the hundreds of small operations of a tree cost more than their
        # arithmetic.
        pose_batch: Callable = self._posed.pose
        if tf.executing_eagerly():
            pose_batch = self._posed.pose_axis_angles if inner == 2 else self._posed.pose_matrices
        vertices, joints, global_rotations = pose_batch(
            _flatten(_expand(betas, leading, 1), 1),
            _flatten(_expand(relative, leading, inner), inner),
        )

        def with_leading(tensor: tf.Tensor) -> tf.Tensor:
            if static.rank == 1 and tensor.shape[0] is not None and tensor.shape[0] == static[0]:
                return tensor
            tensor = tf.reshape(tensor, tf.concat([leading, tensor.shape[1:]], axis=0))
            tensor.set_shape(static.concatenate(tensor.shape[static.rank :]))
            return tensor

        vertices, joints = with_leading(vertices), with_leading(joints)
        if translation is not None:
            vertices += translation[..., None, :]
            joints += translation[..., None, :]
        return BodyModelOutput(vertices, joints, with_leading(global_rotations))

    def _check_inputs(self, betas, pose, translation):
        joints, dtype = len(self.parents), self.geometry_dtype
        if betas is None:
            betas = tf.zeros([self.num_betas], dtype)
        betas = _floating("betas", betas, dtype, (self.num_betas,))
        if translation is not None:
            translation = _floating("translation", translation, dtype, (3,))
        if pose is None:
            return betas, tf.eye(3, batch_shape=[joints], dtype=dtype), translation
        pose = _floating("pose", pose, dtype, (joints, 3), (3 * joints,), (joints, 3, 3))
        if _ends_with(pose.shape, (joints, 3, 3)):
            return betas, pose, translation
        if not _ends_with(pose.shape, (joints, 3)):
            known = pose.shape[:-1].is_fully_defined()
            outer = pose.shape[:-1].as_list() if known else tf.shape(pose)[:-1]
            tail = [joints, 3]
            pose = tf.reshape(pose, outer + tail if known else tf.concat([outer, tail], axis=0))
        return betas, pose, translation

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs: the body's name, never its numbers."""
        return {
            **super().get_config(),
            "model": body_spec(self.model_data),
            "vertex_ids": self.vertex_ids,
            "num_betas": self.num_betas,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SMPL":
        """Makes the layer again with the body that the configuration names.

        Args:
          config: from `get_config`.

        Returns:
          The layer.

        Raises:
          BodyNotFoundError: if the body cannot be found.
        """
        return cls(**{**config, "model": find_body(config["model"])})


def _check_against_body(data, vertex_ids, num_betas):
    if not 0 < num_betas <= data.num_betas:
        raise ValueError(
            f"num_betas: expected 1..{data.num_betas}, the shape components of {data.name}, got "
            f"{num_betas}."
        )
    for vertex in vertex_ids:
        if not 0 <= vertex < data.num_vertices:
            raise ValueError(
                f"vertex_ids: expected 0..{data.num_vertices - 1}, the vertices of body "
                f"{data.name}, got {vertex}."
            )


def _floating(name, tensor, dtype, *tails):
    """Returns the tensor in the geometry's precision, after a check of its last dimensions."""
    tensor = tf.cast(tensor, dtype)
    if not any(_ends_with(tensor.shape, tail) for tail in tails):
        wanted = " or ".join(f"[..., {', '.join(map(str, tail))}]" for tail in tails)
        raise ValueError(f"{name} must have shape {wanted}, got {tensor.shape}.")
    return tensor


def _ends_with(shape, tail):
    return shape.rank is not None and tuple(shape[-len(tail) :]) == tail


def _broadcast_leading(tensors):
    """Returns the common leading shape, both the static and the dynamic one.

    Args:
      tensors: pairs of a tensor and the number of its trailing dimensions.
    """
    statics = [tensor.shape[: tensor.shape.rank - inner] for tensor, inner in tensors]
    try:
        # Most shapes are equal, and then TensorFlow's shape arithmetic is not needed.
        alike = statics[0].is_fully_defined() and all(
            other.rank is not None and tuple(other) == tuple(statics[0]) for other in statics
        )
        static = statics[0] if alike else functools.reduce(tf.broadcast_static_shape, statics)
    except ValueError:
        shapes = ", ".join(map(str, statics))
        raise ValueError(
            f"The leading dimensions of betas, pose and translation must broadcast, got {shapes}."
        ) from None
    if static.is_fully_defined():
        return static, tf.constant(static.as_list(), tf.int32)
    dynamic = [tf.shape(tensor)[: tensor.shape.rank - inner] for tensor, inner in tensors]
    return static, functools.reduce(tf.broadcast_dynamic_shape, dynamic)


def _flatten(tensor, inner):
    """Merges the leading dimensions into one."""
    if tensor.shape.rank == inner + 1:
        return tensor
    return tf.reshape(tensor, [-1, *tensor.shape[tensor.shape.rank - inner :]])


def _expand(tensor, leading, inner):
    """Repeats a tensor over the common leading dimensions."""
    tail = tensor.shape[tensor.shape.rank - inner :]
    known = leading.numpy() if tf.executing_eagerly() else tf.get_static_value(leading)
    if known is not None and tuple(tensor.shape) == (*known, *tail):
        return tensor
    return tf.broadcast_to(tensor, tf.concat([leading, tail], axis=0))
