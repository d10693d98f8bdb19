"""SMPLR's decoder: a Keras layer from rotations, betas and gender to points."""

from collections.abc import Sequence
from typing import Any, Literal

import keras
import tensorflow as tf

from smpl_tf import SMPL, MixedGenderSMPL, SMPLModelData
from smpl_tf.model_data import body_spec, find_body, require_smpl
from smpl_tf.tensor_like import TensorLike
from smplr.bones import root_relative
from smplr.landmarks import landmark_vertex_ids

GenderMode = Literal["hard", "blend"]


@keras.saving.register_keras_serializable(package="smplr")
class PointBody(keras.layers.Layer):
    """SMPLR's decoder: SMPL from rotations, betas and gender to 42 points and the surface.

    Args:
      bodies: one body for all people, or a female and a male one.
      num_betas: shape components.
      gender_mode: "hard" takes the male body where the gender is at least 0, as released;
        "blend" mixes the two posed bodies and lets gradients reach the gender.
      surface: whether to compute all vertices.

    Raises:
      ValueError: if there are not one or two bodies, a body lacks the landmarks, or their
        landmarks differ.

    Source: paper 3.2. Betas are never blended: male and female betas span different spaces.
    """

    def __init__(
        self,
        bodies: Sequence[SMPLModelData],
        num_betas: int = 10,
        gender_mode: GenderMode = "hard",
        surface: bool = False,
        **kwargs: Any,
    ):
        super().__init__(autocast=False, **kwargs)
        if len(bodies) not in (1, 2):
            raise ValueError(
                f"PointBody: expected one body, or a female and a male one, got {len(bodies)}."
            )
        landmark_ids = [landmark_vertex_ids(require_smpl(body)).tolist() for body in bodies]
        if landmark_ids[0] != landmark_ids[-1]:
            raise ValueError(
                f"PointBody: bodies {bodies[0].name} and {bodies[1].name} have their landmarks at "
                "different vertices; give two bodies of the same family."
            )
        self.bodies = tuple(bodies)
        self.num_betas = num_betas
        self.gender_mode = gender_mode
        self.landmark_ids = landmark_ids[0]
        self.surface = surface
        options = {
            "vertex_ids": None if surface else self.landmark_ids,
            "num_betas": num_betas,
            "dtype": self.dtype_policy,
        }
        if len(bodies) == 1:
            self.smpl = SMPL(bodies[0], **options)
        else:
            female, male = bodies
            self.smpl = MixedGenderSMPL(male, female, blend=gender_mode == "blend", **options)
        self.built = True  # it has no weights to create

    def call(
        self, rotations: tf.Tensor, betas: tf.Tensor, gender: TensorLike | None = None
    ) -> dict[str, tf.Tensor]:
        """Poses bodies.

        Args:
          rotations: parent-relative, the root's in camera axes, `[N, 24, 3, 3]`; they need not
            be orthogonal.
          betas: `[N, num_betas]`, in the shape space of the gender's body.
          gender: `[N]`, +1 male to -1 female; ignored if there is one body.

        Returns:
          A dict: `points` `[N, 41, 3]` and, with `surface`, `vertices` `[N, V, 3]`; metres, camera
          axes, the root at the origin.
        """
        chosen = {} if len(self.bodies) == 1 else {"gender": gender}
        posed = self.smpl(betas=betas, pose=rotations, **chosen)
        if not self.surface:
            return {"points": root_relative(posed.joints, posed.vertices)}
        landmarks = tf.gather(posed.vertices, self.landmark_ids, axis=-2)
        return {
            "points": root_relative(posed.joints, landmarks),
            "vertices": posed.vertices - posed.joints[..., :1, :],
        }

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs: the bodies' names, never their numbers."""
        return {
            **super().get_config(),
            "bodies": [body_spec(body) for body in self.bodies],
            "num_betas": self.num_betas,
            "gender_mode": self.gender_mode,
            "surface": self.surface,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "PointBody":
        """Makes the layer again with the bodies that the configuration names."""
        bodies = [find_body(spec) for spec in config.pop("bodies")]
        return cls(bodies=bodies, **config)
