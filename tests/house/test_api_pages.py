"""The API pages of the site follow the rooms: each module or name stands on one page, and is there."""

import importlib.util
import re
from collections import Counter
from pathlib import Path

import i2izoo

PAGES = Path(__file__).parents[2] / "docs" / "api"
TARGETS = [t for page in sorted(PAGES.glob("*.md")) for t in re.findall(r"^::: (\S+)", page.read_text(), re.MULTILINE)]


def test_targets_stand_once_and_exist():
    assert [target for target, count in Counter(TARGETS).items() if count > 1] == []
    for target in TARGETS:
        module, _, name = target.rpartition(".")
        assert name[:1].isupper() or importlib.util.find_spec(target), target
        assert importlib.util.find_spec(module), target


def test_what_import_i2izoo_offers_is_on_a_page():
    homes = {n: getattr(i2izoo, n).__module__ for n in i2izoo.__all__ if n not in ("__version__", "errors")}
    assert {name: home for name, home in homes.items() if home not in TARGETS} == {}


def test_the_navigation_has_every_page():
    navigation = (PAGES.parents[1] / "mkdocs.yml").read_text(encoding="utf-8")
    assert [page.name for page in PAGES.glob("*.md") if f"api/{page.name}" not in navigation] == []
