"""The flags of an NBF run, defined once for training, evaluation and prediction."""

from __future__ import annotations

from absl import flags

from experiments.runs.flag_definer import FlagDefiner
from experiments.runs.training_flags import (
    define_initial_run_flag,
    define_mixture_flags,
    define_run_folder_flags,
    define_synthetic_flags,
    define_training_flags,
)

# Copied from nbf.losses, which loads TensorFlow.
_ELEMENTWISE = ("l1", "l2", "geman_mcclure", "tukey")
_POINTWISE = ("euclidean", "squared_euclidean", "euclidean_margin")


def define_run_flags(values: flags.FlagValues) -> None:
    """Adds the flags of a run, which flags.cfg of its folder stores.

    Args:
      values: gets the flags.
    """
    f = FlagDefiner(values)
    f.enum(
        "stage",
        "fitting",
        ["fitting", "segmentation"],
        "Network to train: the part segmenter or the fitting network.",
    )
    define_run_folder_flags(f, "nbf")
    define_initial_run_flag(f)
    define_training_flags(f)

    f.string("data", "data/synthetic", "Folder of the data set's shards; several: a,b.")
    define_mixture_flags(f)
    f.string("test_split", "test", "Split to evaluate on after training.")
    f.enum(
        "protocol",
        "none",
        ["none", "humaneva", "human36m"],
        "Benchmark protocol: also score measured (mocap) joints.",
    )
    f.string(
        "joint_regressor",
        None,
        "Regressor of Human3.6M's joints, .npy [17, V] (default: SMPL's joints).",
    )
    define_synthetic_flags(f, 64)
    f.enum(
        "synthetic_part_cut",
        "bones",
        ["bones", "nbf"],
        "How parts of synthetic people are cut: at the bones, or beyond the joints as NBF's.",
    )
    f.integer(
        "crop_size", 0, "Side of the person crop at NBF's scale, pixels (0: no cropping).", 0
    )
    f.enum(
        "crop_by",
        "joints",
        ["joints", "fit"],
        "How the crop is placed: from the 2D joints or from the SMPL fit.",
    )
    f.bool("cache", True, "Keep the decoded pictures in memory.")

    f.bool("mirror", True, "Augmentation: mirror half of the people in every epoch.")
    f.number("most_rotation", 0.0, "Augmentation: largest rotation of pictures, degrees.", 180.0)
    f.number("most_scale", 0.0, "Augmentation: largest change of scale (0.2: 0.8 to 1.2).", 0.5)
    f.number(
        "most_shift", 0.0, "Augmentation: largest shift, as a share of the picture's width.", 0.5
    )
    f.number(
        "colour_strength",
        0.0,
        "Augmentation: strength of random colour changes (0: none, 1: usual).",
    )
    f.bool(
        "corrupt_parts",
        False,
        "Augmentation: corrupt true part maps as segmenters do (hide, shift, swap).",
    )

    f.enum(
        "segmenter", "small", ["small", "refinenet", "deeplab"], "Architecture of the segmenter."
    )
    f.integer("segmenter_width", 16, "Channels of the small segmenter at its finest level.", 1)
    f.integer("num_parts", 12, "Number of body parts: 1, 3, 6, 12 or 24.", 1)

    f.string("body_model", None, "Body model file (default: the open body).")
    f.string(
        "segmentation_run",
        None,
        "Run folder of a segmenter to train on its parts (default: true parts).",
    )
    f.string(
        "input_map",
        "parts_12",
        "Input of the network: rgb, parts_N or probabilities_N (N: 1, 3, 6, 12, 24), joints_14 or "
        "joints_24.",
    )
    f.integer("input_size", 64, "Side of the network's input, pixels.", 8)
    f.string(
        "backbone", "small", "Encoder: small, efficientnet_lite0, resnet50, resnet101 or vgg16."
    )
    f.bool("frozen_backbone", False, "Keep the encoder's weights in training.")
    f.enum(
        "head",
        "flatten",
        ["pool", "flatten"],
        "Read-out of the encoder's last level: average pooling or flatten.",
    )
    f.string(
        "backbone_weights",
        None,
        "Weight file of the encoder (EfficientNet-Lite0: its .pth), imagenet for Keras' own "
        "weights, or none.",
    )
    f.bool(
        "special_rotations", True, "Project to proper rotations; false also allows reflections."
    )

    f.number("parameters_weight", 1.0, "Weight of L_lat.")
    f.number("joints_3d_weight", 1.0, "Weight of L_3D.")
    f.number("joints_2d_weight", 1.0, "Weight of L_2D.")
    f.enum("parameters_loss", "l1", _ELEMENTWISE, "Penalty of L_lat.")
    f.enum("joints_3d_loss", "euclidean", _POINTWISE + _ELEMENTWISE, "Penalty of L_3D.")
    f.enum("joints_2d_loss", "euclidean", _POINTWISE + _ELEMENTWISE, "Penalty of L_2D.")
    f.number("parameters_scale", 1.0, "Scale of the robust penalty of L_lat.")
    f.number("joints_3d_scale", 0.1, "Scale of the robust penalty of L_3D, metres.")
    f.number(
        "joints_2d_scale", 0.05, "Scale of the robust penalty of L_2D, in half picture widths."
    )
    f.bool(
        "projected_rotations",
        False,
        "Compute L_lat after the projection to rotations instead of before.",
    )
    f.enum(
        "loss_points",
        "24",
        ["24", "14", "91", "mesh"],
        "Points of L_3D and L_2D: 24 SMPL joints, 14 LSP or 91 UP landmarks, all vertices.",
    )
    f.enum(
        "center_2d",
        "none",
        ["none", "neck", "hips"],
        "Subtract this point from predicted and true 2D joints before L_2D.",
    )
    f.number("weight_decay", 1e-4, "Weight decay: factor of half the squared norm of the kernels.")
    f.number("share_3d", 1.0, "Share of the training set whose 3D labels are used.", 1.0)
    f.number("share_2d", 1.0, "Share of the training set whose 2D labels are used.", 1.0)

    f.integer("epochs", 10, "Number of epochs.", 1)
    f.integer("batch_size", 32, "Examples per step.", 1)
    f.number("learning_rate", 1e-3, "Adam's initial learning rate.")
    f.number("decay_power", 0.9, "Power of the polynomial decay of the learning rate to 0.")
    f.number("beta_1", 0.5, "Adam's beta1.", 1.0)


