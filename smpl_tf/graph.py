"""Functions of tensors as graphs that are traced at their first call."""

import threading
from collections.abc import Callable
from typing import Any

import tensorflow as tf


class Graph:
    """A function of tensors as a graph, made when it is first called.

    Called as a concrete function: of a `tf.function`, TensorFlow would count the traces of all
    graphs that are made here as those of one, and warn.
    """

    def __init__(self, function: Callable, *signature: Any):
        """Prepares the graph.

        Args:
          function: of tensors.
          *signature: one `tf.TensorSpec`, or nest of them, for each argument.
        """
        self._function = function
        self._signature = signature
        self._graph: Callable | None = None
        self._lock = threading.Lock()

    def __call__(self, *arguments: Any) -> Any:
        """Calls the function."""
        with self._lock:
            if self._graph is None:
                traced = tf.function(
                    lambda *given: self._function(*given),
                    input_signature=self._signature,
                    autograph=False,
                )
                self._graph = traced.get_concrete_function()
        return self._graph(*arguments)
