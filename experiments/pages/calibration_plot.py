"""The plot of expected and true errors of `predict.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from experiments.pages.scatter import Axis, Scatter


def plot(tested: Mapping[str, Sequence[float]]) -> Scatter:
    """Plots the expected against the true errors.

    Args:
      tested: `expected_mm`, `error_mm` and `agreement` of each person.

    Returns:
      The plot.
    """
    return Scatter(
        Axis("expected error, mm", np.array(tested["expected_mm"])),
        Axis("true error, mm", np.array(tested["error_mm"])),
        Axis("agreement of the parts, %", 100 * np.array(tested["agreement"])),
    )
