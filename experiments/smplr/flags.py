"""The flags of an SMPLR run, defined once for training and evaluation."""

from __future__ import annotations

from absl import flags

from experiments.runs.flag_definer import FlagDefiner
from experiments.runs.training_flags import define_mixture_flags, define_training_flags

STAGES = ("hourglass", "dae", "pose", "shape", "pose_shape", "end_to_end")
# Stages that learn from points; the other two learn from pictures.
POINT_STAGES = ("dae", "pose", "shape", "pose_shape")
NOISES = ("none", "uniform", "gaussian", "structured", "hourglass", "finder")


def define_run_flags(values: flags.FlagValues) -> None:
    """Adds what a run is made of; flags.cfg of a run folder holds these.

    Args:
      values: where the flags are added.
    """
    f = FlagDefiner(values)
    f.enum("stage", "pose_shape", STAGES, "What is trained.")
    f.strings("networks", [], "Run folders whose networks this run starts from, in any order.")
    f.string("runs_dir", "runs", "Folder of all runs.")
    f.string("run_name", "smplr", "Folder of this run in --runs_dir.")
    f.bool("overwrite", False, "Start anew where --run_name holds other results.")
    f.integer("seed", 0, "Seed of the weights, the order of the data and every draw.", 0)
    define_training_flags(f)

    f.string("female_body", None, "Official female body model; unset: the open body.")
    f.string("male_body", None, "Official male body model; unset: the open body.")
    f.bool("neutral", False, "One neutral body for everybody, as UP-3D has it.")
    f.string("neutral_body", None, "Official neutral body model; unset: the open body.")
    f.bool("landmarks", True, "18 landmarks beside the 23 joints.")

    f.string("motion", None, "Folder of shards to take poses from; unset: the pose sampler.")
    f.integer("motion_poses", 50_000, "Poses that the pose sampler draws for training.", 1)
    f.integer("test_bodies", 2_000, "Held-out bodies of the evaluation.", 1)
    f.number("exchange_rate", 0.2, "How often a limb comes from another pose.", 1.0)
    f.number("pose_deviation_deg", 3.0, "Random turn of every joint, degrees.")
    f.number("yaw_deviation_deg", 40.0, "Random turn about the vertical; negative: any.", low=None)
    f.number("pitch_deviation_deg", 6.0, "Random turn about the horizontal, degrees.")
    f.number("roll_deviation_deg", 0.0, "Random turn about the camera's axis, degrees.")
    f.number("any_roll_rate", 0.0, "How often people are turned about it by any angle.", 1.0)
    f.number("disturbed_rate", 0.0, "How often a pose is disturbed by 20 degrees a joint.", 1.0)
    f.number("beta_deviation", 1.0, "Standard deviation of the betas.")

    f.number("bone_deviation_deg", 0.0, "Random turn of every bone at rest: other bodies.")
    f.enum("noise", "none", NOISES, "What is wrong with the points that go in.")
    f.enum(
        "test_noise",
        "same",
        ("same", *NOISES),
        "What is wrong with them in the evaluation.",
    )
    f.string("skeleton", "blazepose_33", "Whose points --noise=finder gives, by name.")
    f.number("noise_scale", 1.0, "Factor of that noise.")
    f.number("missing_rate", 0.0, "Share of points that are missing.", 1.0)
    f.bool("lift_2d", False, "Set the depth of the points to 0: DAE2d.")

    f.string("data", "data/synthetic_smplr", "Folder of shards with pictures; several: a,b.")
    define_mixture_flags(f)
    f.string("test_split", "test", "Split of --data that the evaluation takes.")
    f.integer("synthetic_train", 0, "Synthetic people to train on, made if missing; 0: none.", 0)
    f.integer("synthetic_val", 0, "Synthetic people watched while training; 0: none.", 0)
    f.integer("synthetic_test", 0, "Synthetic people held out for the evaluation; 0: none.", 0)
    f.integer("synthetic_image_size", 128, "Side of the synthetic pictures, pixels.", 8)
    f.integer("synthetic_seed", 0, "Seed of the synthetic people.", 0)
    f.bool("augment", False, "Colour, mirroring, rotation, other scenes, things in front.")
    f.string("voc", None, "Folder of Pascal VOC shards for scenes and things; unset: made up.")
    f.number("rotation_deg", 8.6, "Largest rotation of a picture; the released code's 0.15 rad.")

    f.enum("activation", "relu", ["relu", "elu"], "Of the hidden layers; the released code: elu.")
    f.number("keep_probability", 0.8, "Of the autoencoder's dropouts.", 1.0)
    f.bool("upright", False, "Turn people upright before Ω, and its root back.")
    f.bool("project_rotations", False, "Make Ω's matrices rotations before SMPL sees them.")
    f.bool("denoise", False, "Put the autoencoder of --networks before the regressors.")
    f.bool("train_autoencoder", False, "With --denoise: train it, too, in --stage=pose_shape.")
    f.integer("image_size", 256, "Side of the hourglass's pictures, a multiple of 64.", 64)
    f.integer("stacks", 5, "Hourglasses in a row.", 1)
    f.integer("width", 256, "Channels of the hourglass.", 8)
    f.integer("bins", 16, "Depth bins of its volumes.", 1)
    f.bool("limbs", True, "Four limb volumes beside those of the points.")
    f.enum("volume_height", "peak", ["peak", "density"], "Height of the target Gaussians.")
    f.enum("limb_profile", "tube", ["tube", "released"], "Form of the limb targets.")
    f.bool("centred_grid", False, "Let voxels stand for their middles; released: their edges.")
    f.bool(
        "prior_bias", False, "Start volumes at the log-odds of a voxel; released: at even odds."
    )
    f.enum("gender_mode", "hard", ["hard", "blend"], "How the gender chooses the body.")

    f.number("point_weight", 0.0, "Weight of the hourglass's loss on points; the paper has none.")
    f.number("denoised_weight", 1.0, "Weight of the autoencoder's loss with --train_autoencoder.")
    f.number("bone_weight", 1.0, "Weight of the autoencoder's loss on bone lengths.")
    f.number("shape_regularizer", 0.01, "Weight of small betas.")
    f.number("smpl_weight", 1.0, "Weight of the loss on SMPL's joints and landmarks.")
    f.number("end_to_end_weight", 1e-5, "Weight of the same loss behind the hourglass.")
    f.number("intermediate_weight", 1e-6, "Weight of the losses on rotations, shape and points.")

    f.integer("epochs", 10, "Epochs to train.", 1)
    f.integer("steps_per_epoch", 400, "Batches per epoch where motion is endless.", 1)
    f.integer("batch_size", 256, "Examples per step.", 1)
    f.number("learning_rate", 1e-3, "Adam's learning rate at the start.")
    f.number("final_learning_rate", 1e-5, "Where it falls to, along half a cosine.")


def define_evaluation_flags(values: flags.FlagValues) -> None:
    """Adds the flags of `evaluate_smplr.py`: its own and those of a run.

    Args:
      values: where the flags are added.
    """
    define_run_flags(values)
    f = FlagDefiner(values)
    f.string("run", None, "Folder of a finished run; unset: the networks of --networks, joined.")
    f.integer("peers", 0, "Bodies that are also given to the peers; 0: none.", 0)
    f.string("noisy_run", None, "Folder of a run trained on noise, to stand among the peers.")
    f.string("real_clip", None, "Folder of a sequence with info_body.mat, for Ω's rotations.")
    f.string("output", None, "Folder to write; unset: evaluation in --run or in --run_name.")
