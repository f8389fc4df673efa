"""Commands that plugins add by entry points of the group `i2izoo.commands`; a broken one hurts only who asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from i2izoo.contracts.registry import registry
from i2izoo.contracts.summary import summary
from i2izoo.errors import PluginError


def add_commands(commands: Any, words: Sequence[str] | None) -> None:
    """Declare them behind the program's own, whose names no plugin takes.

    Args:
        commands: the subparsers of the program.
        words: of the command line; only the command that they begin with is imported. None: all are.
    """
    taken = set(commands.choices)
    for entry in registry("commands").entries():
        if entry.name in taken:
            continue
        taken.add(entry.name)
        about = summary(entry)
        parser = commands.add_parser(entry.name, help=f"{about[:1].lower()}{about[1:].rstrip('.')}")
        if words is not None and entry.name not in words[:1]:
            continue
        try:
            command = registry("commands").get(entry.name)()
            command.arguments(parser)
            parser.set_defaults(run=command.run, parser=parser)
        except Exception as error:
            if words is not None:
                raise PluginError(f"the command {entry.name!r} of {entry.plugin} cannot be used: {error}") from error
