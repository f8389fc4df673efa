"""The page of the command line: every command, and each of its arguments with an anchor and a word about it."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import markdown
import pytest
from scripts import script

from i2izoo.cli.main import build_parser

ROOT = Path(__file__).parents[2]


def leaves(
    parser: argparse.ArgumentParser, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    inner = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not inner:
        yield words, parser
    for action in inner:
        for name, child in action.choices.items():
            yield from leaves(child, (*words, name))


COMMANDS = dict(leaves(build_parser()))


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    return script("tools/cli_reference.py")


def test_the_page_has_every_command() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert re.findall(r"^<!-- help (.+) -->$", page, re.MULTILINE) == [" ".join(words) for words in COMMANDS]
    assert [words for words in COMMANDS if f"## {' '.join(words)}\n" not in page] == []


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_argument_has_an_anchor_and_is_explained(words: tuple[str, ...], reference: ModuleType) -> None:
    arguments = [action for action in COMMANDS[words]._actions if action.dest != "help"]
    assert [action.dest for action in arguments if not action.help] == []
    page = markdown.markdown(reference.command(*words), extensions=["attr_list", "def_list", "fenced_code"])
    anchors = Counter(re.findall(r'<dt id="([^"]+)"', page))
    assert len(anchors) == len(arguments)
    assert max(anchors.values(), default=1) == 1
    for action in arguments:
        name = max(action.option_strings, key=len, default=f"-{action.dest}")
        assert "-".join(words) + name in anchors


def test_what_is_no_markdown_is_shown_as_it_is(reference: ModuleType) -> None:
    page = markdown.markdown(reference.command("list"), extensions=["attr_list", "def_list", "fenced_code"])
    assert "'*facades*'" in page
