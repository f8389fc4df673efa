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


def test_there_is_one() -> None:
    assert [notebook.name for notebook in NOTEBOOKS] == ["quickstart.ipynb"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.name)
def test_it_holds_no_outputs(notebook: Path) -> None:
    assert [cell for cell in cells(notebook) if cell["outputs"] or cell["execution_count"]] == []
    assert notebook.stat().st_size < 20_000


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.name)
def test_it_runs(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(EXAMPLES / "images", tmp_path / "examples" / "images")
    monkeypatch.chdir(tmp_path / "examples")  # where Jupyter starts
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = [run("".join(cell["source"]), names) for cell in cells(notebook)]
    assert all(value is None or shows(value) for value in shown)
    assert sum(hasattr(value, "_repr_html_") for value in shown) >= 3  # a model, a result, a comparison
