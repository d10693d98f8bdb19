"""The flags of an SMPLR run, defined once for training and evaluation."""

from __future__ import annotations

from absl import flags

from experiments.runs.flag_definer import FlagDefiner
from experiments.runs.training_flags import (
    define_mixture_flags,
    define_run_folder_flags,
    define_synthetic_flags,
    define_training_flags,
)

STAGES = ("hourglass", "dae", "pose", "shape", "pose_shape", "end_to_end")
# Stages that learn from points; the other two learn from pictures.
POINT_STAGES = ("dae", "pose", "shape", "pose_shape")
NOISES = ("none", "uniform", "gaussian", "structured", "hourglass", "finder")
# Of pictures, in their order; scenery: other backgrounds and occluders.
AUGMENTATIONS = ("mirror", "rotation", "scenery", "colour")


def define_run_flags(values: flags.FlagValues) -> None:
    """Adds the flags of a run, which flags.cfg of its folder stores.

    Args:
      values: gets the flags.
    """
    f = FlagDefiner(values)
    f.enum("stage", "pose_shape", STAGES, "Network or stage to train.")
    f.strings("networks", [], "Run folders to take trained networks from, in any order.")
    define_run_folder_flags(f, "smplr")
    define_training_flags(f)

    f.string("female_body", None, "Female body model file (default: the open body).")
    f.string("male_body", None, "Male body model file (default: the open body).")
    f.bool("neutral", False, "Use one neutral body instead of a female and a male one (as UP-3D).")
    f.string("neutral_body", None, "Neutral body model file (default: the open body).")
    f.bool("landmarks", True, "Use the 18 surface landmarks in addition to the 23 joints.")

    f.string("motion", None, "Folder of shards to take poses from (default: the pose sampler).")
    f.integer(
        "motion_poses", 50_000, "Number of poses that the pose sampler draws for training.", 1
    )
    f.integer("test_bodies", 2_000, "Number of held-out bodies for the evaluation.", 1)
    f.number(
        "exchange_rate",
        0.2,
        "Probability that a limb is exchanged with that of another pose.",
        1.0,
    )
    f.number(
        "pose_deviation_deg",
        3.0,
        "Standard deviation of a random rotation of every joint, degrees.",
    )
    f.number(
        "yaw_deviation_deg",
        40.0,
        "Standard deviation of a random yaw, degrees (negative: any yaw).",
        low=None,
    )
    f.number("pitch_deviation_deg", 6.0, "Standard deviation of a random pitch, degrees.")
    f.number(
        "roll_deviation_deg",
        0.0,
        "Standard deviation of a random roll about the camera axis, degrees.",
    )
    f.number("any_roll_rate", 0.0, "Probability of a uniformly random roll.", 1.0)
    f.number(
        "disturbed_rate",
        0.0,
        "Probability that all joints of a pose are rotated by some 20 degrees.",
        1.0,
    )
    f.number("beta_deviation", 1.0, "Standard deviation of the betas.")

    f.number(
        "bone_deviation_deg",
        0.0,
        "Random rotation of every bone at rest, degrees, to imitate other bodies.",
    )
    f.enum("noise", "none", NOISES, "Noise added to the input points.")
    f.enum(
        "test_noise",
        "same",
        ("same", *NOISES),
        "Noise added to the input points in the evaluation.",
    )
    f.string("skeleton", "blazepose_33", "Skeleton of the input points with --noise=finder.")
    f.number("noise_scale", 1.0, "Factor applied to the noise.")
    f.number("missing_rate", 0.0, "Share of input points that are missing.", 1.0)
    f.bool("lift_2d", False, "Set the depth of the input points to 0 (the paper's DAE2d).")

    f.string("data", "data/synthetic_smplr", "Folder of shards with pictures; several: a,b.")
    define_mixture_flags(f)
    f.string("test_split", "test", "Split of --data to evaluate on.")
    define_synthetic_flags(f, 128)
    f.bool(
        "augment", False, "Augment pictures: colour, mirroring, rotation, backgrounds, occluders."
    )
    f.strings(
        "augmentations",
        AUGMENTATIONS,
        f"Which of {', '.join(AUGMENTATIONS)} --augment carries out (mirroring costs least).",
    )
    f.bool(
        "cache",
        False,
        "Keep the cut pictures in memory; not with the augmentation 'rotation', which comes "
        "before the cut.",
    )
    f.string("voc", None, "Pascal VOC shards for backgrounds and occluders (default: procedural).")
    f.number(
        "rotation_deg", 8.6, "Largest rotation of a picture, degrees (released code: 0.15 rad)."
    )

    f.enum(
        "activation",
        "relu",
        ["relu", "elu"],
        "Activation of hidden layers (paper: relu; released code: elu).",
    )
    f.number("keep_probability", 0.8, "Keep probability of the autoencoder's dropouts.", 1.0)
    f.bool("upright", False, "Turn people upright before Ω, and its root rotation back.")
    f.bool("project_rotations", False, "Project Ω's matrices to rotations before SMPL.")
    f.bool("denoise", False, "Put the autoencoder of --networks before the regressors.")
    f.bool(
        "train_autoencoder",
        False,
        "With --denoise and --stage=pose_shape: also train the autoencoder.",
    )
    f.integer("image_size", 256, "Side of the hourglass's input, a multiple of 64 pixels.", 64)
    f.integer("stacks", 5, "Number of stacked hourglasses.", 1)
    f.integer("width", 256, "Channels of the hourglass.", 8)
    f.integer("bins", 16, "Number of depth bins of the volumes.", 1)
    f.bool("limbs", True, "Also predict four limb volumes.")
    f.enum("volume_height", "peak", ["peak", "density"], "Height of the target Gaussians.")
    f.enum(
        "volume_entropy",
        "voxels",
        ["voxels", "volume"],
        "Loss on volumes: cross-entropy of each voxel (paper), or of each volume as a whole.",
    )
    f.enum("limb_profile", "tube", ["tube", "released"], "Profile of the limb targets.")
    f.bool("centred_grid", False, "A voxel's coordinate is its centre (released code: its edge).")
    f.bool(
        "prior_bias",
        False,
        "Initial bias of the volumes' logits at the prior of a voxel (paper: none).",
    )
    f.enum(
        "gender_mode",
        "hard",
        ["hard", "blend"],
        "How gender selects the body: hard choice or blend.",
    )

    f.number("volume_weight", 1.0, "Weight of the hourglass's loss on volumes (0: none of it).")
    f.number("point_weight", 0.0, "Weight of the hourglass's loss on points; the paper has none.")
    f.number("denoised_weight", 1.0, "Weight of the autoencoder's loss with --train_autoencoder.")
    f.number("bone_weight", 1.0, "Weight of the autoencoder's loss on bone lengths.")
    f.number("shape_regularizer", 0.01, "Weight of the penalty on the size of betas.")
    f.number("smpl_weight", 1.0, "Weight of the loss on SMPL's joints and landmarks.")
    f.number("end_to_end_weight", 1e-5, "Weight of that loss in end-to-end training.")
    f.number(
        "intermediate_weight",
        1e-6,
        "Weight of the losses on rotations, shape and points in end-to-end training.",
    )

    f.integer("epochs", 10, "Number of epochs.", 1)
    f.integer("steps_per_epoch", 400, "Number of batches per epoch of generated motion.", 1)
    f.integer("batch_size", 256, "Examples per step.", 1)
    f.number("learning_rate", 1e-3, "Adam's initial learning rate.")
    f.number("final_learning_rate", 1e-5, "Final learning rate, reached along half a cosine.")


def define_evaluation_flags(values: flags.FlagValues) -> None:
    """Adds the flags of `evaluate_smplr.py`: its own and those of a run.

    Args:
      values: gets the flags.
    """
    define_run_flags(values)
    f = FlagDefiner(values)
    f.string("run", None, "Finished run folder (default: the joined networks of --networks).")
    f.integer(
        "peers", 0, "Number of bodies on which to run the non-learned baselines (0: skip).", 0
    )
    f.string("noisy_run", None, "Run folder trained on noise, to compare with the baselines.")
    f.string(
        "real_clip",
        None,
        "Folder of a CLOTH3D++ sequence with info_body.mat, to score Ω's rotations.",
    )
    f.string("output", None, "Folder to write (default: evaluation in --run or --run_name).")
