"""The flags that say how a training is carried out; those of NBF's and SMPLR's runs alike."""

from __future__ import annotations

from experiments.runs.flag_definer import FlagDefiner


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
    """Adds how the training set is put together from --data.

    Args:
      f: adds to the flags of a run.
    """
    f.strings(
        "mix", [], "Share of each folder of --data in an epoch (default: all Examples once)."
    )
    f.strings("train_splits", ["train"], "Splits to train on, of every folder of --data.")
    f.bool(
        "mirrored_copies",
        False,
        "Augmentation: show each picture and its mirror image once per epoch.",
    )
