"""The flags of an NBF run, defined once for training, evaluation and prediction."""

from __future__ import annotations

from absl import flags

from experiments.runs.flag_definer import FlagDefiner
from experiments.runs.training_flags import define_mixture_flags, define_training_flags

# nbf.losses names them too, but cannot be asked before TensorFlow is loaded.
_ELEMENTWISE = ("l1", "l2", "geman_mcclure", "tukey")
_POINTWISE = ("euclidean", "squared_euclidean", "euclidean_margin")


def define_run_flags(values: flags.FlagValues) -> None:
    """Adds what a run is made of; flags.cfg of a run folder holds these.

    Args:
      values: where the flags are added.
    """
    f = FlagDefiner(values)
    f.enum("stage", "fitting", ["fitting", "segmentation"], "Which network is trained.")
    f.string("runs_dir", "runs", "Folder of all runs.")
    f.string("run_name", "nbf", "Folder of this run in --runs_dir.")
    f.string("initial_run", None, "Run whose weights this one starts from; unset: random ones.")
    f.bool("overwrite", False, "Start anew where --run_name holds other results.")
    f.integer("seed", 0, "Seed of the weights, the order of the data and every draw.", 0)
    define_training_flags(f)

    f.string("data", "data/synthetic", "Folder of the data set's shards; several: a,b.")
    define_mixture_flags(f)
    f.string("test_split", "test", "Split of the evaluation.")
    f.enum("protocol", "none", ["none", "humaneva", "human36m"], "Score measured joints as well.")
    f.string("joint_regressor", None, "File [17, V].npy of Human3.6M's points; unset: SMPL's.")
    f.integer("synthetic_train", 0, "Synthetic people to train on, made if missing; 0: none.", 0)
    f.integer("synthetic_val", 0, "Synthetic people watched while training; 0: none.", 0)
    f.integer("synthetic_test", 0, "Synthetic people held out for the evaluation; 0: none.", 0)
    f.integer("synthetic_image_size", 64, "Side of the synthetic pictures, pixels.", 8)
    f.integer("synthetic_seed", 0, "Seed of the synthetic people.", 0)
    f.integer("crop_size", 0, "Cut people out at NBF's scale, pixels; 0: pictures as they are.", 0)
    f.enum("crop_by", "joints", ["joints", "fit"], "What says where: 2D joints, or the SMPL fit.")
    f.bool("cache", True, "Keep the decoded pictures in memory.")

    f.bool("mirror", True, "Mirror half of the people in every epoch.")
    f.number("most_rotation", 0.0, "Turn pictures by up to so many degrees.", 180.0)
    f.number("most_scale", 0.0, "Scale pictures by up to this share.", 0.5)
    f.number("most_shift", 0.0, "Shift pictures by up to this share of their width.", 0.5)
    f.number("colour_strength", 0.0, "Change colours at random; 1: as datasets/README.md says.")
    f.bool("corrupt_parts", False, "Hide, shift and swap true parts as segmenters do.")

    f.enum("segmenter", "small", ["small", "refinenet", "deeplab"], "Network of the segmentation.")
    f.integer("segmenter_width", 16, "Channels of the small segmenter's finest level.", 1)
    f.integer("num_parts", 12, "Parts of the segmentation: 1, 3, 6, 12 or 24.", 1)

    f.string("body_model", None, "Official body model file; unset: the open body.")
    f.string("segmentation_run", None, "Fit the parts that this run finds; unset: true parts.")
    f.string("input_map", "parts_12", "What the network sees: rgb, parts_12, joints_24, ...")
    f.integer("input_size", 64, "Side of what the network sees, pixels.", 8)
    f.string("backbone", "small", "Encoder: small, resnet50, resnet101 or vgg16.")
    f.enum("head", "flatten", ["pool", "flatten"], "How the encoder's last level is read out.")
    f.string(
        "backbone_weights", None, "Weight file of the encoder, or imagenet to fetch Keras' own."
    )
    f.bool("special_rotations", True, "Project to rotations; false admits reflections too.")

    f.number("parameters_weight", 1.0, "Weight of L_lat.")
    f.number("joints_3d_weight", 1.0, "Weight of L_3D.")
    f.number("joints_2d_weight", 1.0, "Weight of L_2D.")
    f.enum("parameters_loss", "l1", _ELEMENTWISE, "Penalty of L_lat.")
    f.enum("joints_3d_loss", "euclidean", _POINTWISE + _ELEMENTWISE, "Penalty of L_3D.")
    f.enum("joints_2d_loss", "euclidean", _POINTWISE + _ELEMENTWISE, "Penalty of L_2D.")
    f.number("parameters_scale", 1.0, "What a robust L_lat takes for large.")
    f.number("joints_3d_scale", 0.1, "What a robust L_3D takes for large, metres.")
    f.number("joints_2d_scale", 0.05, "What a robust L_2D takes for large, half pictures.")
    f.bool("projected_rotations", False, "L_lat after the projection to rotations, not before.")
    f.enum("loss_points", "24", ["24", "14", "91"], "Of L_3D and L_2D: SMPL's, LSP's or UP's.")
    f.enum("center_2d", "none", ["none", "neck", "hips"], "What L_2D sees both sides from.")
    f.number("weight_decay", 1e-4, "Factor of half the squared norm of the kernels.")
    f.number("share_3d", 1.0, "Share of the training set that keeps its 3D labels.", 1.0)

    f.integer("epochs", 10, "Epochs to train.", 1)
    f.integer("batch_size", 32, "Examples per step.", 1)
    f.number("learning_rate", 1e-3, "Adam's learning rate at the start.")
    f.number("decay_power", 0.9, "Power of the learning rate's fall to 0.")
    f.number("beta_1", 0.5, "Adam's first decay rate.", 1.0)
