"""The training of NBF's fitting network, from the data to the last checkpoint."""

from __future__ import annotations

import sys
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from datasets import records
from experiments import callbacks, checkpoints, figures, nbf_runs
from experiments.common import UserError
from experiments.run_folder import RunFolder
from nbf import FittingNetwork
from smpl_tf import SMPL, kinematics, load_model_data
from smpl_tf.camera import Camera
from smpl_tf.skeleton import SMPL_24

WATCHED_PEOPLE = 4  # drawn for TensorBoard after each epoch


def train(
    run: RunFolder, values: flags.FlagValues
) -> tuple[FittingNetwork, checkpoints.Checkpoint]:
    """Trains a network, from its newest checkpoint if there is one.

    Args:
      run: where checkpoints and logs go.
      values: the flags of the run.

    Returns:
      The trained network and its last checkpoint.

    Raises:
      UserError: the data or a checkpoint belongs to another body, or a loss is not finite.
      RecordError: the data is missing or damaged.
    """
    # Another stream of chance than the order of the data, which --seed itself gives.
    keras.utils.set_random_seed(int(np.random.SeedSequence(values.seed).generate_state(1)[0]))
    body = load_model_data(values.body_model)
    network = nbf_runs.build_network(values, body)
    nbf_runs.generate_data(values)
    data = nbf_runs.check_data(values, body)
    checkpoint = checkpoints.latest(run.checkpoints)
    epoch = checkpoint.epoch if checkpoint else 0
    batches, steps = nbf_runs.training_batches(values, epoch)
    nbf_runs.compile_network(network, values, steps * values.epochs)
    earlier: dict[str, Any] = {"history": {}, "seconds": 0.0}
    if checkpoint:
        nbf_runs.check_body(body, checkpoint.state["body"], str(checkpoint.weights))
        if checkpoint.state["data"] != data:
            raise UserError(
                f"{values.data}: not the people that {checkpoint.weights} was trained on; bring "
                "them back, or give another --run_name, or --overwrite to start anew"
            )
        checkpoints.restore(checkpoint, network)
        earlier = checkpoint.state
        print(f"{run.path}: goes on after epoch {epoch} of {values.epochs}")
    else:
        with nbf_runs.naming_damage(values.data, "train"):
            network.mean_parameters.assign(nbf_runs.mean_parameters(values))
    if epoch < values.epochs:
        people = records.read_manifest(values.data, "train").count
        facts = {"body": body.fingerprint, "data": data, "people": people}
        watched = nbf_runs.held_out_batches(values, "val")
        with nbf_runs.naming_damage(values.data, "train", "val"):
            network.fit(
                batches,
                initial_epoch=epoch,
                epochs=values.epochs,
                steps_per_epoch=steps,
                validation_data=watched,
                callbacks=[
                    callbacks.SaveEpochs(run.checkpoints, earlier, facts),
                    keras.callbacks.TensorBoard(run.tensorboard, write_graph=False),
                    callbacks.LogPictures(run.tensorboard / "pictures", drawer(network, watched)),
                ],
                shuffle=False,  # the batches come in their seeded order
                verbose=1 if sys.stdout.isatty() else 2,
            )
    return network, checkpoints.latest(run.checkpoints)


def drawer(network: FittingNetwork, watched):
    """Makes the function that draws the first people of a split as the network sees them now."""
    inputs, _ = next(iter(watched))
    inputs = {name: value[:WATCHED_PEOPLE] for name, value in inputs.items()}
    smpl = SMPL(network.body.model_data)
    predict = tf.function(network)
    size = figures.THUMBNAIL

    def draw() -> dict[str, np.ndarray]:
        predicted = predict(inputs)
        relative = kinematics.global_to_relative(predicted["global_rotations"], SMPL_24.parents)
        posed = smpl(
            betas=predicted["betas"], pose=relative, translation=inputs["translation"]
        ).vertices.numpy()
        seen = [figures.enlarge(figures.visible(m), size, False) for m in inputs["input_map"]]
        cameras = [Camera(k, 2, 2) for k in inputs["intrinsics"].numpy()]
        over = [
            figures.body_over(picture, vertices, smpl.faces, camera, figures.PREDICTED)
            for picture, vertices, camera in zip(seen, posed, cameras, strict=True)
        ]
        return {"input": np.stack(seen), "prediction": np.stack(over)}

    return draw
