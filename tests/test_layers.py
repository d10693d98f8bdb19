"""The house keeps its order: who may import whom, who may have flags, and no circles."""

import ast
import functools
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "smpl_tf": set(),
    "datasets": {"smpl_tf"},
    "nbf": {"smpl_tf"},
    "smplr": {"smpl_tf"},
    "experiments": {"smpl_tf", "datasets", "nbf", "smplr"},
    "neural_body_fitting": {"smpl_tf"},
}
# Inside experiments: a folder imports only those before it; scripts import all, nobody a script.
FOLDERS = (
    *("pages", "runs", "benchmarks", "nbf", "smplr", "device", "prediction", "serving"),
    "tables",
)


@functools.cache
def imports(file: Path) -> tuple[tuple[str, bool], ...]:
    """The modules that a file imports, and whether it does so when it is itself imported.

    `from package import name` counts as package.name where that is a module of ours.
    """
    return tuple(_imports(file))


def _imports(file: Path) -> Iterator[tuple[str, bool]]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    at_once = set(ast.walk(ast.Module(_top_level(tree.body), [])))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node in at_once
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: imports are absolute here"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if module_file(name) else node.module, node in at_once


def _top_level(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements that run on import; what stands under TYPE_CHECKING does not."""
    return [
        node
        for node in body
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
    ]


def module_file(name: str) -> Path | None:
    """The file of a module of ours."""
    path = ROOT / name.replace(".", "/")
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


def modules(package: str) -> dict[str, Path]:
    """Name -> file of every module of a package."""
    found = {}
    for file in sorted((ROOT / package).rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_lies_below_it(package):
    allowed = MAY_IMPORT[package] | {package}
    for name, file in modules(package).items():
        ours = {one.split(".")[0] for one, _ in imports(file)} & {*MAY_IMPORT, "tests"}
        assert ours <= allowed, f"{name} imports {', '.join(sorted(ours - allowed))}"


def test_only_experiments_knows_flags():
    for package in MAY_IMPORT.keys() - {"experiments"}:
        for name, file in modules(package).items():
            assert not any(one.split(".")[0] == "absl" for one, _ in imports(file)), name


def test_modules_form_no_circle():
    """Among modules that load one another on import; a package's face may name its own rooms."""
    everything = {name: file for package in MAY_IMPORT for name, file in modules(package).items()}
    arrows = {
        name: {one for one, at_once in imports(file) if at_once and one in everything} - {name}
        for name, file in everything.items()
        if file.name != "__init__.py"
    }
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_folders_of_experiments_form_a_ladder():
    for name, file in modules("experiments").items():
        parts = name.split(".")
        if len(parts) < 3:
            continue  # a script, or the package
        rank = FOLDERS.index(parts[1])
        for one, _ in imports(file):
            there = one.split(".")
            if there[0] != "experiments":
                continue
            is_script = len(there) == 2 and there[1] not in FOLDERS
            assert not is_script, f"{name} imports the script {one}"
            assert len(there) < 2 or FOLDERS.index(there[1]) <= rank, f"{name} imports {one}"


def test_scripts_alone_stand_at_the_door_of_experiments():
    for file in (ROOT / "experiments").glob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert file.name == "__init__.py" or 'if __name__ == "__main__":' in text, file.name
