"""The chart of "Choose a method" leads to pages that exist, and its table to all methods."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from i2izoo.contracts.registry import registry

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "choose.md").read_text(encoding="utf-8")
LINKS = re.findall(r'<a href="([^"]+)">([^<]+)</a>', PAGE)


def test_the_links_of_the_chart_lead_somewhere() -> None:
    """mkdocs looks at Markdown's links only."""
    assert len(LINKS) > 15
    for place, _ in LINKS:
        path, _, anchor = place.removeprefix("../").partition("#")
        pages = [DOCS / f"{path.rstrip('/')}.md", DOCS / path / "index.md"]
        page = next((page for page in pages if page.is_file()), None)
        assert page, place
        titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        slugs = {re.sub(r"[^\w]+", "-", title.lower()).strip("-") for title in titles}
        assert not anchor or anchor in slugs, place


def test_what_it_names_is_there() -> None:
    methods = registry("methods")
    names = [name.partition(" ")[0] for place, name in LINKS if "/methods/" in place or "/generate/" in place]
    assert [name for name in names if name not in methods and name != "a"] == []
    assert set(re.findall(r"`(\w+)`", PAGE)) & set(methods.names()) >= {"pix2pix", "cut", "cyclegan", "ddim"}


def test_every_method_of_the_table_has_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DOCS.parent / "tools")
    import choosing

    pages = {name: DOCS / "methods" / f"{choosing.PAGES.get(name, name)}.md" for name in choosing.names()}
    assert [name for name, page in pages.items() if not page.is_file()] == []
    measured = choosing.costs((DOCS / "performance.md").read_text(encoding="utf-8"))
    assert all(len(cells) == 5 for cells in measured.values())
    assert len(measured.keys() & pages.keys()) > 15
