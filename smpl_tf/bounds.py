"""How much a file may ask of the reader: one table for every format that we read.

A small file can claim to hold much, and a claim is checked before there is memory for it. Each
number is several times what the largest real file needs, which its comment names. SECURITY.md has
the same table in words; `tests/test_security.py` compares the two.
"""

from __future__ import annotations

# Numbers in all arrays of a body model (512 MB as float64); SMPL-X has 28 million
MOST_NUMBERS = 1 << 26
# Numbers in a file of points to fit: a hundred thousand people of 24 points have 7 million.
MOST_POINT_NUMBERS = 1 << 23

# Pickles (bodies, 3DPW, UP-3D, MoSh, HumanData): an official body has some hundred operations.
MOST_PICKLE_OPERATIONS = 1 << 20
# Lists and dicts inside each other, in pickles, JSON and .mat files; ours and the official ones: 8
MOST_DEPTH = 50

# HDF5, MATLAB's v7.3 files among it: the names of landmarks, which HDF5 keeps apart from arrays
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
    """A file claims more than its kind may; nothing was allocated for it."""


def check(claimed: float, most: int, what: str) -> None:
    """Refuses a claim.

    Args:
      claimed: how much the file says there is.
      most: one of this module's bounds.
      what: what is counted, in the plural.

    Raises:
      TooLargeError: it is more.
    """
    if claimed > most:
        raise TooLargeError(f"claims {claimed:.3g} {what}, at most {most:.3g} are read")
