"""The READMEs: what Markdown would not show as it was meant."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
READMES = [
    "README.md",
    *(f"{p}/README.md" for p in "smpl_tf nbf smplr datasets experiments".split()),
]


@pytest.mark.parametrize("readme", READMES)
def test_every_table_has_a_head(readme):
    """An empty line inside a table shows the rows after it as bare pipes."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = table.splitlines()
        assert len(rows) > 2 and re.fullmatch(r"[|:\- ]+", rows[1]), f"no head above: {rows[0]}"
