"""The fitting network of a run: its input, construction, compilation and loading."""

from __future__ import annotations

import warnings
from pathlib import Path

import keras
from absl import flags

from datasets import pipelines
from datasets.bodies import Bodies
from datasets.splits import Mixture
from datasets.synthetic.people import OPEN_BODIES
from experiments.nbf.data import Feed
from experiments.nbf.flags import define_run_flags
from experiments.runs.common import UserError
from experiments.runs.run_folder import RunFolder
from nbf import FittingLoss, FittingNetwork, input_maps, parameters, targets
from nbf.landmarks import MESH
from nbf.optimizers import paper_optimizer
from smpl_tf import SMPLModelData, keras_files, load_model_data
from smpl_tf.model_data import BodyNotFoundError
from smpl_tf.skeleton import SMPL_24


def feed(values: flags.FlagValues, held_out: bool = False) -> Feed:
    """Returns the conversion of Examples for the fitting network.

    Args:
      values: the flags of the run.
      held_out: whether they are held out; --share_3d and --share_2d apply only to training.

    Returns:
      The features it needs, and the function that makes inputs and targets.
    """
    parts = input_maps.input_map(values.input_map).scheme is not None
    landmarks = _landmarks(values)
    body = load_body(values) if landmarks or values.input_map == "joints_14" else None
    return Feed(
        (
            *targets.TARGET_FEATURES,
            *(("image/encoded",) if values.input_map == "rgb" else ()),
            *(("parts/encoded", "parts/valid") if parts else ()),
        ),
        lambda examples: targets.fitting_targets(
            examples,
            values.input_map,
            values.input_size,
            share_3d=1.0 if held_out else values.share_3d,
            share_2d=1.0 if held_out else values.share_2d,
            seed=values.seed,
            landmarks=landmarks,
            body=body,
        ),
    )


def _landmarks(values):
    """Returns the number of landmarks in L_3D and L_2D; None for SMPL's joints."""
    points = _loss_points(values)
    return None if points == len(SMPL_24) else points


def _loss_points(values):
    """Returns the points of L_3D and L_2D, in the form that `FittingLoss` takes."""
    return MESH if values.loss_points == MESH else int(values.loss_points)


def prepare_network(network: FittingNetwork, values: flags.FlagValues, train: Mixture) -> None:
    """Gives a new network the mean of its training targets, to which it predicts offsets.

    Args:
      network: the network.
      values: the flags of the run; with --share_3d the mean is over the kept labels.
      train: the training set. Without any 3D label the network is not changed.
    """
    features = (*parameters.STATISTICS_FEATURES, "id")
    examples = pipelines.load_mixture(train, features=features, decode=False)
    if values.share_3d < 1:
        examples = examples.filter(
            lambda example: targets.keeps_labels(example["id"], values.share_3d, values.seed)
        )
    try:
        mean, _ = parameters.parameter_statistics(examples.batch(256))
    except ValueError:
        if values.share_3d == 1:
            raise
        return
    network.mean_parameters.assign(mean)


def backbone_weights(values: flags.FlagValues) -> str | None:
    """Returns the initial weights of the encoder.

    Args:
      values: the flags of the run; "none" overrides a flag file.

    Returns:
      A weight file, "imagenet", or None.
    """
    return None if values.backbone_weights in ("", "none") else values.backbone_weights


def build_network(values: flags.FlagValues, body: SMPLModelData) -> FittingNetwork:
    """Builds the network of a run.

    Args:
      values: the flags of the run.
      body: the body to fit.

    Returns:
      The network, not compiled.
    """
    return FittingNetwork(
        backbone=values.backbone,
        input_size=values.input_size,
        input_map=values.input_map,
        head=values.head,
        body=body,
        landmarks=_landmarks(values),
        special_rotations=values.special_rotations,
        backbone_weights=backbone_weights(values),
        frozen_backbone=values.frozen_backbone,
    )


