"""`.importlinter` knows every plugin and the torch-free modules are torch-free; `lint-imports` checks the rest."""

from __future__ import annotations

import configparser
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
