"""`i2izoo list`: names with a line about each.

No plugin is imported but the modules of pretrained entries, which are free of torch: they say where weights lie.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from i2izoo.cli.completion import offers
from i2izoo.cli.printing import columns
from i2izoo.contracts.entrypoints import Entry
from i2izoo.contracts.registry import KINDS, registry
from i2izoo.contracts.summary import summary
from i2izoo.errors import I2IZooError, listing, suggest
from i2izoo.files.kept import kept

if TYPE_CHECKING:
    from i2izoo.contracts.pretrained import PretrainedEntry

PLACES = {
    "bundled": "bundled",
    "cached": "cached",
    "remote": "remote (fetched when first loaded)",
    "broken": "not loadable",
}
"""Where weights lie -> the heading of such entries, in this order."""


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("list", help="what there is: pretrained entries, methods, and parts of every kind")
    offers(
        parser.add_argument(
            "pattern", nargs="?", metavar="WORD", help="in a name or its description; a pattern such as '*facades*'; "
            "or a kind: generators",
        ),
        *KINDS, kinds_too=True, files=False,
    )  # fmt: skip
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--pretrained", dest="kind", action="store_const", const="pretrained", help="entries only")
    which.add_argument("--methods", dest="kind", action="store_const", const="methods", help="methods only")
    which.add_argument("--kind", choices=list(KINDS), metavar="KIND", help=f"only one of: {', '.join(KINDS)}")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--names", action="store_true", help="names alone, one a line, for scripts")
    shown.add_argument("--json", action="store_true", help="a JSON list, for programs")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Print what was asked for under the heading of its kind, or the names alone."""
    word, kind = args.pattern, args.kind
    if kind is None and word in KINDS:
        kind, word = word, None
    kinds = [kind] if kind else list(KINDS) if word else ["pretrained", "methods"]
    found = {kind: matches for kind in kinds if (matches := _search(kind, word))}
    names = [name for entries in found.values() for name in entries]
    if not names:
        what = listing(kinds) if kind else "name or description"
        near = suggest(word or "", (name for kind in kinds for name in registry(kind).names())) or ";"
        print(
            f"i2izoo: no {what} matches {word or '*'!r}{near} `i2izoo list` names pretrained entries and methods, "
            f"`i2izoo list --kind KIND` the parts: {listing(KINDS)}.",
            file=sys.stderr,
        )
    if args.names:
        print("".join(f"{name}\n" for name in dict.fromkeys(names)), end="")
        return 0
    if args.json:
        print(json.dumps([_described(kind, entry) for kind, entries in found.items() for entry in entries.values()]))
        return 0
    width, limit = max(map(len, names), default=0), columns()
    for heading, lines in _sections(found):
        print(f"{heading}:")
        for name, said in lines:
            line = f"  {name:<{width}}  {said}"
            print(line if limit is None or len(line) <= limit else f"{line[: limit - 1]}…")
    if word is None and kind is None:
        print(f"parts, by `i2izoo list KIND`: {listing(k for k in KINDS if k not in found)}.")
    return 0


def _sections(found: Mapping[str, Mapping[str, Entry]]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Headings, each with names and what is said of them: pretrained entries by where their weights lie, with sizes."""
    for kind, entries in found.items():
        if kind != "pretrained":
            yield kind, [(name, summary(entry)) for name, entry in entries.items()]
            continue
        places: dict[str, list[tuple[str, str]]] = {place: [] for place in PLACES}
        for name, entry in entries.items():
            where, size = _kept(entry)
            places[where].append((name, f"{size:>6}  {summary(entry)}"))
        yield from ((f"{kind}, {PLACES[where]}", lines) for where, lines in places.items() if lines)


def _kept(entry: Entry) -> tuple[str, str]:
    """Where the weights of a pretrained entry are, and their size in words."""
    try:
        found = kept(entry.name, registry("pretrained").get(f"{entry.distribution}:{entry.name}"))
        return found.where, str(found)
    except I2IZooError:
        return "broken", ""


def _described(kind: str, entry: Entry) -> dict[str, Any]:
    """What is said of a part, for programs."""
    said: dict[str, Any] = {"kind": kind, "name": entry.name, "summary": summary(entry)}
    if kind == "pretrained":
        said["weights"], _ = _kept(entry)
        if said["weights"] != "broken":
            found: PretrainedEntry = registry(kind).get(f"{entry.distribution}:{entry.name}")
            said |= {name: getattr(found, name) for name in ("method", "directions", "tiling", "licence", "size")}
    return said


def _search(kind: str, word: str | None) -> dict[str, Entry]:
    """The entries of a kind by name: that fit a pattern, or say a word in their name or in the line about them."""
    entries = {entry.name: entry for entry in registry(kind).entries()}
    if word is None:
        return entries
    if any(sign in word for sign in "*?["):
        return {name: entries[name] for name in registry(kind).names(word)}
    said = word.casefold()
    return {n: e for n, e in entries.items() if said in n.casefold() or said in summary(e).casefold()}
