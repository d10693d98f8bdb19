"""Writes models as SavedModel, TFLite and ONNX, and measures their differences to Keras."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from experiments.pages.report import Table
from experiments.runs.common import UserError
from experiments.serving import onnx_models
from experiments.serving.served_models import ServedModel, example_inputs
from smpl_tf.errors import one_line

SIGNATURE = "serving_default"
TOLERANCE = 1e-4  # largest allowed deviation from Keras: metres, radians, fractions
_EXAMPLES = 8
_ROUNDS = 15
# Two classes can be equally likely up to rounding, and then the input map differs.
_LEAST_SAME_PARTS = 0.5  # fraction of the pictures

Call = Callable[[np.ndarray], Mapping[str, np.ndarray]]


class Check(NamedTuple):
    """The comparison of one written model with Keras.

    Attributes:
      deviations: output -> largest deviation.
      compared: number of examples with equal part maps, which count.
      latency_ms: median of one example.
      keras_latency_ms: of Keras, measured alternately.
    """

    deviations: dict[str, float]
    compared: int
    latency_ms: float
    keras_latency_ms: float


def write(served: ServedModel, folder: Path, formats: Sequence[str]) -> dict[str, Path]:
    """Writes a model in some formats.

    Args:
      served: the model.
      folder: to write to; created.
      formats: of "saved_model", "tflite" and "onnx".

    Returns:
      Format -> the written file or folder.

    Raises:
      UserError: TFLite or ONNX lacks an operation, or a package is missing.
    """
    saved = folder / "saved_model"
    archive = keras.export.ExportArchive()
    for network in served.networks:
        archive.track(network)
    with _without_warnings_of_gradients():
        archive.add_endpoint(SIGNATURE, served.predict, input_signature=[served.spec])
        archive.write_out(saved, verbose=False)
    files = {"saved_model": saved}
    if "tflite" in formats:
        files["tflite"] = folder / "model.tflite"
        files["tflite"].write_bytes(_to_tflite(saved))
    if "onnx" in formats:
        files["onnx"] = folder / "model.onnx"
        files["onnx"].write_bytes(onnx_models.to_onnx(served))
    if "saved_model" not in formats:
        tf.io.gfile.rmtree(str(files.pop("saved_model")))
    return files


def _to_tflite(saved: Path) -> bytes:
    try:
        with _without_warnings_of_gradients():
            converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
            return converter.convert()
    except Exception as error:
        raise UserError(
            f"TFLite cannot hold this model ({one_line(error)[:300]}); leave it out with "
            "--format=saved_model"
        ) from error


@contextmanager
def _without_warnings_of_gradients():
    """Hides the warning that custom gradients are not saved, which exported models do not need."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def callers(files: Mapping[str, Path]) -> dict[str, Call]:
    """Loads the written models like a user.

    Args:
      files: from `write`.

    Returns:
      Format -> a function of a batch.
    """
    makers = {"saved_model": _saved_model, "tflite": _tflite, "onnx": onnx_models.caller}
    return {name: makers[name](path) for name, path in files.items()}


def _saved_model(path: Path) -> Call:
    with _without_warnings_of_gradients():
        signature = tf.saved_model.load(str(path)).signatures[SIGNATURE]
    (name,) = signature.structured_input_signature[1]
    return lambda given: _numpy(signature(**{name: tf.constant(given)}))


def _tflite(path: Path) -> Call:
    with warnings.catch_warnings():
        # TensorFlow recommends the package ai-edge-litert, which has the same interpreter.
        warnings.simplefilter("ignore", UserWarning)
        runner = tf.lite.Interpreter(str(path)).get_signature_runner(SIGNATURE)
    (name,) = runner.get_input_details()
    return lambda given: runner(**{name: given})


def compare(served: ServedModel, files: Mapping[str, Path]) -> dict[str, Check]:
    """Compares the written models with the library's Keras models, on synthetic people.

    Args:
      served: the model.
      files: from `write`.

    Returns:
      Format -> check.
    """
    examples = example_inputs(served, _EXAMPLES)
    traced = tf.function(served.reference, input_signature=[served.spec])

    def reference(given):
        return _numpy(traced(tf.constant(given)))

    expected = reference(examples)
    calls = callers(files)
    checks = {}
    for name, call in calls.items():
        deviations, compared = deviations_of(call(examples), expected)
        ours, keras_ms = _take_turns([call, reference], examples[:1])
        checks[name] = Check(deviations, compared, ours, keras_ms)
    return checks


