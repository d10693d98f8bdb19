"""Floating point operations of a graph."""

from __future__ import annotations

import logging

import tensorflow as tf


def operations(function: tf.types.experimental.PolymorphicFunction) -> float:
    """Counts the floating point operations of a traced function.

    Args:
      function: a `tf.function` with one signature.

    Returns:
      Additions and multiplications of one call.
    """
    profiler = tf.compat.v1.profiler
    options = profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # a deprecation warning
    graph = function.get_concrete_function().graph
    return profiler.profile(graph, options=options).total_float_ops
