"""Limits on what a file may ask of the reader: one table for every format that we read.

A small file can declare a huge size, so sizes are checked before memory is allocated. Each limit
is several times what the largest real file needs, which its comment names. SECURITY.md has the
same table in words; `tests/test_security.py` compares the two.
"""

from __future__ import annotations

# Numbers in all arrays of a body model (512 MB as float64); SMPL-X has 28 million
MOST_NUMBERS = 1 << 26
# Numbers in a file of points to fit: a hundred thousand people of 24 points have 7 million.
MOST_POINT_NUMBERS = 1 << 23

# Pickles (bodies, 3DPW, UP-3D, MoSh, HumanData): an official body has some hundred operations.
MOST_PICKLE_OPERATIONS = 1 << 20
# Nesting of lists and dicts in pickles, JSON and .mat files; ours and the official ones: 8
MOST_DEPTH = 50

# HDF5, including MATLAB's v7.3 files: the names of landmarks, which HDF5 keeps apart from arrays
MOST_TEXTS = 10_000
MOST_TEXT_BYTES = 1 << 20

# MATLAB's up to version 7, unpacked: a clip of SURREAL has 8 MB.
MOST_MAT_BYTES = 1 << 27

# JSON: COCO's largest file of annotations has 240 MB, a manifest or record a few MB.
MOST_JSON_BYTES = 1 << 28
MOST_SIDE_FILE_BYTES = 1 << 26
# CSV: a hundred thousand people of 24 points take 60 MB.
MOST_CSV_BYTES = 1 << 27

# Pictures and label maps inside Examples; the largest photographs of the data sets: 20 million
MOST_PIXELS = 1 << 26
# One record of a shard, framed: pictures of a few MB at most
MOST_RECORD_BYTES = 1 << 28

# `.keras` files: our largest network has 60 million weights.
MOST_WEIGHTS = 1 << 29
# Any whole number of a network's configuration; image sizes and widths are below three thousand.
LARGEST_SETTING = 1 << 13


class TooLargeError(ValueError):
    """A file declares more than its kind may hold; nothing was allocated for it."""


def check(claimed: float, most: int, what: str) -> None:
    """Rejects a declared size above a limit.

    Args:
      claimed: the size that the file declares.
      most: one of this module's limits.
      what: the counted items, in the plural.

    Raises:
      TooLargeError: the size is above the limit.
    """
    if claimed > most:
        raise TooLargeError(f"declares {claimed:.3g} {what}; at most {most:.3g} are read")
