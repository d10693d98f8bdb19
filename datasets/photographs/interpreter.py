"""Runs a .tflite network on the CPU, with TensorFlow's interpreter or with its successor."""

import os
import warnings
from collections.abc import Callable, Mapping

import numpy as np

# A picture [S, S, 3] float32 -> the network's outputs by shape, without the batch dimension.
Network = Callable[[np.ndarray], Mapping[tuple[int, ...], np.ndarray]]


def load_network(path: os.PathLike | str, threads: int = 2) -> Network:
    """Loads a network with one input and outputs of different shapes.

    Args:
      path: of the .tflite file.
      threads: of the CPU.

    Returns:
      The network. It is not thread-safe.

    Raises:
      ValueError: the file is not a network.
      ImportError: this TensorFlow has no interpreter, and its successor is not installed.
    """
    interpreter = _interpreter(str(path), threads)
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]["index"]
    exits = [(tuple(e["shape"][1:]), e["index"]) for e in interpreter.get_output_details()]

    def run(picture):
        interpreter.set_tensor(entry, np.ascontiguousarray(picture[None], np.float32))
        interpreter.invoke()
        return {tuple(map(int, shape)): interpreter.get_tensor(i)[0] for shape, i in exits}

    return run


def _interpreter(path, threads):
    with warnings.catch_warnings():
        # TensorFlow's interpreter warns that it will be removed in favour of the other one.
        warnings.simplefilter("ignore")
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:
            import tensorflow as tf

            Interpreter = getattr(tf.lite, "Interpreter", None)
        if Interpreter is None:
            raise ImportError(
                "This TensorFlow cannot run .tflite networks: pip install ai-edge-litert"
            )
        return Interpreter(path, num_threads=threads)
