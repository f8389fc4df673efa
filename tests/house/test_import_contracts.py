"""`.importlinter` knows every plugin and the torch-free modules are torch-free; `lint-imports` checks the rest."""

from __future__ import annotations

import configparser
import graphlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(p.name for p in (ROOT / "plugins").iterdir() if (p / "__init__.py").is_file())


@pytest.fixture(scope="module")
def contracts() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    return parser


@pytest.mark.parametrize(
    ("section", "option"),
    [
        ("importlinter", "root_packages"),
        ("importlinter:contract:core", "forbidden_modules"),
        ("importlinter:contract:plugins", "source_modules"),
        ("importlinter:contract:apart", "modules"),
        ("importlinter:contract:hub", "source_modules"),
    ],
)
def test_every_first_party_plugin_is_under_the_import_contracts(
    contracts: configparser.ConfigParser, section: str, option: str
) -> None:
    assert PLUGINS
    assert set(PLUGINS) <= set(contracts[section][option].split())


def test_the_contracts_hold() -> None:
    import importlinter.cli

    assert importlinter.cli.lint_imports(config_filename=str(ROOT / ".importlinter"), no_cache=True) == 0


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions count, too; those for type checkers do not."""
    import grimp

    graph = grimp.build_graph("i2izoo", *PLUGINS, exclude_type_checking_imports=True, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert imports["i2izoo.report.compare"] >= {"i2izoo.evaluation.compare", "i2izoo.report.page"}
    graphlib.TopologicalSorter(imports).prepare()  # a CycleError names the circle
