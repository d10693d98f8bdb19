"""SMPLR: from points or a picture to denoised points, bones, rotations, betas and a body."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from smpl_tf import SMPLModelData, load_model_data
from smpl_tf.rotations import project_to_rotation
from smpl_tf.saved_models import load_model
from smplr import landmarks, pretrained
from smplr.bones import bone_directions, length_residuals, observed_points, split_points
from smplr.denoising_autoencoder import DenoisingAutoencoder
from smplr.hourglass import StackedHourglass
from smplr.point_body import GenderMode, PointBody
from smplr.regressors import PoseRegressor, ShapeRegressor
from smplr.torso_frame import torso_rotation

_PARTS = ("pose_regressor", "shape_regressor", "autoencoder", "hourglass")


@keras.saving.register_keras_serializable(package="smplr")
class SMPLR(keras.Model):
    """Estimates a body from root-relative points, optionally with networks in front.

    hourglass -> autoencoder -> N, B -> Ω, Ψ -> SMPL; the first two are optional. A part whose
    `trainable` is false runs in inference mode: no dropout, fixed batch statistics, while
    gradients pass through (paper 4.5).

    The autoencoder fills in missing points; without one, their bones are unobserved, N = 0 and B =
    0 (see `smplr.bones`). No output is NaN.

    Args:
      pose_regressor: Ω; None makes a new one.
      shape_regressor: Ψ; None makes a new one.
      autoencoder: the DAE, or None.
      hourglass: the network from pictures to points, or None for points as input.
      bodies: one body, or a female and a male one; None takes the open bodies.
      template_lengths: B*, metres, `[P]`; None takes those of the (female) body.
      gender_mode: see `PointBody`.
      surface: whether to compute the whole surface.
      project_rotations: whether Ω's matrices are projected to rotations before SMPL; the paper and
        the released code do not project.
      upright: whether to turn the input of Ω so that the torso is upright before the camera, and
        to turn the root rotation back. One network then handles people from all sides and upside
        down. Not in the paper.

    Raises:
      ValueError: if the parts have different numbers of points.

    Source: paper 3.2, 3.4, 4.5 and Fig. 2.
    """

    def __init__(
        self,
        pose_regressor: PoseRegressor | None = None,
        shape_regressor: ShapeRegressor | None = None,
        autoencoder: DenoisingAutoencoder | None = None,
        hourglass: StackedHourglass | None = None,
        bodies: Sequence[SMPLModelData] | None = None,
        template_lengths: Sequence[float] | None = None,
        gender_mode: GenderMode = "hard",
        surface: bool = False,
        project_rotations: bool = False,
        upright: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if bodies is None:
            bodies = [load_model_data(gender=gender) for gender in ("female", "male")]
        self.pose_regressor = pose_regressor or PoseRegressor()
        self.shape_regressor = shape_regressor or ShapeRegressor()
        self.autoencoder = autoencoder
        self.hourglass = hourglass
        # Skeleton of the input points: the autoencoder's, or None for SMPLR's own.
        self.skeleton = None if autoencoder is None else autoencoder.skeleton
        self.num_points = _common_number_of_points(
            self.pose_regressor, self.shape_regressor, autoencoder, hourglass
        )
        num_betas = self.shape_regressor.output.shape[-1] - 1
        self.body = PointBody(bodies, num_betas, gender_mode, surface, name="body")
        lengths = (
            landmarks.template_lengths(bodies[0])[: self.num_points]
            if template_lengths is None
            else template_lengths
        )
        self.template_lengths = tuple(float(length) for length in lengths)
        self.project_rotations = project_rotations
        self.upright = upright
        self.built = True  # all parts are built by their constructors

    def with_autoencoder(self, autoencoder: DenoisingAutoencoder | None) -> "SMPLR":
        """Returns the same networks with another autoencoder, or without one."""
        return self._with(autoencoder=autoencoder)

    def with_hourglass(self, hourglass: StackedHourglass | None) -> "SMPLR":
        """Returns the same networks with another hourglass, or without one."""
        return self._with(hourglass=hourglass)

    def _with(self, **changed: keras.Model | None) -> "SMPLR":
        parts = {name: getattr(self, name) for name in _PARTS}
        return SMPLR(
            **{**parts, **changed},
            bodies=self.body.bodies,
            template_lengths=self.template_lengths,
            gender_mode=self.body.gender_mode,
            surface=self.body.surface,
            project_rotations=self.project_rotations,
            upright=self.upright,
            name=self.name,
        )

    def call(
        self, inputs: tf.Tensor | Mapping[str, tf.Tensor], training: bool | None = None
    ) -> dict[str, tf.Tensor]:
        """Estimates bodies.

        Args:
          inputs: points, root-relative, metres, camera axes, `[B, P, 3]`, missing ones NaN; those
            of the autoencoder's skeleton, with any origin, where it has one; or, with an
            hourglass, pictures `[B, S, S, 3]`; or a dict with `points` or `pictures` and any of
            `valid`: bool `[B, P]`, which points are present; `weights`: `[B, P]`, 0 to 1,
            confidence in the points of the autoencoder's skeleton; `rotations`: `[B, 24, 3, 3]`,
            replace Ω's; `shape`: `[B, num_betas + 1]`, replaces Ψ's.
          training: whether dropouts and normalisations of trainable parts are in training mode.

        Returns:
          A dict; points are root-relative, metres, camera axes:
            `volumes` (with an hourglass): see `StackedHourglass`;
            `points` `[B, P, 3]`: the input points, or those of the hourglass; missing ones 0;
            `denoised` (with an autoencoder) `[B, P, 3]`;
            `rotations` `[B, 24, 3, 3]`: parent-relative, the root's in camera axes;
            `shape` `[B, num_betas + 1]`: betas and gender;
            `joints` `[B, 23, 3]` and `landmarks` `[B, 18, 3]` of the body;
            `vertices` (with `surface`) `[B, V, 3]`.
        """

        def run(part, features):
            return part(features, training=training if part.trainable else False)

        if not isinstance(inputs, Mapping):
            inputs = {"points" if self.hourglass is None else "pictures": inputs}
        outputs = {}
        points = inputs.get("points")
        if points is None:
            outputs = dict(run(self.hourglass, inputs["pictures"]))
            points = outputs["points"]
        points, valid = observed_points(tf.cast(points, tf.float32), inputs.get("valid"))
        outputs["points"] = points
        if self.autoencoder is not None:
            if self.skeleton is not None:
                points = weighted_points(points, valid, inputs.get("weights"))
            points, valid = run(self.autoencoder, points), None
            outputs["denoised"] = points

        rotations = inputs.get("rotations")
        if rotations is None:
            rotations = self._regress_rotations(run, points, valid)
        if self.project_rotations:
            rotations = project_to_rotation(rotations)
        shape = inputs.get("shape")
        if shape is None:
            residuals = length_residuals(points, self.template_lengths, valid)
            shape = run(self.shape_regressor, residuals)
        body = self.body(rotations=rotations, betas=shape[..., :-1], gender=shape[..., -1])
        outputs["rotations"], outputs["shape"] = rotations, shape
        outputs["joints"], outputs["landmarks"] = split_points(body.pop("points"))
        return {**outputs, **body}

    def _regress_rotations(self, run, points, valid):
        """Runs Ω."""
        if not self.upright:
            return run(self.pose_regressor, bone_directions(points, valid))
        names = landmarks.point_skeleton(self.num_points).names[1:]
        weights = None if valid is None else tf.cast(valid, points.dtype)
        upright = torso_rotation(points, names, weights)
        turned = tf.einsum("nab,npb->npa", upright, points)
        rotations = run(self.pose_regressor, bone_directions(turned, valid))
        root = tf.matmul(upright, rotations[:, 0], transpose_a=True)
        return tf.concat([root[:, None], rotations[:, 1:]], axis=1)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Computes the losses of `compile` for the outputs that have targets."""
        return super().compute_loss(x, y, _targeted(y, y_pred), sample_weight, training)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Updates the metrics of `compile` for the outputs that have targets."""
        return super().compute_metrics(x, y, _targeted(y, y_pred), sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments; the bodies by their names."""
        parts = {name: getattr(self, name) for name in _PARTS}
        return {
            "name": self.name,
            **{name: keras.saving.serialize_keras_object(part) for name, part in parts.items()},
            "body": keras.saving.serialize_keras_object(self.body),
            "template_lengths": self.template_lengths,
            "project_rotations": self.project_rotations,
            "upright": self.upright,
        }

    @classmethod
    def from_pretrained(cls, name: str | Path = pretrained.POSE_SHAPE) -> "SMPLR":
        """Loads trained networks.

        Args:
          name: one of `smplr.pretrained.NAMES`, the folder of a finished run, or a `.keras` file.

        Returns:
          The model, not compiled.

        Raises:
          ValueError: it is missing, damaged, of another kind, or its body cannot be found.

        Example:
          >>> model = SMPLR.from_pretrained()
          >>> model.hourglass is None, model.pose_regressor.input.shape
          (True, (None, 41, 3))
        """
        path = pretrained.model_file(name)
        return join_networks(load_model(path, cls), path)

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> "SMPLR":
        """Builds the model from `get_config`."""
        config = {
            name: keras.saving.deserialize_keras_object(value)
            if isinstance(value, dict)
            else value
            for name, value in config.items()
        }
        body = config.pop("body")
        return cls(
            bodies=body.bodies, gender_mode=body.gender_mode, surface=body.surface, **config
        )