def deviations_of(
    outputs: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]
) -> tuple[dict[str, float], int]:
    """Measures the deviations of outputs.

    Args:
      outputs: name -> `[B, ...]`; with `parts` if the model has a segmenter.
      expected: the same names.

    Returns:
      Name -> largest deviation over the examples with equal `parts` (for `parts`, the fraction of
      all pixels that differ), and the number of these examples.
    """
    same = np.ones(len(expected["betas"]), bool)
    deviations = {}
    if "parts" in expected:
        different = outputs["parts"] != expected["parts"]
        same = ~different.any((1, 2))
        deviations["parts"] = float(different.mean())
    for name, value in expected.items():
        if name != "parts" and value[same].size:
            deviations[name] = float(np.abs(outputs[name][same] - value[same]).max())
    return deviations, int(same.sum())


def _take_turns(calls: Sequence[Call], example: np.ndarray) -> list[float]:
    """Median milliseconds of each call, measured alternately, so that load affects all equally."""
    seconds = np.empty((_ROUNDS, len(calls)))
    for call in calls:  # the first call allocates and plans
        call(example)
    for row in seconds:
        for column, call in enumerate(calls):
            start = time.perf_counter()
            call(example)
            row[column] = time.perf_counter() - start
    return (1000 * np.median(seconds, axis=0)).tolist()


def require_parity(checks: Mapping[str, Check]) -> None:
    """Raises if a model differs from Keras.

    Args:
      checks: from `compare`.

    Raises:
      UserError: a model differs.
    """
    for name, check in checks.items():
        for output, deviation in check.deviations.items():
            if not deviation <= TOLERANCE:
                raise UserError(
                    f"{name}: {output} differs from Keras by {deviation:.2g}, more than "
                    f"{TOLERANCE:g}; nothing was written. Please report it with this run's flags"
                )
        if check.compared < _LEAST_SAME_PARTS * _EXAMPLES:
            raise UserError(
                f"{name}: only {check.compared} of {_EXAMPLES} pictures have the same part map as "
                "in Keras; nothing was written. Please report it with this run's flags"
            )


def card(
    served: ServedModel, files: Mapping[str, Path], checks: Mapping[str, Check]
) -> dict[str, Any]:
    """Describes the written models for their users.

    Args:
      served: the model.
      files: from `write`.
      checks: from `compare`.

    Returns:
      JSON values.
    """
    bodies = [
        {"name": body.name, "gender": body.gender, "fingerprint": body.fingerprint}
        for body in served.bodies
    ]
    formats = {
        name: {
            "file": path.name,
            "bytes": size(path),
            "largest_deviation_from_keras": checks[name].deviations,
            "examples": f"{checks[name].compared} of {_EXAMPLES}",
            "latency_ms": checks[name].latency_ms,
            "keras_latency_ms": checks[name].keras_latency_ms,
        }
        for name, path in files.items()
    }
    return {
        **served.card,
        "signature": SIGNATURE,
        "bodies": bodies,
        "licence": licence(served),
        "formats": formats,
    }


def licence(served: ServedModel) -> str:
    """Describes the licence of the files, since an exported model contains the whole body."""
    foreign = sorted({body.name for body in served.bodies} - {"open_body"})
    if foreign:
        return f"these files contain {', '.join(foreign)}, whose licence limits who may have them"
    return "these files contain the open body, which is free; the weights keep your data's licence"


def table(card: Mapping[str, Any]) -> Table:
    """Makes a table of sizes, deviations and latencies.

    Args:
      card: from `card`.

    Returns:
      The table; one row for each format.
    """
    formats = card["formats"]
    outputs = list(next(iter(formats.values()))["largest_deviation_from_keras"])
    rows = [
        [
            name,
            f"{one['bytes'] / 1e6:.2f} MB",
            *(f"{one['largest_deviation_from_keras'][output]:.1e}" for output in outputs),
            one["examples"],
            f"{one['latency_ms']:.1f} ms",
            f"{one['keras_latency_ms']:.1f} ms",
        ]
        for name, one in formats.items()
    ]
    header = ["largest deviation", "size", *outputs, "compared", "latency", "of Keras"]
    return Table(header, rows)


def size(path: Path) -> int:
    """Counts the bytes of a file, or of all files of a folder."""
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_size for one in files)


def _numpy(outputs) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in outputs.items()}
