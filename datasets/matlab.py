"""Files of MATLAB up to version 7, in which SURREAL and HumanEva keep their numbers."""

import os
from typing import Any

import scipy.io


def load(path: os.PathLike | str) -> dict[str, Any]:
    """Reads the variables of a `.mat` file.

    Args:
      path: of the file.

    Returns:
      Variable -> array, as `scipy.io.loadmat` gives them.

    Raises:
      FileNotFoundError: it is not there, by its name; SciPy's own error hides that.
      Exception: whatever a damaged file makes SciPy raise.
    """
    with open(path, "rb") as file:
        return scipy.io.loadmat(file)
