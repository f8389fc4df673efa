"""What packagers and their tools read: types, bounds of dependencies, the citation, the hooks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


def test_every_package_is_in_the_wheel_and_typed() -> None:
    found = ["i2izoo", *(p.parent.relative_to(ROOT).as_posix() for p in (ROOT / "plugins").glob("*/__init__.py"))]
    assert sorted(PACKAGES) == sorted(found)
    assert [package for package in PACKAGES if not (ROOT / package / "py.typed").is_file()] == []


@pytest.mark.parametrize("requirement", PROJECT["project"]["dependencies"])
def test_a_dependency_says_the_oldest_release_that_was_tried(requirement: str) -> None:
    assert re.fullmatch(r"[\w-]+>=\d+(\.\d+)*", requirement)


def test_the_citation_is_of_this_version() -> None:
    """The keys that the Citation File Format 1.2.0 requires, and what must not drift from pyproject.toml."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["message"]
    assert all("name" in author or "family-names" in author for author in citation["authors"])
    assert citation["title"] == PROJECT["project"]["name"]
    assert citation["version"] == PROJECT["project"]["version"]
    assert citation["license"] == PROJECT["project"]["license"]


def test_hooks_run_what_the_dev_extra_installs() -> None:
    """Hooks that pre-commit would fetch from elsewhere have versions of their own, which drift from CI's."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [repository["repo"] for repository in hooks] == ["local"]
    needed = {hook["entry"].split()[0] for hook in hooks[0]["hooks"]}
    scripts = {"lint-imports": "import-linter"}
    installed = {re.split(r"[<>=\[]", line)[0] for line in PROJECT["project"]["optional-dependencies"]["dev"]}
    assert {scripts.get(name, name) for name in needed} <= installed
