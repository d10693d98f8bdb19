"""The name under which a wheel installs everything that is not `smpl_tf`, `nbf` or `smplr`.

    from neural_body_fitting import datasets

gives this library's data sets, in a checkout and in an installed wheel. The top-level names
`datasets` and `experiments` belong to the checkout alone: in a site-packages folder `datasets` is
Hugging Face's package, and a wheel that wrote there would break it (and be broken by it).
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

from smpl_tf.version import __version__

__all__ = ["__version__"]

_FOLDER = Path(__file__).resolve().parent
_INSTALLED = (_FOLDER / "datasets").is_dir()  # setup.py put the packages in here


def find_package(name: str) -> str:
    """Finds the importable name of one of the two packages that a wheel keeps in here.

    Args:
      name: "datasets" or "experiments".

    Returns:
      `neural_body_fitting.<name>` in a wheel; in a checkout the name itself, importable by then.

    Raises:
      ImportError: another package of that name was imported before.
    """
    if _INSTALLED:
        return f"{__name__}.{name}"
    if str(_FOLDER.parent) not in sys.path:
        sys.path.insert(0, str(_FOLDER.parent))
    found = importlib.import_module(name)
    file = found.__file__ or ""
    if Path(file).resolve().parents[1] != _FOLDER.parent:
        raise ImportError(
            f"the package {name!r} was imported from {Path(file).parent}, not from "
            f"{_FOLDER.parent}: both packages have this name in a checkout. Install the wheel "
            "(pip install . from the repository), which leaves the name to the other one"
        )
    return name


def __getattr__(name: str) -> ModuleType:
    if name not in ("datasets", "experiments"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(find_package(name))