def define_evaluation_flags(values: flags.FlagValues) -> None:
    """Adds the flags of `evaluate_nbf.py`: what differs from the run that it evaluates.

    Args:
      values: where the flags are added.
    """
    to = {"flag_values": values}
    flags.DEFINE_string("run", None, "Run folder to evaluate, such as runs/nbf_quickstart.", **to)
    flags.DEFINE_string(
        "segmentation_run", None, "Run folder of a segmenter, whose parts are fitted.", **to
    )
    flags.DEFINE_string(
        "data", None, "Folder of the data set's shards (default: the run's).", **to
    )
    flags.DEFINE_string(
        "split", None, "Split to evaluate (default: the run's --test_split).", **to
    )
    flags.DEFINE_enum(
        "crop_by",
        None,
        ["joints", "fit"],
        "How people are cropped (default: as in the run).",
        **to,
    )
    flags.DEFINE_enum(
        "protocol",
        None,
        ["none", "humaneva", "human36m"],
        "Benchmark protocol: also score measured (mocap) joints.",
        **to,
    )
    flags.DEFINE_string(
        "joint_regressor",
        None,
        "Regressor of Human3.6M's joints, .npy [17, V] (default: SMPL's joints).",
        **to,
    )
    flags.DEFINE_string("body_model", None, "Body model file of the run, if it was moved.", **to)
    flags.DEFINE_string("output", None, "Folder to write (default: in --run).", **to)
