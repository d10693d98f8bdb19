"""The console commands: each runs the script of experiments that it is named after."""

from __future__ import annotations

import runpy
from collections.abc import Callable

from neural_body_fitting import find_package

# Command -> script of experiments.
COMMANDS = {
    "nbf-train": "train_nbf",
    "nbf-evaluate": "evaluate_nbf",
    "nbf-download-finder": "download_finder",
    "nbf-predict": "predict",
    "nbf-fit": "fit",
    "nbf-export": "export",
    "nbf-convert-dataset": "convert_dataset",
    "nbf-convert-motion": "convert_motion",
    "smplr-train": "train_smplr",
    "smplr-evaluate": "evaluate_smplr",
    "smpl-view": "view",
}


def _command(script: str) -> Callable[[], None]:
    def run() -> None:
        # As the script itself is run, so that its processes find it again.
        runpy.run_module(
            f"{find_package('experiments')}.{script}", run_name="__main__", alter_sys=True
        )

    run.__doc__ = f"Runs experiments/{script}.py."
    return run


# setup.py names these as entry points.
globals().update({script: _command(script) for script in COMMANDS.values()})
