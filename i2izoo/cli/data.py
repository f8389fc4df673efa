"""`i2izoo data check` and `i2izoo data make`: look at data before training, or make some."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from i2izoo.cli.completion import offers
from i2izoo.cli.printing import print_help
from i2izoo.contracts.registry import registry
from i2izoo.errors import DataError


def add_to(commands: Any) -> None:
    """Declare the two commands."""
    data = commands.add_parser("data", help="check data, or make some")
    data.set_defaults(run=print_help, parser=data)
    actions = data.add_subparsers(title="actions", metavar="ACTION", dest="action")

    check = actions.add_parser("check", help="name every mismatch, unreadable file and size problem")
    check.add_argument("path", metavar="PATH", help="a folder or a CSV file")
    check.add_argument("--kind", choices=("paired", "unpaired", "single"), help="default: paired where names match")
    check.add_argument("--sides", metavar="LEFT,RIGHT", help="domains of the halves of side-by-side images")
    check.add_argument("--split", help="only this part of the data")
    check.set_defaults(run=run_check, parser=check)

    make = actions.add_parser("make", help="write images of a procedural dataset, a folder for each domain")
    offers(make.add_argument("name", metavar="NAME", help="such as synthetic-facades"), "datasets", files=False)
    make.add_argument("out", metavar="OUT", type=Path, help="folder to write")
    make.add_argument("--count", type=int, default=100, metavar="N", help="images of each domain (default: 100)")
    make.add_argument("--size", type=int, default=256, metavar="S", help="side in pixels (default: 256)")
    make.add_argument("--seed", type=int, default=0, metavar="N", help="of the images (default: 0)")
    make.add_argument("--force", action="store_true", help="write into a folder that is not empty")
    make.set_defaults(run=run_make, parser=make)


def run_make(args: argparse.Namespace) -> int:
    """Write OUT/<domain>/<item>.png, which `open_dataset(OUT)` reads as pairs."""
    from i2izoo.images.writing import save

    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())) and not args.force:
        raise DataError(f"{args.out} exists and is not empty; use --force, or another folder.")
    data = registry("datasets").build({"name": args.name, "count": args.count, "size": args.size, "seed": args.seed})
    for index in range(args.count):
        for domain, image in data.sample(index, None).items():
            save(image, args.out / domain / f"{data.name(index)}.png")
    print(f"wrote {args.count} pair{'s' * (args.count != 1)} of {' and '.join(data.domains)} to {args.out}")
    return 0


def run_check(args: argparse.Namespace) -> int:
    """Print what was found; 2 if anything is wrong."""
    from i2izoo.data.check import check_dataset

    sides = args.sides.split(",") if args.sides else None
    report = check_dataset(args.path, kind=args.kind, sides=sides, split=args.split)
    print(report)
    return 0 if report.ok else 2
