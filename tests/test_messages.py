"""What the libraries say to their callers, read from their string literals."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Modules that parse a command line of their own, or pass options to Apache Beam, pip or npm.
OWN_FLAGS = {
    "smpl_tf/model_data/__main__.py",
    "smpl_tf/open_body/build.py",
    "smpl_tf/open_body/from_anny.py",
    "datasets/conversion_beam.py",
    "datasets/photographs/models.py",
}
FLAG = re.compile(r"(?<![\w-])--[a-z{]")
# A command that is told in full brings its own flags.
COMMAND = re.compile(r"python -m |pip download ")


def messages(source: str) -> list[str]:
    """All strings of a module but docstrings; of f-strings what is constant."""
    tree = ast.parse(source)
    docstrings, parts = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            docstrings.add(node.body[0].value)
        if isinstance(node, ast.JoinedStr):
            parts.update(node.values)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            texts = [getattr(part, "value", None) for part in node.values]
            found.append("".join(text if isinstance(text, str) else "{}" for text in texts))
        elif isinstance(node, ast.Constant) and node not in docstrings | parts:
            found.append(str(node.value))
    return found


@pytest.mark.parametrize("package", ["smpl_tf", "nbf", "smplr", "datasets"])
def test_a_library_names_no_flag(package):
    """Its caller may have none: the message names the argument, and a script adds its flag."""
    wrong = [
        f"{path.relative_to(ROOT)}: {text}"
        for path in sorted((ROOT / package).rglob("*.py"))
        if str(path.relative_to(ROOT)) not in OWN_FLAGS
        for text in messages(path.read_text(encoding="utf-8"))
        if FLAG.search(text) and not COMMAND.search(text)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_flag_of_a_message_is_seen():
    source = '''
def load(path):
    """Docstrings may tell of --scripts."""
    raise ValueError(f"{path}: give --{path}_body" "or say --unit=mm")
'''
    assert messages(source) == ["{}: give --{}_bodyor say --unit=mm"]
    assert FLAG.search("say --unit=mm") and FLAG.search("--{}_body") and not FLAG.search("a--b")
