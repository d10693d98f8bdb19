"""Trainings of a few steps without graphs."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def eagerly() -> Iterator[None]:
    """Runs functions step by step: making their graphs costs more than a few steps do.

    What is inside tf.data stays a graph, and so does a function that was made concrete.
    """
    import tensorflow as tf  # not before a test needs it

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not apply to tf.data functions", UserWarning)
        tf.config.run_functions_eagerly(True)
        try:
            yield
        finally:
            tf.config.run_functions_eagerly(False)
