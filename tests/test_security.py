"""SECURITY.md says what the code does: its bounds, and the files that it names."""

import ast
import re
from pathlib import Path

from smpl_tf import bounds

# Files of the library itself, of the system, and those that were checked before.
_OPENED_OTHERWISE = {
    *("smpl_tf/file_kinds.py", "smpl_tf/locks.py", "smpl_tf/files.py", "smpl_tf/pictures.py"),
    *("smpl_tf/keras_settings.py", "smpl_tf/viewer/body_viewer.py"),
    *("smpl_tf/open_body/data_file.py", "datasets/photographs/models.py"),
}
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


def test_readers_open_what_is_an_ordinary_file_alone():
    """A pipe is waited for for ever, and a device never ends: `file_kinds.open_file` opens."""
    opened = set()
    for package in ("smpl_tf", "datasets", "nbf", "smplr"):
        for file in sorted((REPOSITORY / package).rglob("*.py")):
            for call in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(call, ast.Call) and re.fullmatch(
                    r"(open|np\.load|.*\.(read_bytes|read_text)|Image\.open|ET\.parse)",
                    ast.unparse(call.func),
                ):
                    opened |= {(str(file.relative_to(REPOSITORY)), ast.unparse(call))}
    others = {one for one in opened if one[0] not in _OPENED_OTHERWISE}
    assert {one for one in others if "file_kinds.read_bytes(" not in one[1]} == set()
    assert {one[0] for one in opened} >= _OPENED_OTHERWISE
