"""What the NBF scripts share: the flags of a run, its data, its network, its checkpoints."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import tensorflow as tf
from absl import flags

from datasets import pipelines, records, synthetic, transforms
from experiments import checkpoints
from experiments.common import UserError, quiet_c
from experiments.nbf_flags import define_run_flags
from experiments.run_folder import RunFolder
from nbf import FittingLoss, FittingNetwork, input_maps, parameters, targets
from nbf.optimizers import paper_optimizer
from smpl_tf import SMPLModelData, load_model_data

SPLITS = ("train", "val", "test")


def generate_data(values: flags.FlagValues) -> None:
    """Makes the synthetic people that are asked for and not there yet.

    Args:
      values: the flags of the run.

    Raises:
      RecordError: the folder holds other data.
    """
    config = synthetic.SyntheticConfig(
        seed=values.synthetic_seed, image_size=values.synthetic_image_size
    )
    for split in SPLITS:
        count = values[f"synthetic_{split}"].value
        if count:
            with quiet_c():
                synthetic.generate(values.data, split, count, config, workers=values.workers)


@contextmanager
def naming_damage(directory: str, *splits: str) -> Iterator[None]:
    """Names the record when reading stumbles over a damaged one.

    Args:
      directory: folder of the shards.
      *splits: those that the block reads.

    Yields:
      Nothing.

    Raises:
      RecordError: naming the shard, the place in it, and what to do.
    """
    try:
        yield
    except tf.errors.OpError:
        for split in splits:
            records.diagnose(directory, split)
        raise


def check_data(values: flags.FlagValues, body: SMPLModelData) -> dict[str, str]:
    """Checks that every split is there, whole, and of the body in use.

    Args:
      values: the flags of the run.
      body: the body to fit.

    Returns:
      Split -> a fingerprint of its bytes.

    Raises:
      RecordError: a split is missing or damaged.
      UserError: its parameters belong to another body.
    """
    return {split: check_split(values, body, split) for split in SPLITS}


def check_split(values: flags.FlagValues, body: SMPLModelData, split: str) -> str:
    """Checks that one split is there, whole, and of the body in use.

    Args:
      values: the flags of the run.
      body: the body to fit.
      split: the split's name.

    Returns:
      A fingerprint of its bytes.

    Raises:
      RecordError: it is missing or damaged.
      UserError: its parameters belong to another body.
    """
    manifest = records.check(values.data, split)
    # Without a neutral body, nothing in the split depends on one.
    if "neutral" in manifest.bodies:
        check_body(body, manifest.bodies["neutral"], f"{values.data}, split '{split}'")
    shards = "".join(shard.sha256 for shard in manifest.shards)
    return hashlib.sha256(shards.encode()).hexdigest()[:16]


def check_body(body: SMPLModelData, fingerprint: str, where: str) -> None:
    """Refuses a body other than the one that parameters belong to.

    Args:
      body: the body in use.
      fingerprint: that of the body wanted.
      where: the file that wants it.

    Raises:
      UserError: they differ.
    """
    if body.fingerprint != fingerprint:
        raise UserError(
            f"{where}: made with the body {fingerprint}, but --body_model gives {body.name} "
            f"({body.fingerprint}); betas mean nothing on another body: give the same "
            "--body_model, or train anew with this one"
        )


def features(values: flags.FlagValues) -> tuple[str, ...]:
    """The features of an Example that the network's input and targets need.

    Args:
      values: the flags of the run.

    Returns:
      Keys of `EXAMPLE_FEATURES`.
    """
    encoding = input_maps.input_map(values.input_map)
    picture = ("image/encoded",) if values.input_map == "rgb" or values.mirror else ()
    parts = ("parts/encoded", "parts/valid") if encoding.scheme is not None else ()
    return (*targets.TARGET_FEATURES, *picture, *parts)


def to_targets(values: flags.FlagValues):
    """Makes the function from a batch of Examples to inputs and targets.

    Args:
      values: the flags of the run.

    Returns:
      A function for `Dataset.map`.
    """

    def convert(examples):
        return targets.fitting_targets(
            examples, values.input_map, values.input_size, values.share_3d, values.seed
        )

    return convert


def training_batches(values: flags.FlagValues, epoch: int) -> tuple[tf.data.Dataset, int]:
    """The batches from one epoch on, without end; a function of the seed and the epoch alone.

    Args:
      values: the flags of the run.
      epoch: the first epoch, from 0.

    Returns:
      The dataset of (inputs, targets), and the number of batches per epoch.

    Raises:
      UserError: there are fewer Examples than a batch holds.
    """
    count = records.read_manifest(values.data, "train").count
    steps = count // values.batch_size
    if steps == 0:
        raise UserError(
            f"{values.data}: {count} training Examples do not fill a batch; "
            f"lower --batch_size={values.batch_size}"
        )
    examples = pipelines.load(
        values.data,
        "train",
        seed=values.seed,
        epoch=epoch,
        epochs=None,
        features=features(values),
        cache=values.cache,
        transform=transforms.random_mirror if values.mirror else None,
    )
    # The Examples that do not fill a last batch are left out, so that no batch reaches into the
    # next epoch and a resumed run has the same batches.
    whole = examples.enumerate().filter(lambda i, _: i % count < steps * values.batch_size)
    batches = whole.map(lambda _, example: example).batch(values.batch_size, drop_remainder=True)
    batches = batches.map(to_targets(values), num_parallel_calls=tf.data.AUTOTUNE)
    return batches.prefetch(tf.data.AUTOTUNE), steps


def held_out_batches(values: flags.FlagValues, split: str) -> tf.data.Dataset:
    """The batches of a split in their stored order.

    Args:
      values: the flags of the run.
      split: "val" or "test".

    Returns:
      The dataset of (inputs, targets).
    """
    examples = pipelines.load(values.data, split, features=features(values))
    batches = examples.batch(values.batch_size).map(to_targets(values))
    return batches.cache().prefetch(tf.data.AUTOTUNE)


def mean_parameters(values: flags.FlagValues) -> np.ndarray:
    """The mean of the training set's parameters, which the network predicts offsets from.

    Args:
      values: the flags of the run.

    Returns:
      `[226]` float32.
    """
    examples = pipelines.load(
        values.data, "train", features=parameters.STATISTICS_FEATURES, decode=False
    )
    mean, _ = parameters.parameter_statistics(examples.batch(256))
    return mean


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
        input_channels=input_maps.input_map(values.input_map).channels,
        head=values.head,
        body=body,
        special_rotations=values.special_rotations,
        backbone_weights=values.backbone_weights,
    )


def compile_network(network: FittingNetwork, values: flags.FlagValues, steps: int) -> None:
    """Gives a network its losses and its optimiser.

    Args:
      network: the network.
      values: the flags of the run.
      steps: batches of the whole training, over which the learning rate falls to 0.
    """
    network.compile(
        paper_optimizer(steps, values.learning_rate, values.decay_power, values.beta_1),
        loss=FittingLoss(
            parameters_weight=values.parameters_weight,
            joints_3d_weight=values.joints_3d_weight,
            joints_2d_weight=values.joints_2d_weight,
            weight_decay=values.weight_decay,
        ),
        jit_compile=values.jit_compile,
    )
    # With all its variables there, the training step is traced once and not twice.
    network.optimizer.build(network.trainable_variables)


def flags_of(run: RunFolder, **changed: str | None) -> flags.FlagValues:
    """Reads the flags of an earlier run.

    Args:
      run: the run.
      **changed: flags to set otherwise; None leaves what the run has.

    Returns:
      The flags.
    """
    values = flags.FlagValues()
    define_run_flags(values)
    run.restore_flags(values)
    for name, value in changed.items():
        if value is not None:
            values[name].value = value
    return values


def restore_network(
    run: RunFolder, values: flags.FlagValues
) -> tuple[FittingNetwork, checkpoints.Checkpoint]:
    """Rebuilds the network of a run from its newest checkpoint.

    Args:
      run: the run.
      values: its flags.

    Returns:
      The network, not compiled, and the checkpoint.

    Raises:
      UserError: there is no checkpoint, or it belongs to another body.
    """
    checkpoint = checkpoints.latest(run.checkpoints)
    if checkpoint is None:
        raise UserError(
            f"{run.checkpoints}: no checkpoint yet; first train to the end of an epoch with "
            f"experiments/train_nbf.py --flagfile={run.flags_file} --runs_dir={run.path.parent} "
            f"--run_name={run.path.name}"
        )
    body = load_model_data(values.body_model)
    check_body(body, checkpoint.state["body"], str(checkpoint.weights))
    network = build_network(values, body)
    checkpoints.restore(checkpoint, network)
    return network, checkpoint
