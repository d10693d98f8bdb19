"""Converts models to ONNX with tf2onnx, and runs them with onnxruntime (extra `onnx`)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from experiments.runs.common import UserError
from experiments.serving.served_models import ServedModel
from smpl_tf.errors import one_line

_OPSET = 18
_REMEDY = "install the extra: pip install 'neural-body-fitting[onnx]'"


def require_packages() -> None:
    """Checks for the packages that ONNX needs.

    Raises:
      UserError: a package is not installed.
    """
    for name in ("onnx", "onnxruntime", "tf2onnx"):
        try:
            __import__(name)
        except ImportError:
            raise UserError(f"--format=onnx needs the package {name}; {_REMEDY}") from None


def to_onnx(served: ServedModel) -> bytes:
    """Converts a model.

    Args:
      served: the model.

    Returns:
      The file's bytes; the first dimension of input and outputs is free.

    Raises:
      UserError: a package is missing, or ONNX lacks an operation.
    """
    require_packages()
    import tf2onnx
    from onnx import checker, numpy_helper

    predict = tf.function(served.predict, input_signature=[served.spec])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # from tf2onnx's own code
            model, _ = tf2onnx.convert.from_function(
                predict,
                [served.spec],
                opset=_OPSET,
                custom_op_handlers={"BroadcastArgs": (_broadcast_args, [])},
            )
    except Exception as error:  # the converter raises many kinds of errors
        raise UserError(
            f"ONNX cannot hold this model ({one_line(error)[:300]}); leave it out with "
            "--format=saved_model,tflite"
        ) from error
    # tf2onnx turns constants that a traced layer holds as tensors into inputs.
    captures = predict.get_concrete_function().graph.captures
    constants = {inner.name: outer for outer, inner in captures if outer.dtype != tf.resource}
    graph = model.graph
    read = {name for node in graph.node for name in node.input}
    for given in list(graph.input):
        if given.name in constants:
            graph.input.remove(given)
            if given.name in read:
                value = constants[given.name].numpy()
                graph.initializer.append(numpy_helper.from_array(value, given.name))
        else:
            given.type.tensor_type.shape.dim[0].dim_param = "batch"
    for output in graph.output:
        output.type.tensor_type.shape.dim[0].dim_param = "batch"
    checker.check_model(model)
    return model.SerializeToString()


def _broadcast_args(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Computes the broadcast shape of two shapes as that of a sum of ones."""
    from onnx import TensorProto

    ones = []
    for given in node.input:
        shape = context.make_node("Cast", [given], attr={"to": TensorProto.INT64})
        ones += context.make_node("ConstantOfShape", shape.output).output
    total = context.make_node("Add", ones)
    shape = context.make_node("Shape", total.output)
    outputs = node.output
    kinds = [context.get_dtype(one) for one in outputs]
    shapes = [context.get_shape(one) for one in outputs]
    context.remove_node(node.name)
    context.make_node(
        "Cast",
        shape.output,
        attr={"to": kinds[0]},
        name=node.name,
        outputs=outputs,
        dtypes=kinds,
        shapes=shapes,
    )


def caller(path: Path) -> Callable[[np.ndarray], Mapping[str, np.ndarray]]:
    """Loads a model into onnxruntime.

    Args:
      path: the file.

    Returns:
      A function of a batch.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # only errors
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    names = [one.name for one in session.get_outputs()]
    return lambda batch: dict(zip(names, session.run(names, {given.name: batch}), strict=True))
