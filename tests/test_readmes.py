"""The READMEs: every Python snippet runs, every link leads somewhere, every table is one."""

import ast
import re
import subprocess
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
import pytest

from datasets import synthetic
from datasets.example import GENDERS, decode, parse
from datasets.example import encode as encode_example
from datasets.photographs.models import ModelsMissingError, find_models
from tests.eager import eagerly

ROOT = Path(__file__).parents[1]
TRACKED = subprocess.run(
    ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.split()
SNIPPET = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WITH_SNIPPETS = [name for name in TRACKED if SNIPPET.search((ROOT / name).read_text("utf-8"))]
# What takes longer than a few seconds; the networks of the cards are loaded elsewhere too.
SLOW = {
    *("nbf/README.md", "datasets/README.md", "smplr/README.md"),
    *(n for n in TRACKED if "MODEL_CARD" in n),
}

# Of a training of one step the graphs would be most of the time: the slow test makes them.
WISHES = "README.md"


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def given():
    """What the READMEs call by name and leave to the reader."""
    config = synthetic.SyntheticConfig(seed=5, image_size=64)
    people = [
        {**one, "smpl/gender": GENDERS.index("neutral"), "smpl/betas": one["smpl/neutral_betas"]}
        for one in synthetic.read_examples(config, "readme", 0, 12)
    ]
    rng = np.random.default_rng(0)
    return {
        "betas": np.zeros((2, 10), np.float32),
        "pose": np.zeros((2, 24, 3), np.float32),
        "translation": np.zeros((2, 3), np.float32),
        "gender": np.array([1.0, -1.0], np.float32),
        "points": rng.normal(0, 0.3, (2, 41, 3)).astype(np.float32),
        "poses": np.zeros((8, 24, 3), np.float32),
        "joints": rng.normal(0, 0.3, (1, 17, 3)),
        "landmarks_3d": rng.normal(0, 0.3, (1, 33, 3)),
        "visibility": np.ones((1, 33), np.float32),
        "confidences": np.ones((1, 17), np.float32),
        "my_examples": people[:8],
        "held_out_examples": people[8:],
        "picture": decode(parse(encode_example(people[0])))["image"].numpy(),
    }


@pytest.mark.parametrize(
    ("name", "eager"),
    [
        *(
            pytest.param(name, False, marks=[pytest.mark.slow] if name in (*SLOW, WISHES) else [])
            for name in WITH_SNIPPETS
        ),
        (WISHES, True),
    ],
)
def test_the_python_snippets_run(name, eager, given, tmp_path, monkeypatch):
    """In their order, in one namespace, in an empty folder that holds photo.jpg."""
    monkeypatch.chdir(tmp_path)
    names = dict(given, __name__="__main__", frames=[given["picture"]])
    if "LandmarkFinder" in text_of(name):
        try:
            find_models()
        except ModelsMissingError:
            pytest.skip("the landmark finder's networks were not fetched")
    if name == "README.md":
        names["points"] = given["joints"]
    cv2.imwrite("photo.jpg", given["picture"][..., ::-1])
    for match in SNIPPET.finditer(text_of(name)):
        line = text_of(name)[: match.start(1)].count("\n")
        code = compile("\n" * line + match[1], str(ROOT / name), "exec")
        trains = re.search(r"\.(fit|evaluate)\(", match[1])
        with eagerly() if eager and trains else nullcontext():
            exec(code, names)


def test_five_wishes_are_at_most_four_statements_each():
    wishes = SNIPPET.findall(text_of(WISHES))
    assert len(wishes) == 5
    for wish in wishes:
        statements = [
            node
            for node in ast.parse(wish).body
            if not isinstance(node, ast.Import | ast.ImportFrom)
        ]
        assert len(statements) <= 4, wish


@pytest.mark.parametrize("name", TRACKED)
def test_every_link_leads_somewhere(name):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text_of(name)):
        if not re.match(r"\w+:", target):
            assert ((ROOT / name).parent / target).exists(), target


@pytest.mark.parametrize("name", TRACKED)
def test_every_table_has_a_head(name):
    """An empty line inside a table shows the rows after it as bare pipes."""
    text = re.sub(r"^```.*?^```$", "", text_of(name), flags=re.DOTALL | re.MULTILINE)
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = table.splitlines()
        assert len(rows) > 2 and re.fullmatch(r"[|:\- ]+", rows[1]), f"no head above: {rows[0]}"


@pytest.mark.parametrize("name", [n for n in TRACKED if n.endswith("README.md")])
def test_a_readme_is_short(name):
    """Tables of measurements belong to docs/ or results/."""
    assert text_of(name).count("\n") <= 120
