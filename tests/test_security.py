"""SECURITY.md says what the code does: its bounds, and the files that it names."""

import re
from pathlib import Path

from smpl_tf import bounds

REPOSITORY = Path(__file__).resolve().parents[1]
TEXT = (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8")


def test_the_bounds_are_those_of_the_code():
    told = {name: int(value.replace(",", "")) for name, value in re.findall(
        r"`([A-Z_]+)` ([\d,]*\d)", TEXT
    )}  # fmt: skip
    known = {name: value for name, value in vars(bounds).items() if name.isupper()}
    assert told == known


def test_the_files_that_it_names_are_there():
    named = re.findall(r"`((?:smpl_tf|datasets|experiments|tests)/[\w/.]+)`", TEXT)
    assert len(named) > 10
    for name in named:
        assert (REPOSITORY / name).exists(), name
