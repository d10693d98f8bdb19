"""The flags of a run of the points-and-mask network."""

from __future__ import annotations

from absl import flags

from experiments.runs.flag_definer import FlagDefiner
from experiments.runs.training_flags import (
    define_initial_run_flag,
    define_run_folder_flags,
    define_training_flags,
)


def define_run_flags(values: flags.FlagValues) -> None:
    """Adds the flags of a run, which flags.cfg of its folder stores.

    Args:
      values: gets the flags.
    """
    f = FlagDefiner(values)
    define_run_folder_flags(f, "nbf_photographs")
    define_initial_run_flag(f)
    define_training_flags(f)
    f.integer("people", 100000, "Number of people to train on, generated if missing.", 1)
    f.integer("test_people", 2000, "Number of people held out for the evaluation.", 1)
    f.string("body_model", None, "Body model file (default: the open body).")
    f.integer("input_size", 64, "Side of the mask's map, pixels.", 16)
    f.number("parameters_weight", 3.0, "Weight of L_lat.")
    f.number("joints_3d_weight", 5.0, "Weight of L_3D.")
    f.number("joints_2d_weight", 3.0, "Weight of L_2D, measured in units of the points' spread.")
    f.number("weight_decay", 0.0, "Weight decay: factor of half the squared norm of the kernels.")
    f.integer("epochs", 18, "Number of epochs.", 1)
    f.integer("steps_per_epoch", 500, "Number of batches per epoch.", 1)
    f.integer("batch_size", 256, "People per step.", 1)
    f.number("learning_rate", 1e-3, "Adam's initial learning rate.")
    f.number("decay_power", 1.0, "Power of the polynomial decay of the learning rate to 0.")
    f.number("beta_1", 0.9, "Adam's beta1.", 1.0)
