r"""Copies a finished SMPLR run without checkpoints, logs and optimiser, in half precision.

    python experiments/ship_smplr.py --run=runs/smplr_pose_shape \
        --output=experiments/pretrained/smplr_pose_shape

The copy is a run folder: evaluate_smplr.py, --networks and `from_pretrained` take it like the run
itself. Numbers are read as float32 again. A network that the run's stage does not train (the Ψ of
--stage=pose) is all zeros in the copy. An autoencoder and an hourglass in front of Ω and Ψ go into
files of their own, autoencoder.keras and hourglass.keras, and are joined again when the copy is
loaded. Of an hourglass before shipped networks only the hourglass is copied.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import h5py
import numpy as np

from experiments.runs import common
from experiments.runs.flag_definer import FlagDefiner
from experiments.runs.run_folder import RunFolder
from experiments.runs.shipped_runs import PRETRAINED
from smpl_tf.files import write_json, write_text, written_aside

# `smplr.pretrained.AUTOENCODER_FILE` and its HOURGLASS_FILE; smplr loads TensorFlow.
_BESIDE = {"autoencoder": "autoencoder.keras", "hourglass": "hourglass.keras"}
# In a .keras file.
_WEIGHTS, _CONFIG = "model.weights.h5", "config.json"
# Stage -> path in the weights of a network that it does not train.
_UNTRAINED = {"pose": "layers/shape_regressor/", "shape": "layers/pose_regressor/"}


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: gets the flags.
    """
    f = FlagDefiner(values)
    f.string("run", None, "Folder of a finished SMPLR run.")
    f.string("output", None, "Folder to write.")


def main(values) -> None:
    """Copies the run.

    Args:
      values: the flags.
    """
    common.require(values, "run", "output")
    run, copy = RunFolder.existing(values.run, "SMPLR"), RunFolder(values.output)
    # Networks that evaluate_smplr.py joined have the record of their evaluation alone.
    joined = RunFolder(run.path / "evaluation")
    record, model = run.read_record() or joined.read_record(), run.path / "model.keras"
    if record is None or not model.exists():
        raise common.UserError(f"{run.path}: not finished; run train_smplr.py to its end first")
    content, lines = model.read_bytes(), run.read_flags()
    behind = networks_behind(run) if record["stage"] == "end_to_end" else []
    if behind and all((common.REPOSITORY / one).is_relative_to(PRETRAINED) for one in behind):
        content, lines["networks"] = hourglass_of(run), f"--networks={','.join(behind)}"
    elif behind or lines.get("denoise") == "--denoise=true":
        content, beside = apart(run)
        for name, network in beside.items():
            with written_aside(copy.path / _BESIDE[name]) as aside:
                aside.write_bytes(halved(network))
    with written_aside(copy.path / model.name) as aside:
        aside.write_bytes(halved(content, _UNTRAINED.get(record["stage"])))
    write_text(copy.flags_file, "".join(f"{line}\n" for line in lines.values()))
    write_json(copy.record_file, record)
    size = (copy.path / model.name).stat().st_size / 1e6
    print(f"{copy.path}: {size:.1f} MB of weights, from {model.stat().st_size / 1e6:.1f} MB")


def networks_behind(run: RunFolder) -> list[str]:
    """Finds where an end-to-end run has the networks behind its hourglass from.

    Args:
      run: the run.

    Returns:
      The folders of their runs.
    """
    from experiments.smplr import networks  # loads TensorFlow

    return [
        folder
        for folder in networks.flags_of(run).networks
        if networks.flags_of(networks.named_run(folder)).stage != "hourglass"
    ]


def hourglass_of(run: RunFolder) -> bytes:
    """Extracts the hourglass of an end-to-end run.

    Args:
      run: the run.

    Returns:
      Content of the `.keras` file of the hourglass.
    """
    from experiments.smplr import networks  # loads TensorFlow

    return _saved(networks.load_model(run)[0].hourglass)


def apart(run: RunFolder) -> tuple[bytes, dict[str, bytes]]:
    """Takes the networks in front of Ω and Ψ out of a run's model.

    Args:
      run: the run.

    Returns:
      Content of the `.keras` file of the model without them; name -> that of each of them.
    """
    from smplr import SMPLR  # loads TensorFlow

    model = SMPLR.from_pretrained(run.path)
    found = {name: getattr(model, name) for name in _BESIDE}
    beside = {name: _saved(network) for name, network in found.items() if network is not None}
    return _saved(model.with_autoencoder(None).with_hourglass(None)), beside


def _saved(network: Any) -> bytes:
    """Content of the `.keras` file of a network."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        network.save(path)
        return path.read_bytes()


def halved(model: bytes, emptied: str | None = None) -> bytes:
    """Rounds the weights of a saved Keras model to half precision.

    Args:
      model: content of a `.keras` file.
      emptied: path in the file whose weights become zero.

    Returns:
      Content of a smaller `.keras` file of the same model.

    Raises:
      UserError: a weight is too large.
    """
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(model)) as old, zipfile.ZipFile(result, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == _WEIGHTS:
                content = _halved_weights(content, emptied)
            elif name == _CONFIG:
                config = json.loads(content)
                config["compile_config"] = None
                content = json.dumps(config)
            # Without the time of day, so that equal models give equal files.
            new.writestr(zipfile.ZipInfo(name), content)
    return result.getvalue()


def _halved_weights(content: bytes, emptied: str | None) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.h5"
        with h5py.File(io.BytesIO(content)) as old, _compact_file(path) as new:

            def copy(name, item):
                if name.split("/")[0] == "optimizer":
                    return
                if isinstance(item, h5py.Group):
                    group = h5py.h5g.create(new.id, name.encode(), gcpl=_timeless("GROUP"))
                    made = h5py.Group(group)
                else:
                    values = item[()]
                    empty = emptied is not None and name.startswith(emptied)
                    made = _halved_array(new, name, 0 * values if empty else values)
                made.attrs.update(item.attrs)

            old.visititems(copy)
            new.attrs.update(old.attrs)
        return path.read_bytes()


def _compact_file(path: Path) -> h5py.File:
    """Creates an HDF5 file whose groups take bytes instead of kilobytes."""
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
    made = h5py.h5f.create(bytes(path), h5py.h5f.ACC_TRUNC, fcpl=_timeless("FILE"), fapl=access)
    return h5py.File(made)


def _timeless(kind: str) -> Any:
    """Returns properties for a new file or group without a creation time."""
    properties = h5py.h5p.create(getattr(h5py.h5p, f"{kind}_CREATE"))
    properties.set_obj_track_times(False)
    return properties


def _halved_array(file, name, values):
    if values.dtype != np.float32 or not values.shape:
        return file.create_dataset(name, data=values)
    with np.errstate(over="ignore"):  # reported below
        rounded = values.astype(np.float16)
    if not np.isfinite(rounded).all():
        raise common.UserError(f"{name}: too large for half precision; ship the run unchanged")
    return file.create_dataset(name, data=rounded, compression=9, shuffle=True)


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