def join_networks(model: SMPLR, path: Path) -> SMPLR:
    """Adds the networks that are stored in files next to a model, if there are any.

    Args:
      model: the loaded model.
      path: its `.keras` file.

    Returns:
      The model, not compiled.

    Raises:
      ValueError: a file next to it is damaged, or of another kind.
    """
    autoencoder = path.with_name(pretrained.AUTOENCODER_FILE)
    if model.autoencoder is None and autoencoder.is_file():
        model = model.with_autoencoder(load_model(autoencoder, DenoisingAutoencoder))
    hourglass = path.with_name(pretrained.HOURGLASS_FILE)
    if model.hourglass is None and hourglass.is_file():
        model = model.with_hourglass(load_model(hourglass, StackedHourglass))
    return model


def weighted_points(
    points: tf.Tensor, valid: tf.Tensor, weights: tf.Tensor | None = None
) -> tf.Tensor:
    """Formats points for an autoencoder that has a skeleton.

    Args:
      points: metres, camera axes, `[B, P, 3]`.
      valid: bool `[B, P]`.
      weights: `[B, P]`, 0 to 1; None: all 1.

    Returns:
      x, y, z, weight, `[B, P, 4]`; weight 0 where missing.
    """
    trust = tf.cast(valid, points.dtype)
    if weights is not None:
        trust *= tf.clip_by_value(tf.cast(weights, points.dtype), 0.0, 1.0)
    return tf.concat([points, trust[..., None]], axis=-1)


def _targeted(targets, outputs):
    """Returns the outputs that have a target; Keras requires a target for each output."""
    return {name: outputs[name] for name in targets}


def _common_number_of_points(
    pose_regressor: PoseRegressor,
    shape_regressor: ShapeRegressor,
    autoencoder: DenoisingAutoencoder | None,
    hourglass: StackedHourglass | None,
) -> int:
    numbers = {
        "pose_regressor": pose_regressor.input.shape[1],
        "shape_regressor": shape_regressor.input.shape[1],
    }
    if autoencoder is not None:
        numbers["autoencoder"] = autoencoder.output.shape[1]
    if hourglass is not None:
        numbers["hourglass"] = hourglass.output["points"].shape[1]
    if len(set(numbers.values())) > 1:
        raise ValueError(
            "SMPLR: expected all parts to have the same number of points, got "
            + ", ".join(f"{name} {number}" for name, number in numbers.items())
            + "; build them with the same num_points."
        )
    return numbers["pose_regressor"]
