"""`i2izoo plugins`: who adds what, and what is broken and why."""

from __future__ import annotations

import argparse
import math
import threading
from typing import Any

from i2izoo.contracts.entrypoints import Entry
from i2izoo.contracts.registry import KINDS, malformed, registry, singular

LIMIT = 120.0
"""Seconds that the import of one part may take; the first one brings torch with it."""


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("plugins", help="installed plugins, what they add, and which parts are broken")
    limit = "for the import of one part, after which its plugin is given up (default: %(default)g)"
    parser.add_argument("--timeout", type=seconds, default=LIMIT, metavar="SECONDS", help=limit)
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Load every part of every plugin, and print them by plugin, each broken one with the reason.

    Plugins are imported by another process (`trying`): whatever one does, the others are listed.
    """
    from i2izoo.cli.trying import try_parts  # and with it subprocess, which no other command needs

    claims = [(kind, entry) for kind in KINDS for entry in registry(kind).entries()]
    found = try_parts([claim for claim in claims if claim[1].target is None], args.timeout)
    plugins: dict[str, list[str]] = {}
    broken = 0
    for kind, entry in claims:
        tried = entry.target is not None or (kind, entry) in found
        reason = registry(kind).check(entry) if entry.target is not None else found.get((kind, entry))
        reason = reason or _clash(kind, entry, registry(kind).entries())
        broken += bool(reason)
        state = f"  BROKEN: {reason}" if reason else "" if tried else "  NOT TRIED: see what is broken in this plugin"
        plugins.setdefault(entry.plugin, []).append(f"  {singular(kind)} {entry.name}{state}")
    for bad in malformed():
        broken += 1
        plugins.setdefault(f"{bad.distribution} {bad.version}", []).append(f"  MALFORMED: {bad.reason}")
    for plugin, lines in sorted(plugins.items()):
        print(plugin, *lines, sep="\n")
    print(f"plugins: {len(plugins)}, parts: {len(claims)}, broken: {broken}")
    return 0


def seconds(text: str) -> float:
    """A time limit, for argparse."""
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not 0 < limit < threading.TIMEOUT_MAX:
        raise argparse.ArgumentTypeError(f"wants seconds, such as 30; found {text!r}")
    return limit


def _clash(kind: str, entry: Entry, entries: list[Entry]) -> str | None:
    others = [e.plugin for e in entries if e.name == entry.name and e.distribution != entry.distribution]
    if not others:
        return None
    return f"the name is also claimed by {' and '.join(others)}; ask for '{entry.distribution}:{entry.name}'"
