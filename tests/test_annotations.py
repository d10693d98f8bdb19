"""Every public signature of the libraries is annotated: their py.typed promises it to others."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARIES = ("smpl_tf", "nbf", "smplr", "datasets")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def missing_annotations(source: str) -> list[str]:
    """Lists what is not annotated of the public functions and methods of a module.

    Public are names without a leading underscore, in public classes alone, and special methods. A
    constructor needs no annotated return: it is None.
    """
    return [
        f"line {function.lineno}: {name}: {what}"
        for name, function, is_method in _public_functions(ast.parse(source))
        for what in _missing_of(function, is_method)
    ]


def _public_functions(
    tree: ast.Module | ast.ClassDef, prefix: str = "", is_class: bool = False
) -> Iterator[tuple[str, Function, bool]]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _public_functions(node, f"{prefix}{node.name}.", is_class=True)
        if isinstance(node, Function) and _is_public(node.name):
            static = any(ast.unparse(one) == "staticmethod" for one in node.decorator_list)
            yield prefix + node.name, node, is_class and not static


def _is_public(name: str) -> bool:
    return not name.startswith("_") or (name.startswith("__") and name.endswith("__"))


def _missing_of(function: Function, is_method: bool) -> Iterator[str]:
    given = function.args
    named = [*given.posonlyargs, *given.args][is_method:]  # without self or cls
    starred = [one for one in (given.vararg, given.kwarg) if one is not None]
    for argument in [*named, *given.kwonlyargs, *starred]:
        if argument.annotation is None:
            yield argument.arg
    if function.returns is None and function.name != "__init__":
        yield "return"


@pytest.mark.parametrize("library", LIBRARIES)
def test_public_signatures_are_annotated(library):
    paths = sorted((ROOT / library).rglob("*.py"))
    missing = {
        str(path.relative_to(ROOT)): found
        for path in paths
        if (found := missing_annotations(path.read_text(encoding="utf-8")))
    }
    assert paths and not missing


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(a: int, b) -> int: ...", ["line 1: f: b"]),
        ("def f(*a, b, **c) -> int: ...", [f"line 1: f: {name}" for name in "bac"]),
        ("def f(a: int): ...", ["line 1: f: return"]),
        ("class C:\n  def call(self, x) -> int: ...", ["line 2: C.call: x"]),
        ("class C:\n  @staticmethod\n  def f(x) -> int: ...", ["line 3: C.f: x"]),
        ("class C:\n  def __init__(self, x): ...", ["line 2: C.__init__: x"]),
        ("class C:\n  def __call__(self): ...", ["line 2: C.__call__: return"]),
        ("class C:\n  class D:\n    def f(self): ...", ["line 3: C.D.f: return"]),
        ("class C:\n  def __init__(self): ...", []),
        ("def _f(a): ...\nclass _C:\n  def f(self, a): ...", []),
    ],
)
def test_what_is_missing_is_found(source, expected):
    assert missing_annotations(source) == expected


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_says_that_it_is_typed(library):
    assert (ROOT / library / "py.typed").is_file()
