"""A zoo package of a third party, made as docs/plugins.md says: weights, card, recipe, data set."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"


def section() -> str:
    return PAGE.read_text(encoding="utf-8").partition("## Publish trained models")[2].partition("\n## ")[0]


def block(first: str) -> str:
    """The code block of the section that begins so."""
    return next(text for text in re.findall(r"```\w+\n(.*?)```", section(), re.DOTALL) if text.startswith(first))


def run(*words: str, site: Path, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "i2izoo", *words],
        cwd=cwd, env={**os.environ, "PYTHONPATH": str(site)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pip would install: the package, and its entry points."""
    site = tmp_path_factory.mktemp("site")
    package = site / "my_houses"
    package.mkdir()
    (package / "__init__.py").touch()
    for name in ("stripes.py", "pretrained.py"):
        (package / name).write_text(block(f"# my_houses/{name}"))
    project = tomllib.loads(block("[project]"))["project"]
    info = site / "my_houses-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    lines = [line for group, names in groups for line in (f"[{group}]", *(f"{n} = {v}" for n, v in names.items()))]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    (site / "recipe.yaml").write_text(block("# recipe.yaml"))
    run("train", "--recipe", "recipe.yaml", "--out", "run", "device=cpu", site=site, cwd=site)
    (package / "entries").mkdir()
    (site / "run" / "model").rename(package / "entries" / "houses-small")
    return site


def test_its_models_are_listed_loaded_and_trained_by_name(site: Path, tmp_path: Path) -> None:
    assert "houses-small" in run("list", "*houses*", site=site, cwd=tmp_path)
    said = run("info", "houses-small", site=site, cwd=tmp_path)
    assert "recipe: i2izoo train --recipe houses-small --data PATH --out runs/houses-small" in said
    card = (site / "my_houses/entries/houses-small/README.md").read_text()
    assert "i2izoo train --recipe recipe.yaml --data PATH" in card
    run("train", "--recipe", "houses-small", "--out", "again", site=site, cwd=tmp_path)
    code = (
        "import i2izoo, torch\n"
        "one, two = (i2izoo.load(name).method.inference_state() for name in ('houses-small', 'again/model'))\n"
        "assert all(torch.equal(value, two[name]) for name, value in one.items())\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(site)}, check=True)
