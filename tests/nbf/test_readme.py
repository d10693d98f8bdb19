"""The snippets of the READMEs of `datasets` and `nbf`, pasted one after the other."""

import re
from pathlib import Path

import keras
import pytest

from nbf import FittingNetwork

ROOT = Path(__file__).parents[2]
# The same code at a size for tests.
SMALLER = {
    "8000, config": "12, config, workers=0, progress=False",
    "image_size=128": "image_size=32",
    "8000": "12",
    "epochs, steps = 10": "epochs, steps = 1",
    '"resnet50"': '"small"',
    "224": "32",
}


def first_snippet(package):
    text = (ROOT / package / "README.md").read_text(encoding="utf-8")
    return re.search(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)[1]


@pytest.mark.slow
def test_the_two_snippets_train_a_network(tmp_path, monkeypatch):
    code = first_snippet("datasets") + first_snippet("nbf")
    for old, new in SMALLER.items():
        assert old in code, old
        code = code.replace(old, new)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert isinstance(keras.saving.load_model("fitting.keras"), FittingNetwork)
