"""The notebooks in examples/ run from top to bottom, and hold no outputs."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def cells(notebook: Path) -> list[dict[str, Any]]:
    content = json.loads(notebook.read_text(encoding="utf-8"))
    assert content["nbformat"] == 4
    return [cell for cell in content["cells"] if cell["cell_type"] == "code"]


def run(cell: str, names: dict[str, Any]) -> Any:
    """Run a cell as Jupyter does: the value of a last expression is what it shows."""
    tree = ast.parse(cell)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if isinstance(last, ast.Expr) else None


def shows(value: Any) -> bool:
    """Is it more than its address that a notebook shows?"""
    pictures = ("_repr_html_", "_repr_png_")
    return any(getattr(value, name, lambda: None)() for name in pictures) or isinstance(value, (str, list, Path))


def test_there_are_three() -> None:
    assert [notebook.name for notebook in NOTEBOOKS] == [
        "quickstart.ipynb", "train_on_few_pairs.ipynb", "write_a_plugin.ipynb",
    ]  # fmt: skip


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.name)
def test_the_site_and_the_readme_link_it(notebook: Path) -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in (EXAMPLES.parent / "docs").glob("*.md"))
    assert f"(assets/{notebook.name})" in pages
    assert f"(examples/{notebook.name})" in (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.name)
def test_it_holds_no_outputs(notebook: Path) -> None:
    assert [cell for cell in cells(notebook) if cell["outputs"] or cell["execution_count"]] == []
    assert notebook.stat().st_size < 20_000


def test_the_first_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, which is quick; all of them run in a kernel in a slow test."""
    notebook = EXAMPLES / "quickstart.ipynb"
    shutil.copytree(EXAMPLES / "images", tmp_path / "examples" / "images")
    monkeypatch.chdir(tmp_path / "examples")  # where Jupyter starts
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = [run("".join(cell["source"]), names) for cell in cells(notebook)]
    assert all(value is None or shows(value) for value in shown)
    assert sum(hasattr(value, "_repr_html_") for value in shown) >= 3  # a model, a result, a comparison


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.name)
def test_it_runs_as_jupyter_runs_it(notebook: Path, tmp_path: Path) -> None:
    """In a kernel of its own, from the folder where Jupyter starts; what it shows is small."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    shutil.copytree(EXAMPLES / "images", tmp_path / "examples" / "images")
    content = nbformat.read(notebook, as_version=4)
    nbformat.validate(content)
    place = {"metadata": {"path": str(tmp_path / "examples")}}
    done = nbclient.NotebookClient(content, timeout=600, kernel_name="python3", resources=place).execute()
    shown = [output for cell in done.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("text/html" in output.get("data", {}) for output in shown) >= 2
    assert not [output for output in shown if output.output_type == "error"]
    assert len(json.dumps(done)) < 3_000_000  # images included
