"""`i2izoo completion`: what a shell needs to complete commands, options and names. Torch-free, as each TAB runs it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import Any

SHELLS = {
    "bash": 'eval "$(i2izoo completion bash)"      # in ~/.bashrc',
    "zsh": 'eval "$(i2izoo completion zsh)"       # in ~/.zshrc, after compinit',
    "fish": "i2izoo completion fish | source        # in ~/.config/fish/config.fish",
}


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "completion",
        help="print the script that completes i2izoo in a shell",
        epilog="examples:\n" + "".join(f"  {line}\n" for line in SHELLS.values()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=list(SHELLS), help="whose script")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Print the script; it asks this program for the words each time, so a new plugin is completed, too."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["i2izoo"], shell=args.shell))
    return 0


def offers(
    action: argparse.Action, *kinds: str, kinds_too: bool = False, files: bool = True, many: bool = False
) -> None:
    """Complete an argument with names of the registry.

    Args:
        action: the argument.
        kinds: of the parts whose names it may be.
        kinds_too: it may be the name of a kind, too.
        files: it may be a file, too.
        many: it is a list with commas.
    """
    action.completer = _Names(kinds, kinds if kinds_too else (), files, many)  # type: ignore[attr-defined]


def add_model(parser: argparse.ArgumentParser, name: str, about: str) -> None:
    """Declare a model by its name."""
    offers(parser.add_argument(name, metavar=name.upper(), help=about), "pretrained")


def add_data(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Declare --data."""
    about = "a folder, a CSV file or the name of a dataset"
    offers(parser.add_argument("--data", required=required, metavar="PATH", help=about), "datasets")


def add_naming(parser: argparse.ArgumentParser) -> None:
    """Declare what says how the data names its domains."""
    parser.add_argument("--sides", metavar="LEFT,RIGHT", help="domains of the halves of side-by-side images")
    parser.add_argument("--rename", metavar="OLD=NEW", help="the data's names of domains: edges=label,shoes=photo")


class _Names:
    """What argcomplete calls for the words that an argument may be."""

    def __init__(self, kinds: tuple[str, ...], more: tuple[str, ...], files: bool, many: bool) -> None:
        self.kinds, self.more, self.files, self.many = kinds, more, files, many

    def __call__(self, prefix: str, **_: Any) -> Iterator[str]:
        from argcomplete.completers import FilesCompleter

        from i2izoo.contracts.registry import registry

        before, comma, _last = prefix.rpartition(",") if self.many else ("", "", prefix)
        words = [*self.more, *(name for kind in self.kinds for name in registry(kind).names())]
        yield from (f"{before}{comma}{word}" for word in dict.fromkeys(words))
        if self.files:
            yield from FilesCompleter()(prefix)  # type: ignore[no-untyped-call]


def asked() -> bool:
    """Does a shell ask for words?"""
    return "_ARGCOMPLETE" in os.environ


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks for words, and end the program; do nothing where none asks."""
    if asked():
        import argcomplete

        argcomplete.autocomplete(parser)
