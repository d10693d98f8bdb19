"""Human3.6M: eleven people in a studio, seen by four cameras, with motion capture."""

from datasets.human36m.reader import Human36M, read_examples

__all__ = ["Human36M", "read_examples"]
