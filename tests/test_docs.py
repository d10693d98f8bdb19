"""The site: its notebooks hold the outputs of their own code and run; it builds strictly."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def cells(notebook):
    content = json.loads(notebook.read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == "code"]


def test_there_are_four_notebooks():
    assert len(NOTEBOOKS) == 4


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_readable_without_running_it(notebook):
    outputs = [output for cell in cells(notebook) for output in cell["outputs"]]
    assert outputs and not any(output["output_type"] == "error" for output in outputs)
    assert [cell["execution_count"] for cell in cells(notebook)] == [
        number for number, _ in enumerate(cells(notebook), start=1)
    ]
    for cell in cells(notebook):
        source = "".join(cell["source"])
        ast.parse(re.sub(r"(?m)^%.*$", "", source))
    assert notebook.stat().st_size < 500_000


def test_every_page_is_in_the_navigation():
    listed = re.findall(r": ([\w/-]+\.(?:md|ipynb))$", (ROOT / "mkdocs.yml").read_text(), re.M)
    pages = [
        str(path.relative_to(ROOT / "docs"))
        for pattern in ("*.md", "notebooks/*.ipynb")
        for path in (ROOT / "docs").glob(pattern)
    ]
    assert sorted(listed) == sorted(pages)


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(notebook, tmp_path, monkeypatch):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    content = nbformat.read(notebook, as_version=4)
    for cell in content.cells:
        cell.pop("outputs", None)
    monkeypatch.setattr("warnings.filters", [])  # of the client, not of our code
    client = nbclient.NotebookClient(
        content, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()  # raises at the first cell that fails


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    pytest.importorskip("mkdocs_jupyter")
    command = (sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path / "site"))
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    page = (tmp_path / "site" / "api" / "index.html").read_text(encoding="utf-8")
    assert "fit_points" in page and "measure" in page
