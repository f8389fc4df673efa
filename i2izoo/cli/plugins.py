"""`i2izoo plugins`: who adds what, and what is broken and why."""

from __future__ import annotations

import argparse
from typing import Any

from i2izoo.contracts.entrypoints import Entry
from i2izoo.contracts.registry import KINDS, malformed, registry, singular


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("plugins", help="installed plugins, what they add, and which parts are broken")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Load every part of every plugin, and print them by plugin, each broken one with the reason."""
    plugins: dict[str, list[str]] = {}
    count = broken = 0
    for kind in KINDS:
        entries = registry(kind).entries()
        for entry in entries:
            reason = registry(kind).check(entry) or _clash(kind, entry, entries)
            count, broken = count + 1, broken + bool(reason)
            line = f"  {singular(kind)} {entry.name}" + (f"  BROKEN: {reason}" if reason else "")
            plugins.setdefault(entry.plugin, []).append(line)
    for bad in malformed():
        broken += 1
        plugins.setdefault(f"{bad.distribution} {bad.version}", []).append(f"  MALFORMED: {bad.reason}")
    for plugin, lines in sorted(plugins.items()):
        print(plugin, *lines, sep="\n")
    print(f"plugins: {len(plugins)}, parts: {count}, broken: {broken}")
    return 0


def _clash(kind: str, entry: Entry, entries: list[Entry]) -> str | None:
    others = [e.plugin for e in entries if e.name == entry.name and e.distribution != entry.distribution]
    if not others:
        return None
    return f"the name is also claimed by {' and '.join(others)}; ask for '{entry.distribution}:{entry.name}'"
