"""The training flags that NBF's and SMPLR's runs share."""

from __future__ import annotations

from experiments.runs.flag_definer import FlagDefiner


def define_run_folder_flags(f: FlagDefiner, run_name: str) -> None:
    """Adds the flags for the folder of a run and for its seed.

    Args:
      f: adds to the flags of a run.
      run_name: default name of the folder.
    """
    f.string("runs_dir", "runs", "Folder of all runs.")
    f.string("run_name", run_name, "Folder of this run in --runs_dir.")
    f.bool("overwrite", False, "Discard an existing run of this name and start again.")
    f.integer("seed", 0, "Seed of weights, data order and all random draws.", 0)


def define_initial_run_flag(f: FlagDefiner) -> None:
    """Adds the flag for the run that a training starts from.

    Args:
      f: adds to the flags of a run.
    """
    f.string("initial_run", None, "Run folder to take initial weights from (default: random).")


def define_training_flags(f: FlagDefiner) -> None:
    """Adds them.

    Args:
      f: adds to the flags of a run.
    """
    f.bool("deterministic", True, "Deterministic ops: identical results on the same machine.")
    f.integer("workers", None, "Processes that generate data (default: one per core).", 0)
    f.enum(
        "strategy",
        "none",
        ["none", "mirrored", "multi_worker"],
        "none: one device; mirrored: all local GPUs; multi_worker: the workers of TF_CONFIG.",
    )
    f.enum(
        "mixed_precision",
        "none",
        ["none", "mixed_bfloat16", "mixed_float16"],
        "Precision of the networks; geometry and losses stay in float32.",
    )
    f.bool("jit_compile", False, "Compile training steps with XLA (slower on CPUs).")


def define_mixture_flags(f: FlagDefiner) -> None:
    """Adds the flags for the composition of the training set from --data.

    Args:
      f: adds to the flags of a run.
    """
    f.strings(
        "mix", [], "Share of each folder of --data in an epoch (default: all Examples once)."
    )
    f.strings("train_splits", ["train"], "Splits of each folder of --data to train on.")
    f.bool(
        "mirrored_copies",
        False,
        "Augmentation: show each picture and its mirror image once per epoch.",
    )


def define_synthetic_flags(f: FlagDefiner, image_size: int) -> None:
    """Adds the flags for the synthetic people of a run.

    Args:
      f: adds to the flags of a run.
      image_size: default side of their pictures, pixels.
    """
    f.integer(
        "synthetic_train",
        0,
        "Number of synthetic people to train on, generated if missing (0: none).",
        0,
    )
    f.integer(
        "synthetic_val",
        0,
        "Number of synthetic people to validate on while training (0: none).",
        0,
    )
    f.integer(
        "synthetic_test", 0, "Number of synthetic people held out for the evaluation (0: none).", 0
    )
    f.integer("synthetic_image_size", image_size, "Side of the synthetic pictures, pixels.", 8)
    f.integer("synthetic_seed", 0, "Seed of the synthetic people.", 0)
