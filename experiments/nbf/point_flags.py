"""The flags of a run of the network that sees points and a mask."""

from __future__ import annotations

from absl import flags

from experiments.runs.flag_definer import FlagDefiner
from experiments.runs.training_flags import define_training_flags


def define_run_flags(values: flags.FlagValues) -> None:
    """Adds what a run is made of; flags.cfg of a run folder holds these.

    Args:
      values: where the flags are added.
    """
    f = FlagDefiner(values)
    f.string("runs_dir", "runs", "Folder of all runs.")
    f.string("run_name", "nbf_photographs", "Folder of this run in --runs_dir.")
    f.string("initial_run", None, "Run whose weights this one starts from; unset: random ones.")
    f.bool("overwrite", False, "Start anew where --run_name holds other results.")
    f.integer("seed", 0, "Seed of the weights and every draw.", 0)
    define_training_flags(f)
    f.integer("people", 100000, "People to train on, drawn if they are missing.", 1)
    f.integer("test_people", 2000, "People held out for the evaluation.", 1)
    f.string("body_model", None, "Official body model file; unset: the open body.")
    f.integer("input_size", 64, "Side of the mask's map, pixels.", 16)
    f.number("parameters_weight", 3.0, "Weight of L_lat.")
    f.number("joints_3d_weight", 5.0, "Weight of L_3D.")
    f.number("joints_2d_weight", 3.0, "Weight of L_2D, whose unit is the spread of the points.")
    f.number("weight_decay", 0.0, "Factor of half the squared norm of the kernels.")
    f.integer("epochs", 18, "Epochs to train.", 1)
    f.integer("steps_per_epoch", 500, "Batches of an epoch.", 1)
    f.integer("batch_size", 256, "People per step.", 1)
    f.number("learning_rate", 1e-3, "Adam's learning rate at the start.")
    f.number("decay_power", 1.0, "Power of the learning rate's fall to 0.")
    f.number("beta_1", 0.9, "Adam's first decay rate.", 1.0)
