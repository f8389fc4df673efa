"""The commands of `i2izoo` as Markdown, from their parsers: an anchor for each option, for other pages to link to."""

from __future__ import annotations

import argparse
import contextlib
import html
import os
import re
import textwrap
from collections.abc import Iterator

from i2izoo.cli.main import build_parser


def command(*words: str) -> str:
    """What `i2izoo WORDS --help` prints; anchors are `translate-name`, `translate--samples`, `data-check--kind`."""
    parser, about = build_parser(), ""
    for word in words:
        (choice,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
        (about,) = (str(one.help) for one in choice._choices_actions if one.dest == word)
        parser = choice.choices[word]
    with _columns(90):
        usage = parser.format_usage().strip()
    parts = [f"{about[0].upper()}{about[1:]}.", _block(usage)]
    parts += [_argument("-".join(words), action) for action in parser._actions if action.dest != "help"]
    if parser.epilog:
        title, _, lines = parser.epilog.partition("\n")
        parts += [title.capitalize(), _block(textwrap.dedent(lines).strip())]
    return "\n\n".join(parts)


def _argument(command: str, action: argparse.Action) -> str:
    """An entry of a definition list."""
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    value = "" if action.nargs == 0 else f" {value}"
    shown = [f"`{name}{value}`" for name in action.option_strings] or [f"`{value.strip()}`"]
    name = max(action.option_strings, key=len, default=f"-{action.dest.replace('_', '-')}")
    needed = " *(needed)*" if action.required and action.option_strings else ""
    place = f"{command}{name}"
    link = f'<a class="headerlink" href="#{place}" title="Permanent link">&para;</a>'
    return f"{', '.join(shown)}{needed} {link} {{ #{place} }}\n:   {_plain(action.help or '')}"


def _plain(text: str) -> str:
    """A text that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]])", r"\\\1", html.escape(text, quote=False))


def _block(text: str) -> str:
    return f"```text\n{text}\n```"


@contextlib.contextmanager
def _columns(width: int) -> Iterator[None]:
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(width)
    try:
        yield
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before