def loss(values: flags.FlagValues) -> FittingLoss:
    """Builds the losses of a run.

    Args:
      values: the flags of the run.

    Returns:
      The loss.
    """
    return FittingLoss(
        parameters_weight=values.parameters_weight,
        joints_3d_weight=values.joints_3d_weight,
        joints_2d_weight=values.joints_2d_weight,
        parameters_loss=values.parameters_loss,
        joints_3d_loss=values.joints_3d_loss,
        joints_2d_loss=values.joints_2d_loss,
        parameters_scale=values.parameters_scale,
        joints_3d_scale=values.joints_3d_scale,
        joints_2d_scale=values.joints_2d_scale,
        loss_points=_loss_points(values),
        projected_rotations=values.projected_rotations,
        center_2d=None if values.center_2d == "none" else values.center_2d,
        weight_decay=values.weight_decay,
    )


def compile_network(network: FittingNetwork, values: flags.FlagValues, steps: int) -> None:
    """Compiles a network with its losses and its optimiser.

    Args:
      network: the network.
      values: the flags of the run.
      steps: batches of the whole training, over which the learning rate falls to 0.
    """
    network.compile(
        paper_optimizer(steps, values.learning_rate, values.decay_power, values.beta_1),
        loss=loss(values),
        jit_compile=values.jit_compile,
    )
    # With all variables created, the training step is traced only once.
    network.optimizer.build(network.trainable_variables)


def flags_of(run: RunFolder, **changed: str | None) -> flags.FlagValues:
    """Reads the flags of an earlier run.

    Args:
      run: the run.
      **changed: flags to override; None keeps the run's value.

    Returns:
      The flags.
    """
    return run.flag_values(define_run_flags, **changed)


def load_body(values: flags.FlagValues) -> SMPLModelData | None:
    """Loads the body that a run fits.

    Args:
      values: the flags of the run.

    Returns:
      The body; None for a segmentation, which has no body.
    """
    return load_model_data(values.body_model) if values.stage == "fitting" else None


def people_of(values: flags.FlagValues) -> Bodies:
    """Returns the bodies of a run's synthetic people: the one that it fits.

    Args:
      values: the flags of the run.

    Returns:
      The neutral body of --body_model, or all three open bodies.
    """
    return Bodies(neutral=values.body_model) if values.body_model else OPEN_BODIES


def load_network(run: RunFolder, body: str | None = None) -> FittingNetwork:
    """Loads the fitting network of a finished run.

    Args:
      run: the run.
      body: the current file of the body that it was trained with; None: unchanged.

    Returns:
      The network, not compiled.

    Raises:
      UserError: the run is not finished, is of the other stage, or its body is not at hand.
    """
    try:
        return FittingNetwork.from_pretrained(finished_model(run), body)
    except BodyNotFoundError as error:
        raise UserError(f"{run.model_file}: {error} Or give its file as --body_model.") from error
    except ValueError as error:
        if body is None:
            raise
        raise UserError(f"--body_model={body}: {error}") from error


def finished_model(run: RunFolder) -> Path:
    """Finds the model of a finished run.

    Args:
      run: the run.

    Returns:
      The `.keras` file.

    Raises:
      UserError: the run is not finished.
    """
    if not run.model_file.is_file():
        raise UserError(
            f"{run.model_file}: not found; finish the training with experiments/train_nbf.py "
            f"--flagfile={run.flags_file} --runs_dir={run.path.parent} --run_name={run.path.name}"
        )
    return run.model_file


def start_from(run: RunFolder, network: keras.Model) -> None:
    """Loads the weights of an earlier run, of any picture size, into a new network.

    Args:
      run: the earlier run.
      network: of the same architecture, not compiled.

    Raises:
      UserError: the run is unfinished, or its network has another architecture.
    """
    path = finished_model(run)
    try:
        with warnings.catch_warnings():
            # Keras first warns about mismatches, and then raises.
            warnings.simplefilter("ignore", UserWarning)
            keras_files.check_weights(path)
            network.load_weights(path)
    except ValueError as error:
        raise UserError(
            f"--initial_run={run.path}: {path.name} does not fit this network; "
            f"its architecture is in {run.flags_file}"
        ) from error
