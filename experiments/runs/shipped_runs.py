"""The trained runs that ship with the repository, and when a script takes them."""

from __future__ import annotations

from pathlib import Path

from experiments.runs.common import REPOSITORY, UserError
from experiments.runs.run_folder import RunFolder

PRETRAINED = REPOSITORY / "experiments" / "pretrained"
_FITTING = "nbf_fitting_small_segmented"
_SEGMENTER = "nbf_segmentation_small"
_SEGMENTED_PARTS = "parts_12"


def chosen_runs(values) -> tuple[RunFolder, RunFolder | None]:
    """The runs that --run and --segmentation_run name, or those that are shipped.

    Args:
      values: the flags.

    Returns:
      What fits bodies, and a segmenter or None.

    Raises:
      UserError: a folder holds no run, or nothing is shipped.
    """
    run = RunFolder.existing(values.run) if values.run else _shipped(_FITTING)
    if values.segmentation_run:
        return run, RunFolder.existing(values.segmentation_run, "NBF")
    if values.run and run.method == "NBF":
        # The shipped segmenter is good for any network that sees its parts.
        fits = run.read_flags().get("input_map") == f"--input_map={_SEGMENTED_PARTS}"
        segmenter = RunFolder(PRETRAINED / _SEGMENTER)
        return run, segmenter if fits and segmenter.flags_file.is_file() else None
    return run, _shipped(_SEGMENTER)


def results_of(run: RunFolder) -> Path:
    """Where results of a run are written that the user gives no folder for.

    Args:
      run: of the user, or shipped.

    Returns:
      The run itself; of a shipped one, which belongs to the installation, runs/<its name> in the
      working folder.
    """
    shipped = PRETRAINED.resolve() in run.path.resolve().parents
    return Path("runs") / run.path.name if shipped else run.path


def _shipped(name: str) -> RunFolder:
    """The run of this name that is shipped."""
    run = RunFolder(PRETRAINED / name)
    if not run.flags_file.is_file():
        raise UserError(
            f"{run.path}: no trained network here; train one with 'python "
            f"experiments/train_nbf.py --flagfile=experiments/flags/{name}.cfg' (its first "
            "lines say how long that takes), and give --run and --segmentation_run"
        )
    return run
