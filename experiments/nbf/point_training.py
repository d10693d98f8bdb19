"""Training of the points-and-mask network, and its evaluation on held-out people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from experiments.nbf import networks
from experiments.nbf.evaluation import METRICS
from experiments.nbf.point_people import PointPeople, load_people
from experiments.runs import checkpoints, common, distribution, epochs, training
from experiments.runs.run_folder import RunFolder
from experiments.runs.training import Training
from nbf import FittingLoss, FittingNetwork
from nbf.fitting import POINT_ENCODER
from nbf.input_maps import POINTS_MASK
from nbf.landmarks import landmark_body
from nbf.metrics import HeadSize, fitting_errors
from nbf.optimizers import paper_optimizer
from nbf.parameters import join_parameters
from nbf.point_targets import point_targets, without_mask
from nbf.proxy_corruption import Corruption
from smpl_tf import SMPL, SMPLModelData, load_model_data
from smpl_tf.files import written_aside
from smpl_tf.skeleton import PHOTOGRAPH_21

# Random stream next to the one that the seed itself starts.
_TEST_STREAM = 1 << 20


def train(opened: Training, values: flags.FlagValues) -> FittingNetwork:
    """Trains the network, from its newest checkpoint if there is one, and saves it.

    Args:
      opened: the folder of the run, and the strategy.
      values: the flags of the run.

    Returns:
      The trained network.

    Raises:
      UserError: a checkpoint does not fit, or a loss is not finite.
    """
    run, strategy = opened.run, opened.strategy
    common.prepare_keras(values.seed, values.mixed_precision)
    body_data = load_model_data(values.body_model)
    needed = {**checkpoints.OF_TRAINING, "people": int, "data": dict}
    checkpoint = checkpoints.latest(run.checkpoints, needed)
    people = load_people("train", values.people, body_data, values.workers)
    with strategy.scope():
        network = build_network(values, body_data)
        if checkpoint is None and values.initial_run:
            networks.start_from(RunFolder.existing(values.initial_run), network)
        compile_network(network, values)
    if checkpoint:
        checkpoints.restore(checkpoint, network)
    epoch = distribution.agree(strategy, checkpoint.epoch if checkpoint else 0, str(run.path))
    batches = training_batches(people, point_body(network), values, epoch)
    distribution.prepare_fit(strategy, network, batches.element_spec)

    def share(reader):
        if reader.num_replicas_in_sync == 1:
            return batches
        return epochs.share_of_batches(batches, values.batch_size, reader)

    training.fit(
        opened,
        values,
        network,
        distribution.spread(strategy, share),
        values.steps_per_epoch,
        None,
        checkpoint,
        {"body": body_data.fingerprint, "people": values.people, "data": {}},
        lambda epoch, step: [f"batch {epoch * values.steps_per_epoch + step}, seed {values.seed}"],
    )
    if opened.is_chief:
        with written_aside(run.model_file) as aside:
            network.save(aside)
    return network


def build_network(values: flags.FlagValues, body: SMPLModelData) -> FittingNetwork:
    """Builds the network of a run.

    Args:
      values: the flags of the run.
      body: the body to fit.

    Returns:
      The network, not compiled.
    """
    return FittingNetwork(
        POINT_ENCODER, values.input_size, head="flatten", body=body, input_map=POINTS_MASK
    )


def compile_network(network: FittingNetwork, values: flags.FlagValues) -> None:
    """Gives a network its losses and its optimiser.

    Args:
      network: the network.
      values: the flags of the run.
    """
    network.compile(
        paper_optimizer(
            values.steps_per_epoch * values.epochs,
            values.learning_rate,
            values.decay_power,
            values.beta_1,
        ),
        loss=FittingLoss(
            values.parameters_weight,
            values.joints_3d_weight,
            values.joints_2d_weight,
            weight_decay=values.weight_decay,
        ),
        jit_compile=values.jit_compile,
    )
    network.optimizer.build(network.trainable_variables)


def point_body(network: FittingNetwork) -> SMPL:
    """The SMPL layer that computes the points of PHOTOGRAPH_21."""
    return landmark_body(network.body.model_data, PHOTOGRAPH_21)


def training_batches(
    people: PointPeople, body: SMPL, values: flags.FlagValues, epoch: int
) -> tf.data.Dataset:
    """Makes endless batches of corrupted people; they depend only on the seed and the number.

    Args:
      people: to choose from.
      body: of `point_body`.
      values: the flags of the run.
      epoch: the first one, from 0.

    Returns:
      The dataset of (inputs, targets).
    """
    stored = {name: tf.constant(array) for name, array in people._asdict().items()}

    def draw(number):
        seeds = tf.unstack(tf.random.split(tf.stack([tf.cast(values.seed, tf.int64), number])))
        rows = tf.random.stateless_uniform(
            [values.batch_size], seeds[0], 0, len(people.pose), tf.int32
        )
        batch = {name: tf.gather(array, rows) for name, array in stored.items()}
        return point_targets(batch, body, values.input_size, seeds[1], Corruption())

    numbers = tf.data.Dataset.counter(epoch * values.steps_per_epoch)
    return numbers.map(draw, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(4)


def evaluate(network: FittingNetwork, values: flags.FlagValues) -> dict[str, dict[str, float]]:
    """Evaluates the network on held-out people.

    Args:
      network: the trained network.
      values: the flags of the run.

    Returns:
      Input -> metric -> value, for `true` points and masks, `corrupted` ones, and
      `corrupted_points` without a mask; and for the mean body, `rest`.
    """
    body = point_body(network)
    people = load_people("test", values.test_people, network.body.model_data, values.workers)
    batches = tf.data.Dataset.from_tensor_slices(people._asdict()).batch(values.batch_size)
    predict = tf.function(network, reduce_retracing=True)
    head_size = HeadSize(network.body.model_data)
    errors: dict[str, list[Mapping[str, tf.Tensor]]] = {}
    for number, batch in enumerate(batches):
        seed = tf.constant([_TEST_STREAM, number])
        for name, corruption in (("true", None), ("corrupted", Corruption())):
            inputs, targets = point_targets(batch, body, values.input_size, seed, corruption)
            sizes = head_size(inputs, targets)
            cases = {name: predict(inputs)}
            if corruption:
                cases["corrupted_points"] = predict(without_mask(inputs))
                cases["rest"] = network.mean_pose(inputs)
            for case, predicted in cases.items():
                # Rotations after the projection, which pose the body.
                predicted = {
                    **predicted,
                    "parameters": join_parameters(
                        predicted["betas"], predicted["global_rotations"]
                    ),
                }
                errors.setdefault(case, []).append(fitting_errors(targets, predicted, sizes))
    return {case: _reduced(found) for case, found in errors.items()}


def _reduced(batches: list[Mapping[str, tf.Tensor]]) -> dict[str, float]:
    joined = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    return {m.key: float(m.reduce(joined[m.error])) for m in METRICS if m.error in joined}


def make_record(
    run: RunFolder,
    values: flags.FlagValues,
    network: keras.Model,
    measured: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    """Makes the record of an evaluated run.

    Args:
      run: the run.
      values: its flags.
      network: the trained network.
      measured: of `evaluate`.

    Returns:
      JSON values.
    """
    body = network.body.model_data
    content = {
        "body": {"name": body.name, "gender": body.gender, "fingerprint": body.fingerprint},
        "parameters": network.count_params(),
        **checkpoints.facts(checkpoints.latest(run.checkpoints)),
        "people": values.test_people,
        "metrics": measured["corrupted"],
        "metrics_by_input": dict(measured),
    }
    return run.make_record(values, content)


def table(record: Mapping[str, Any]) -> str:
    """Formats a record's results for each input as Markdown."""
    measured = record["metrics_by_input"]
    metrics = [metric for metric in METRICS if metric.key in measured["true"]]
    lines = [
        "| seen | " + " | ".join(f"{m.label}, {m.unit}" for m in metrics) + " |",
        "|---" * (len(metrics) + 1) + "|",
    ]
    for name, values in measured.items():
        shown = [f"{values[m.key]:.{m.digits}f}" for m in metrics]
        lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(shown) + " |")
    return "\n".join(lines)
