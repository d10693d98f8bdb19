"""Shared code of the SMPLR scripts: bodies, networks of a stage and of earlier runs, losses."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import keras
from absl import flags

from datasets.bodies import Bodies
from datasets.splits import Split
from datasets.synthetic.people import OPEN_BODIES
from experiments.runs.common import REPOSITORY, UserError
from experiments.runs.run_folder import RunFolder, serialize_flags
from experiments.smplr.flags import define_run_flags
from smpl_tf import SMPLModelData, keras_files, load_model_data, metrics
from smpl_tf.errors import one_line
from smpl_tf.files import write_text, written_aside
from smpl_tf.model_data import BodyNotFoundError
from smplr import (
    SMPLR,
    DenoisingAutoencoder,
    PoseRegressor,
    ShapeRegressor,
    StackedHourglass,
    losses,
)
from smplr.model import join_networks

# The networks in a finished run of each stage.
NETWORKS_OF_STAGE = {
    "hourglass": ("hourglass",),
    "dae": ("autoencoder",),
    "pose": ("pose_regressor",),
    "shape": ("shape_regressor",),
    "pose_shape": ("pose_regressor", "shape_regressor"),
    "end_to_end": ("hourglass", "autoencoder", "pose_regressor", "shape_regressor"),
}
# Outputs of the hourglass, with the same losses in every stage.
OF_HOURGLASS = ("volumes", "points")
# Outputs of SMPL behind the regressors.
_OF_SMPL = ("joints", "landmarks")
# The networks that a stage trains.
TRAINED_NETWORKS = {**NETWORKS_OF_STAGE, "end_to_end": ("hourglass",)}


def trained_networks(values: flags.FlagValues) -> tuple[str, ...]:
    """Returns the networks that a run trains.

    Args:
      values: the flags of the run.

    Returns:
      Their names.

    Raises:
      UserError: --train_autoencoder without an autoencoder in front of Ω and Ψ.
    """
    names = TRAINED_NETWORKS[values.stage]
    if not values.train_autoencoder:
        return names
    if values.stage != "pose_shape" or not values.denoise:
        raise UserError("--train_autoencoder needs --stage=pose_shape and --denoise")
    return (*names, "autoencoder")


def bodies(values: flags.FlagValues) -> list[SMPLModelData]:
    """Loads the bodies of a run.

    Args:
      values: the flags of the run.

    Returns:
      The neutral body, or the female and the male one.
    """
    genders = ("neutral",) if values.neutral else ("female", "male")
    return [load_model_data(values[f"{gender}_body"].value, gender) for gender in genders]


def people_of(values: flags.FlagValues) -> Bodies:
    """Returns the bodies of a run's synthetic people: those of its flags.

    Args:
      values: the flags of the run.

    Returns:
      The files in the flags, or all three open bodies.
    """
    if values.neutral and values.neutral_body:
        return Bodies(neutral=values.neutral_body)
    bodies = Bodies(values.neutral_body, values.female_body, values.male_body)
    return bodies if bodies.given else OPEN_BODIES


def check_bodies_of(split: Split, bodies: Iterable[SMPLModelData]) -> None:
    """Rejects pictures whose shape parameters belong to other bodies.

    Args:
      split: of the pictures.
      bodies: those of the run.

    Raises:
      UserError: the bodies differ.
    """
    known = split.manifest.bodies
    for body in bodies:
        wanted = known.get(body.gender, body.fingerprint)
        if body.fingerprint != wanted:
            raise UserError(
                f"{split.directory}: its betas belong to the {body.gender} body {wanted}, but "
                f"--{body.gender}_body gives {body.name} ({body.fingerprint}); give the body that "
                "the data were converted with"
            )


def build_model(values: flags.FlagValues) -> keras.Model:
    """Builds the model of a stage, with networks of earlier runs or new ones.

    Args:
      values: the flags of the run.

    Returns:
      A DenoisingAutoencoder, a StackedHourglass, or an SMPLR that contains them; networks that the
      stage does not train are frozen.

    Raises:
      UserError: a network that the stage does not train is missing, or a run is unreadable.
    """
    trained_networks(values)  # checks the flags before loading networks
    found = earlier_networks(values)
    num_points = 41 if values.landmarks else 23
    if values.stage == "dae":
        return found.get("autoencoder") or DenoisingAutoencoder(
            num_points,
            values.keep_probability,
            values.activation,
            values.skeleton if values.noise == "finder" else None,
        )
    if values.stage == "hourglass":
        return found.get("hourglass") or StackedHourglass(
            image_size=values.image_size,
            num_stacks=values.stacks,
            width=values.width,
            bins=values.bins,
            num_points=num_points,
            num_limbs=4 if values.limbs else 0,
            centred=values.centred_grid,
            prior_height=values.volume_height if values.prior_bias else None,
        )
    return _joined(found, values)


def _joined(found: dict[str, keras.Model], values: flags.FlagValues) -> SMPLR:
    """Joins the networks of a stage to one model; those that it does not train are frozen."""
    num_points = 41 if values.landmarks else 23
    end_to_end = values.stage == "end_to_end"
    _require_networks(values, found, NETWORKS_OF_STAGE["end_to_end"] if end_to_end else ())
    if values.denoise and not end_to_end:
        _require_networks(values, found, ("autoencoder",))
    model = SMPLR(
        pose_regressor=found.get("pose_regressor") or PoseRegressor(num_points, values.activation),
        shape_regressor=found.get("shape_regressor")
        or ShapeRegressor(num_points, activation=values.activation),
        autoencoder=found.get("autoencoder") if values.denoise or end_to_end else None,
        hourglass=found.get("hourglass") if end_to_end else None,
        bodies=bodies(values),
        gender_mode=values.gender_mode,
        upright=values.upright,
        project_rotations=values.project_rotations,
    )
    for name in NETWORKS_OF_STAGE["end_to_end"]:
        network = getattr(model, name)
        if network is not None:
            network.trainable = name in trained_networks(values)
    return model


def _require_networks(values, found, names) -> None:
    missing = [name for name in names if name not in found]
    if missing:
        raise UserError(
            f"--stage={values.stage} needs a trained {', '.join(missing)}; give the folders of "
            "their runs as --networks=runs/a,runs/b"
        )


def earlier_networks(
    values: flags.FlagValues, within: tuple[Path, ...] = ()
) -> dict[str, keras.Model]:
    """Loads the networks of the runs in `--networks`; later runs take precedence.

    Args:
      values: the flags of the run.
      within: folders of the runs that refer to it.

    Returns:
      Name -> network.

    Raises:
      UserError: a folder has no finished run.
    """
    found = {}
    for folder in values.networks:
        model, stage = load_model(named_run(folder), within)
        for name in NETWORKS_OF_STAGE[stage]:
            found[name] = model if stage in ("dae", "hourglass") else getattr(model, name)
        if isinstance(model, SMPLR) and model.autoencoder is not None:
            found["autoencoder"] = model.autoencoder
    return found


def named_run(folder: str) -> RunFolder:
    """Finds a run of `--networks`.

    Args:
      folder: relative to the working directory or, for shipped runs, to the repository.

    Returns:
      The run folder; it need not exist.
    """
    shipped = REPOSITORY / folder
    return RunFolder(shipped if shipped.exists() and not Path(folder).exists() else Path(folder))


def earlier_hourglass(values: flags.FlagValues) -> tuple[StackedHourglass, Path]:
    """Finds the hourglass in the runs of `--networks`.

    Args:
      values: the flags of the run.

    Returns:
      The hourglass and the folder of its run; the last one takes precedence.

    Raises:
      UserError: there is none, or a run is unfinished.
    """
    for folder in reversed(values.networks):
        run = named_run(folder)
        model, stage = load_model(run)
        if "hourglass" in NETWORKS_OF_STAGE[stage]:
            return (model if stage == "hourglass" else model.hourglass), run.path
    raise UserError("points of an hourglass need its run: give its folder in --networks=runs/...")


def load_model(run: RunFolder, within: tuple[Path, ...] = ()) -> tuple[keras.Model, str]:
    """Loads the finished model of a run.

    Args:
      run: the run. A copy of --stage=end_to_end by ship_smplr.py has only the hourglass, which is
        all that the stage trains, and is joined with its --networks.
      within: folders of the runs that refer to it in their --networks.

    Returns:
      The model, and its stage.

    Raises:
      UserError: the run is missing, unfinished, damaged, or in its own --networks.
      BodyNotFoundError: its body cannot be found.
    """
    path = run.model_file
    if not path.exists():
        raise UserError(
            f"{path}: not found; finish its training with experiments/train_smplr.py first"
        )
    values, folder = flags_of(run), run.path.resolve()
    if folder in within:
        raise UserError(f"{run.flags_file}: its --networks refer back to itself; get a whole copy")
    try:
        with keras_files.checked(path):
            model = keras.saving.load_model(path, compile=False)
        if isinstance(model, SMPLR):
            model = join_networks(model, path)
    except BodyNotFoundError:
        raise
    except Exception as error:  # Keras raises many kinds of errors on damaged archives
        raise UserError(
            f"{path}: not a model of train_smplr.py, or damaged ({one_line(error)[:200]}); train "
            "it again, or get a whole copy"
        ) from error
    if values.stage == "end_to_end" and isinstance(model, StackedHourglass):
        earlier = earlier_networks(values, (*within, folder))
        model = _joined({**earlier, "hourglass": model}, values)
    return model, values.stage


def keep_joined(run: RunFolder, model: SMPLR, values: flags.FlagValues) -> None:
    """Writes networks of several runs, joined to one model, as a new run.

    Args:
      run: to write.
      model: the joined networks.
      values: the flags that joined them, with the stage; they may include more than a run's flags.

    Raises:
      UserError: the folder already has a training.
    """
    if run.has_results():
        raise UserError(
            f"{run.path}: already has a training; give another --run_name for the joined networks"
        )
    own = flags.FlagValues()
    define_run_flags(own)
    lines = serialize_flags(values).items()
    write_text(run.flags_file, "".join(f"{line}\n" for name, line in lines if name in own))
    with written_aside(run.model_file) as aside:
        model.save(aside)


def flags_of(run: RunFolder) -> flags.FlagValues:
    """Reads the flags of an earlier run.

    Args:
      run: the run.

    Returns:
      The flags.
    """
    return run.flag_values(define_run_flags)


def compile_model(model: keras.Model, values: flags.FlagValues, steps: int) -> None:
    """Compiles a model with the losses of its stage and its optimiser.

    Args:
      model: from `build_model`.
      values: the flags of the run.
      steps: batches of the whole training, over which the learning rate falls.

    Source: paper 3.2 to 3.4, 4.1 and 4.5.
    """
    schedule = keras.optimizers.schedules.CosineDecay(
        values.learning_rate, steps, alpha=values.final_learning_rate / values.learning_rate
    )
    loss, weights, measured = _losses(values)
    model.compile(
        keras.optimizers.Adam(schedule),
        loss=loss,
        loss_weights=weights,
        metrics=measured,
        jit_compile=values.jit_compile,
    )
    model.optimizer.build(model.trainable_variables)  # so that the step is traced once


def _losses(values):
    """Returns loss, loss weights and metrics by output of the stage's model."""
    if values.stage == "dae":
        return losses.PointLoss(values.bone_weight), None, [metrics.MPJPE()]
    error = losses.MeanAbsoluteError()
    volume_error = losses.VolumeLoss(
        values.volume_height,
        values.limb_profile,
        centred=values.centred_grid,
        entropy=values.volume_entropy,
    )
    hourglass_weights = {"volumes": values.volume_weight, "points": values.point_weight}
    hourglass_weights = {name: weight for name, weight in hourglass_weights.items() if weight}
    both = {"volumes": volume_error, "points": error}
    of_hourglass = {name: both[name] for name in hourglass_weights}
    if values.stage == "hourglass":
        return of_hourglass, hourglass_weights, {"points": [metrics.MPJPE()]}
    loss = {"joints": error, "landmarks": error}
    if values.stage != "shape":
        loss["rotations"] = error
    if values.stage != "pose":
        loss["shape"] = losses.ShapeLoss(values.shape_regularizer)
    measured = {"joints": [metrics.MPJPE()]}
    if values.train_autoencoder:
        loss["denoised"] = losses.PointLoss(values.bone_weight)
    if values.stage != "end_to_end":
        weights = {name: values.smpl_weight if name in _OF_SMPL else 1.0 for name in loss}
        if values.train_autoencoder:
            weights["denoised"] = values.denoised_weight
        # A loss with weight zero would still compute its gradient through SMPL.
        kept = {name: one for name, one in loss.items() if weights[name]}
        return kept, {name: weights[name] for name in kept}, measured
    loss["denoised"] = losses.PointLoss(values.bone_weight)
    weights = dict.fromkeys(loss, values.intermediate_weight)
    weights |= dict.fromkeys(_OF_SMPL, values.end_to_end_weight)
    measured["points"] = [metrics.MPJPE()]
    return {**loss, **of_hourglass}, {**weights, **hourglass_weights}, measured
