"""What SMPLR is trained on: bodies to points, and where a picture is cut for the hourglass.

Points are computed anew from pose, betas and gender by the SMPL layer and never taken over from a
data set: SURREAL's joints come from another regressor, and the landmarks of a mirrored person are
not the mirrored landmarks (the official vertices differ between left and right by some 2 cm).
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from smpl_tf import SMPL, MixedGenderSMPL, SMPLModelData
from smpl_tf.model_data import body_spec, find_body
from smpl_tf.rotations import axis_angle_to_matrix
from smplr.bones import root_relative
from smplr.landmarks import landmark_vertex_ids

GenderMode = Literal["hard", "blend"]

# SMPLR's cube (paper 3.3), metres.
CUBE_SIDE = 2.5


@keras.saving.register_keras_serializable(package="smplr")
class PointBody(keras.layers.Layer):
    """SMPL as SMPLR's decoder: rotations, betas and gender to 42 points, and to the surface.

    Args:
      bodies: one body for everybody, or a female and a male one.
      num_betas: shape components.
      gender_mode: "hard" takes the male body where the gender is at least 0, as released;
        "blend" mixes the two posed bodies and lets gradients reach the gender.
      surface: whether to compute all vertices.

    Raises:
      ValueError: if there are not one or two bodies, or one lacks the landmarks, or the two differ
        in them.

    Source: paper 3.2. Betas are never blended: male and female ones span different spaces.
    """

    def __init__(
        self,
        bodies: Sequence[SMPLModelData],
        num_betas: int = 10,
        gender_mode: GenderMode = "hard",
        surface: bool = False,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        if len(bodies) not in (1, 2):
            raise ValueError(
                f"PointBody: expected one body, or a female and a male one, got {len(bodies)}."
            )
        landmark_ids = [landmark_vertex_ids(body).tolist() for body in bodies]
        if landmark_ids[0] != landmark_ids[-1]:
            raise ValueError(
                f"PointBody: bodies {bodies[0].name} and {bodies[1].name} have their landmarks at "
                "different vertices; give two bodies of one family."
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
        # Called once, so that nothing is left to build when Keras loads a model around it.
        self(
            rotations=tf.eye(3, batch_shape=[1, 24]), betas=tf.zeros([1, num_betas]), gender=[1.0]
        )

    def call(self, rotations, betas, gender=None):
        """Poses bodies.

        Args:
          rotations: parent-relative, the root's in camera axes, `[N, 24, 3, 3]`; they need not
            be orthogonal.
          betas: `[N, num_betas]`, in the space of the body that the gender picks.
          gender: `[N]`, +1 male to -1 female; ignored where there is one body.

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

    def get_config(self):
        """Returns what `from_config` needs: the bodies' names, never their numbers."""
        return {
            **super().get_config(),
            "bodies": [body_spec(body) for body in self.bodies],
            "num_betas": self.num_betas,
            "gender_mode": self.gender_mode,
            "surface": self.surface,
        }

    @classmethod
    def from_config(cls, config):
        """Makes the layer anew with the bodies that the configuration names."""
        bodies = [find_body(spec) for spec in config.pop("bodies")]
        return cls(bodies=bodies, **config)


# The keys of an Example that `body_targets` reads.
BODY_FEATURES = (
    *("smpl/pose", "smpl/betas", "smpl/neutral_betas", "smpl/gender", "smpl/valid"),
    *("smpl/betas/valid", "smpl/neutral_betas/valid"),
)


def body_targets(examples: Mapping[str, tf.Tensor], body: PointBody) -> dict[str, tf.Tensor]:
    """Turns a batch of Examples into what SMPLR's networks learn from.

    Args:
      examples: the keys of `BODY_FEATURES`, batched.
      body: two bodies take the people's own betas and gender, one takes the neutral betas.

    Returns:
      `points` `[N, 41, 3]` root-relative, metres, camera axes; `rotations` `[N, 24, 3, 3]`
      parent-relative; `betas` `[N, B]`; `gender` `[N]`, +1 male, -1 female. What is not known is
      NaN; with it the points that depend on it.
    """
    gendered = len(body.bodies) == 2
    kind = "smpl/betas" if gendered else "smpl/neutral_betas"
    gender = 2 * tf.cast(examples["smpl/gender"], tf.float32) - 1
    known = tf.logical_and(examples["smpl/valid"] > 0, examples[f"{kind}/valid"] > 0)
    if gendered:
        known = tf.logical_and(known, gender <= 1)
    rotations = axis_angle_to_matrix(examples["smpl/pose"])
    betas = examples[kind][..., : body.num_betas]
    points = body(rotations=rotations, betas=betas, gender=gender)["points"]

    def where(mask, values):
        mask = tf.reshape(mask, [-1] + [1] * (len(values.shape) - 1))
        return tf.where(mask, values, np.nan)

    return {
        "points": where(known, points),
        "rotations": where(examples["smpl/valid"] > 0, rotations),
        "betas": where(known, betas),
        "gender": where(gender <= 1, gender),
    }


def shape_vector(betas: tf.Tensor, gender: tf.Tensor) -> tf.Tensor:
    """Joins betas `[N, B]` and gender `[N]` to the vector that Ψ predicts, `[N, B + 1]`."""
    return tf.concat([betas, gender[..., None]], axis=-1)


def crop_window(root: tf.Tensor, intrinsics: tf.Tensor, side: float = CUBE_SIDE) -> tf.Tensor:
    """Returns the square of a picture that shows the hourglass's cube.

    Args:
      root: the pelvis, metres, camera axes, `[..., 3]`.
      intrinsics: of the camera, pixels, `[..., 3, 3]`.
      side: edge of the cube, metres.

    Returns:
      Left edge, upper edge, width and height in pixels, `[..., 4]`; the window may leave the
      picture.

    Source: as released: focal length * 2.5 m / depth, around the projected root. The cube's axes
      stay the camera's, so off-root points do not lie exactly on their pixels; the network learns
      that.
    """
    size = intrinsics[..., 0, 0] * side / root[..., 2]
    centre = intrinsics[..., :2, 2] + root[..., :2] / root[..., 2:] * tf.linalg.diag_part(
        intrinsics[..., :2, :2]
    )
    corner = centre - size[..., None] / 2
    return tf.concat([corner, size[..., None], size[..., None]], axis=-1)


def window_root(window: tf.Tensor, intrinsics: tf.Tensor, side: float = CUBE_SIDE) -> tf.Tensor:
    """Returns where the pelvis of a person is whose cube a square shows: undoes `crop_window`.

    Args:
      window: left edge, upper edge, width and height, pixels, `[..., 4]`.
      intrinsics: of the camera, pixels, `[..., 3, 3]`.
      side: edge of the cube, metres.

    Returns:
      Metres, camera axes, `[..., 3]`.
    """
    depth = intrinsics[..., 0, 0] * side / window[..., 2]
    offset = window[..., :2] + window[..., 2:] / 2 - intrinsics[..., :2, 2]
    across = offset / tf.linalg.diag_part(intrinsics[..., :2, :2]) * depth[..., None]
    return tf.concat([across, depth[..., None]], axis=-1)
