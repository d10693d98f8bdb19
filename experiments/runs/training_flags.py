"""The flags that say how a training is carried out; those of NBF's and SMPLR's runs alike."""

from __future__ import annotations

from experiments.runs.flag_definer import FlagDefiner


def define_training_flags(f: FlagDefiner) -> None:
    """Adds them.

    Args:
      f: adds to the flags of a run.
    """
    f.bool("deterministic", True, "The same bits on every run on one machine.")
    f.integer("workers", None, "Processes that make data; unset: one per core.", 0)
    f.enum(
        "strategy",
        "none",
        ["none", "mirrored", "multi_worker"],
        "Train on one device, on all GPUs here, or on the workers that TF_CONFIG names.",
    )
    f.enum(
        "mixed_precision",
        "none",
        ["none", "mixed_bfloat16", "mixed_float16"],
        "Precision of the networks; geometry and losses stay in float32.",
    )
    f.bool("jit_compile", False, "Compile with XLA; slower on CPUs.")


def define_mixture_flags(f: FlagDefiner) -> None:
    """Adds how the training set is put together from --data.

    Args:
      f: adds to the flags of a run.
    """
    f.strings("mix", [], "Share of each folder of --data in an epoch; unset: all Examples once.")
    f.strings("train_splits", ["train"], "Splits that are trained on, of every folder of --data.")
    f.bool(
        "mirrored_copies",
        False,
        "Each picture and its mirror image once per epoch, in place of a drawn half.",
    )
