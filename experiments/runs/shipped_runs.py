"""The trained runs in the repository, and their use by scripts."""

from __future__ import annotations

from pathlib import Path

from experiments.runs.common import REPOSITORY, UserError
from experiments.runs.run_folder import RunFolder

PRETRAINED = REPOSITORY / "experiments" / "pretrained"
_FITTING = "nbf_fitting_small_segmented"
_SEGMENTER = "nbf_segmentation_small"
_SEGMENTED_PARTS = "parts_12"


def chosen_runs(values) -> tuple[RunFolder, RunFolder | None]:
    """Returns the runs of --run and --segmentation_run, or the shipped ones.

    Args:
      values: the flags.

    Returns:
      The run that fits bodies, and a segmenter's run or None.

    Raises:
      UserError: a folder has no run, or no run is shipped.
    """
    run = RunFolder.existing(values.run) if values.run else _shipped(_FITTING)
    if values.segmentation_run:
        return run, RunFolder.existing(values.segmentation_run, "NBF")
    if values.run and run.method == "NBF":
        # The shipped segmenter works for any network whose input is its parts.
        fits = run.read_flags().get("input_map") == f"--input_map={_SEGMENTED_PARTS}"
        segmenter = RunFolder(PRETRAINED / _SEGMENTER)
        return run, segmenter if fits and segmenter.flags_file.is_file() else None
    return run, _shipped(_SEGMENTER)


def results_of(run: RunFolder) -> Path:
    """Returns the default folder for results of a run.

    Args:
      run: the user's, or a shipped one.

    Returns:
      The run's own folder; for a shipped run, which belongs to the installation, runs/<its name>
      in the working folder.
    """
    shipped = PRETRAINED.resolve() in run.path.resolve().parents
    return Path("runs") / run.path.name if shipped else run.path


def _shipped(name: str) -> RunFolder:
    """Returns the shipped run of this name."""
    run = RunFolder(PRETRAINED / name)
    if not run.flags_file.is_file():
        raise UserError(
            f"{run.path}: no trained network here; train one with 'python "
            f"experiments/train_nbf.py --flagfile=experiments/flags/{name}.cfg' (its first "
            "lines state the time), and give --run and --segmentation_run"
        )
    return run
