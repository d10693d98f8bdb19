"""Writes a trained model for servers (SavedModel), phones (TFLite) or onnxruntime, and checks it.

    python experiments/export.py --output=exported
    python experiments/export.py --run=RUN --segmentation_run=RUN --output=exported
    python experiments/export.py --format=onnx --output=exported

By default --run is the shipped pair of networks: the input is pictures, the outputs are betas,
rotations, pose, vertices and joints, for any number of pictures at once. The input of a fitting
run alone is part maps (or its own input map), that of an SMPLR run points or pictures. Writes
saved_model/ with the signature serving_default, model.tflite, which needs only TFLite's built-in
operations, and model_card.json (inputs, outputs with units and frames, body, sizes, latencies) to
--output. ONNX (model.onnx) is written on request and needs the extra "onnx". All are compared with
Keras on synthetic people; if a number differs by more than 1e-4, nothing is written. About a
minute for the shipped networks.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.runs import common, shipped_runs
from experiments.runs.common import UsageError, UserError
from experiments.runs.flag_definer import FlagDefiner
from experiments.runs.run_folder import RunFolder, git_commit, local_path, versions
from smpl_tf import locks
from smpl_tf.files import aside_of, full_disk_named, remove_leftovers_of, write_json

FORMATS = ("saved_model", "tflite", "onnx")
DEFAULT_FORMATS = ("saved_model", "tflite")  # these need no additional package


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: gets the flags.
    """
    f = FlagDefiner(values)
    f.string("run", None, "Run folder of a fitting network or SMPLR (default: the shipped pair).")
    f.string(
        "segmentation_run", None, "Run folder of the segmenter that feeds the fitting network."
    )
    f.string("body_model", None, "Body model file of the run, if it was moved.")
    f.string("output", None, "Folder to write; must not exist.")
    f.strings("format", DEFAULT_FORMATS, f"Some of {','.join(FORMATS)}.")


def main(values) -> None:
    """Exports, compares and describes.

    Args:
      values: the flags.
    """
    common.require(values, "output")
    unknown = sorted(set(values.format) - set(FORMATS))
    if unknown or not values.format:
        raise UsageError(f"--format={','.join(values.format)}: expected {', '.join(FORMATS)}")
    output = local_path(values.output)
    if output.exists():
        raise UserError(f"{output}: already exists; give another --output, or remove it")
    runs = _runs(values)
    with locks.locked(output.absolute().parent, f".{output.name[:80]}.lock", str(output)):
        _export(values, runs, output)


def _export(values, runs, output: Path) -> None:
    """Exports to a locked folder."""
    remove_leftovers_of(output)
    common.load_tensorflow()
    # Imported late: these modules load TensorFlow.
    from experiments.serving import exported_models, onnx_models

    if "onnx" in values.format:
        onnx_models.require_packages()
    served = _served(*runs, values.body_model)
    aside = aside_of(output)
    print(f"writes {' and '.join(values.format)}, and compares them with Keras ...", flush=True)
    try:
        with common.quiet_c(), full_disk_named(output):
            files = exported_models.write(served, aside, values.format)
            checks = exported_models.compare(served, files)
        card = exported_models.card(served, files, checks)
        card |= {"runs": [_described(run) for run in runs if run], "versions": versions()}
        write_json(aside / "model_card.json", card | {"git_commit": git_commit()})
        print(exported_models.table(card))
        exported_models.require_parity(checks)
        os.replace(aside, output)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    print(f"\nlicence  {card['licence']}\nmodels   {output}")


def _runs(values) -> tuple[RunFolder, RunFolder | None]:
    """Returns the run to export, and that of its segmenter."""
    if values.run is None:
        return shipped_runs.chosen_runs(values)
    segmentation = values.segmentation_run
    run = RunFolder.existing(values.run)
    return run, RunFolder.existing(segmentation, "NBF") if segmentation else None


def _served(run: RunFolder, segmentation: RunFolder | None, body_model: str | None):
    from experiments.nbf import networks as nbf_networks
    from experiments.nbf import segmenters
    from experiments.serving import served_models
    from experiments.smplr import networks as smplr_networks

    if run.method == "SMPLR":
        if segmentation is not None:
            raise UsageError(
                f"--segmentation_run does not apply to an SMPLR run such as {run.path}"
            )
        model, stage = smplr_networks.load_model(run)
        if stage in ("dae", "hourglass"):
            raise UserError(
                f"{run.path}: --stage={stage} predicts points, not bodies; export a run of "
                "--stage=pose_shape (points go in) or end_to_end (pictures go in)"
            )
        return served_models.served_smplr(model)
    network = nbf_networks.load_network(run, body_model)
    if segmentation is None:
        return served_models.served_fitting(network)
    segmenter = segmenters.load_segmenter(segmentation)
    segmenters.check_parts(segmenter, network.input_map)
    return served_models.served_chain(segmenter, network)


def _described(run: RunFolder) -> dict:
    record = run.read_record() or {}
    return {
        "run": run.path.name,
        "flags": run.read_flags(),
        "git_commit": record.get("git_commit"),
    }


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
