"""`i2izoo list`: names, without importing any plugin."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from i2izoo.contracts.registry import KINDS, registry
from i2izoo.errors import listing


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("list", help="names of pretrained entries, methods and parts")
    parser.add_argument("pattern", nargs="?", metavar="PATTERN", help="such as '*facades*', or a kind: generators")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--pretrained", dest="kind", action="store_const", const="pretrained", help="only these")
    which.add_argument("--methods", dest="kind", action="store_const", const="methods", help="only these")
    which.add_argument("--kind", choices=list(KINDS), help="only this kind of part")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Print pretrained entries and methods under headings, or the names of one kind alone."""
    if args.kind is None and args.pattern in KINDS:
        args.kind, args.pattern = args.pattern, None
    kinds = [args.kind] if args.kind else ["pretrained", "methods"]
    names = {kind: registry(kind).names(args.pattern) for kind in kinds}
    for kind, found in names.items():
        if not args.kind and found:
            print(f"{kind}:")
        for name in found:
            print(name if args.kind else f"  {name}")
    if not any(names.values()):
        what = " or ".join(kinds)
        print(
            f"i2izoo: no {what} match {args.pattern or '*'!r}; `i2izoo list` names all, `i2izoo list --kind KIND` the "
            f"parts: {listing(KINDS)}.",
            file=sys.stderr,
        )
    return 0
