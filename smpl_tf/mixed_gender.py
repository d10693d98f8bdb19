"""SMPL with the male or the female body, sample by sample."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from smpl_tf.body_model import SMPL, BodyModelOutput
from smpl_tf.model_data import SMPLModelData, body_spec, find_body
from smpl_tf.tensor_like import TensorLike


@keras.saving.register_keras_serializable(package="smpl_tf")
class MixedGenderSMPL(keras.layers.Layer):
    """Poses each sample with the body of its gender.

    Both bodies are posed, then one is picked: the male where the gender number is at least 0. With
    `blend` the two posed results are mixed instead, by the male's share (gender + 1) / 2 between 0
    and 1, so that the gender number gets a gradient. Betas are never mixed: each gender has a
    shape space of its own.

    Args:
      male: the path of a body model file or its arrays; None for the open body.
      female: the same for the female body.
      blend: mix the posed results instead of picking one.
      vertex_ids: the vertices to compute, in this order; None for all, [] for joints alone.
      num_betas: how many shape components to use.

    Raises:
      ValueError: if the two bodies differ in their faces or joints.

    Source: SMPLR section 3.2. Blending differs from the paper.
    """

    def __init__(
        self,
        male: str | Path | SMPLModelData | None = None,
        female: str | Path | SMPLModelData | None = None,
        blend: bool = False,
        vertex_ids: Sequence[int] | None = None,
        num_betas: int = 10,
        **kwargs: Any,
    ):
        super().__init__(autocast=False, **kwargs)
        self.blend = blend
        options = {"vertex_ids": vertex_ids, "num_betas": num_betas, "dtype": self.dtype_policy}
        self.male = SMPL(male, gender="male", **options)
        self.female = SMPL(female, gender="female", **options)
        if self.male.parents != self.female.parents or not np.array_equal(
            self.male.faces, self.female.faces
        ):
            raise ValueError(
                f"male and female must have the same faces and joints; bodies "
                f"{self.male.model_data.name} and {self.female.model_data.name} do not."
            )
        self.built = True  # it has no weights to create

    @property
    def faces(self) -> np.ndarray:
        """(F, 3) int32 triangles of the whole body, counter-clockwise seen from outside."""
        return self.male.faces

    @property
    def parents(self) -> tuple[int, ...]:
        """The parent of each joint, -1 for the root."""
        return self.male.parents

    def call(
        self,
        gender: TensorLike,
        betas: TensorLike | None = None,
        pose: TensorLike | None = None,
        translation: TensorLike | None = None,
    ) -> BodyModelOutput:
        """Poses bodies; the leading dimensions of the arguments broadcast.

        Args:
          gender: [...] numbers, -1 for female and 1 for male.
          betas: as for `SMPL`, in the shape space of the sample's gender.
          pose: as for `SMPL`.
          translation: as for `SMPL`.

        Returns:
          BodyModelOutput.
        """
        gender = tf.cast(gender, self.male.geometry_dtype)[..., None, None]
        male = self.male(betas=betas, pose=pose, translation=translation)
        female = self.female(betas=betas, pose=pose, translation=translation)
        if self.blend:
            share, mix = tf.clip_by_value(0.5 * (gender + 1.0), 0.0, 1.0), _interpolate
        else:
            share, mix = gender >= 0.0, tf.where
        return BodyModelOutput(
            vertices=mix(share, male.vertices, female.vertices),
            joints=mix(share, male.joints, female.joints),
            global_rotations=mix(share[..., None], male.global_rotations, female.global_rotations),
        )

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs: the bodies' names, never their numbers."""
        return {
            **super().get_config(),
            "male": body_spec(self.male.model_data),
            "female": body_spec(self.female.model_data),
            "blend": self.blend,
            "vertex_ids": self.male.vertex_ids,
            "num_betas": self.male.num_betas,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MixedGenderSMPL":
        """Makes the layer again with the bodies that the configuration names.

        Args:
          config: from `get_config`.

        Returns:
          The layer.

        Raises:
          BodyNotFoundError: if a body cannot be found.
        """
        bodies = {name: find_body(config[name]) for name in ("male", "female")}
        return cls(**{**config, **bodies})


def _interpolate(share, male, female):
    return female + share * (male - female)
