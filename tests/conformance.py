"""What every public layer must be able to do, whichever package it belongs to.

A package's test module lists one `Case` or more for each of its layers and runs the checks over
them; `uncovered_layers` tells which layers the list forgets.
"""

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Case:
    """A layer and what to call it with.

    Attributes:
      name: shown by pytest.
      make: makes the layer; must not depend on anything but the dtype policy.
      inputs: keyword -> array with one leading batch dimension.
      geometry: its outputs stay float32 under mixed precision, and so do their values.
      tolerance: how far XLA may be from eager.
    """

    name: str
    make: Callable[[], keras.layers.Layer]
    inputs: dict[str, np.ndarray]
    geometry: bool = True
    tolerance: float = 1e-5


def check_tf_function(case: Case, jit_compile: bool) -> None:
    """Traced with an unknown batch size, the layer gives what it gives eagerly."""
    layer = case.make()
    signature = {
        name: tf.TensorSpec([None, *array.shape[1:]], array.dtype)
        for name, array in case.inputs.items()
    }
    traced = tf.function(
        lambda inputs: layer(**inputs),
        input_signature=[signature],
        jit_compile=jit_compile,
        autograph=False,
    )
    for inputs in (case.inputs, _first(case.inputs, 1)):
        _assert_close(traced(_tensors(inputs)), layer(**inputs), case.tolerance)


def check_gradients(case: Case) -> None:
    """Every floating input gets a finite gradient."""
    layer = case.make()
    inputs = _tensors(case.inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = tf.nest.flatten(layer(**inputs))
        loss = tf.add_n([tf.reduce_sum(tf.square(tf.cast(part, tf.float32))) for part in outputs])
    gradients = tape.gradient(loss, inputs, unconnected_gradients="zero")
    for name, gradient in gradients.items():
        assert np.isfinite(gradient).all(), name


def check_mixed_precision(case: Case, policy: str) -> None:
    """Under a mixed policy geometry stays float32; other outputs keep their finite sense."""
    expected = case.make()(**case.inputs)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        outputs = case.make()(**case.inputs)
    finally:
        keras.config.set_dtype_policy(before)
    if case.geometry:
        assert all(part.dtype == tf.float32 for part in tf.nest.flatten(outputs))
        _assert_close(outputs, expected, case.tolerance)
    for part in tf.nest.flatten(outputs):
        assert np.isfinite(tf.cast(part, tf.float32)).all()


def check_saving(case: Case, folder: Path) -> None:
    """Saved as .keras and loaded again, a model around the layer gives the same."""
    model = _model(case)
    model.save(folder / "model.keras")
    loaded = keras.saving.load_model(folder / "model.keras")
    _assert_close(loaded(case.inputs), model(case.inputs), 0.0)


def check_export(case: Case, folder: Path) -> None:
    """Exported as a SavedModel, it serves batches of any size."""
    model = _model(case)
    model.export(str(folder / "exported"), verbose=False)
    loaded = tf.saved_model.load(str(folder / "exported"))  # keeps the variables alive
    for inputs in (case.inputs, _first(case.inputs, 1)):
        _assert_close(loaded.serve(_tensors(inputs)), model(inputs), case.tolerance)


def uncovered_layers(package: str, cases: Iterable[Case]) -> set[str]:
    """Names the public layers and models of a package that no case makes.

    What stands inside a model of a case, and a base of such a class, is made with it.

    Args:
      package: its name.
      cases: all cases of the package.

    Returns:
      Qualified class names.
    """
    covered = {
        base
        for case in cases
        for layer in case.make()._flatten_layers()
        for base in type(layer).__mro__
    }
    root = importlib.import_module(package)
    modules = [root] + [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(root.__path__, f"{package}.")
        if not module.name.endswith("__main__")
    ]
    return {
        f"{cls.__module__}.{name}"
        for module in modules
        for name, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, keras.layers.Layer)
        and cls.__module__.split(".")[0] == package
        and not name.startswith("_")
        and cls not in covered
    }


def _model(case):
    inputs = {
        name: keras.Input(array.shape[1:], dtype=array.dtype.name, name=name)
        for name, array in case.inputs.items()
    }
    outputs = case.make()(**inputs)
    # A functional model gives a list for a named tuple once it was saved; a dict survives.
    return keras.Model(inputs, outputs._asdict() if hasattr(outputs, "_asdict") else outputs)


def _tensors(inputs):
    return {name: tf.constant(array) for name, array in inputs.items()}


def _first(inputs, count):
    return {name: array[:count] for name, array in inputs.items()}


def _assert_close(actual, expected, tolerance):
    actual, expected = tf.nest.flatten(actual), tf.nest.flatten(expected)
    for ours, true in zip(actual, expected, strict=True):
        np.testing.assert_allclose(ours, true, atol=tolerance, rtol=tolerance)
