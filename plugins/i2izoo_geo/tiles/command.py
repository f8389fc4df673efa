"""`i2izoo tiles`: map tiles of a server, or a raster, to a data set."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from i2izoo.contracts.command import Command
from i2izoo.errors import ConfigError


class Tiles(Command):
    """Make a data set of map tiles: of servers (XYZ, WMTS) and rasters, divided by area."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Sources, area, and how to ask."""
        add = parser.add_argument
        add("sources", nargs="+", metavar="[NAME=]SOURCE", help=(
            "an address with {z}, {x}, {y} (or {-y}, {q}), the capabilities of a WMTS with #LAYER behind, or a raster; "
            "several with names make pairs; {key} stands for a key"
        ))  # fmt: skip
        add("--out", type=Path, metavar="DIR", help="folder of the data set; a killed run goes on there")
        add("--licence", metavar="TEXT", help="terms and attribution of the images, which are stored")
        add("--dry-run", action="store_true", help="only say how many tiles, how large, and about how many bytes")
        add("--bbox", type=_numbers(float), metavar="W,S,E,N", help="area in degrees (default: all of the raster)")
        add("--zoom", type=_zooms, metavar="Z", help="of web tiles: 17, 15,17 or 15-17 (default: the raster's pixels)")
        about = "grid of a WMTS other than that of web maps; zoom levels are counted from its coarsest, 0"
        add("--matrix-set", metavar="NAME", help=about)
        add("--size", type=int, default=256, metavar="S", help="side of tiles of a raster (default: %(default)s)")
        add("--bands", type=_numbers(int), metavar="N,...", help="of rasters, from 1 (default: all but opacity)")
        add("--range", type=_numbers(float), metavar="LOW,HIGH", help="values of a raster that become black and white")
        add("--channels", type=int, choices=(1, 3), help="for what servers send (default: as sent)")
        add("--val", type=float, default=0.1, metavar="SHARE", help="of the blocks (default: %(default)s)")
        add("--test", type=float, default=0.0, metavar="SHARE", help="of the blocks (default: %(default)s)")
        add("--block", type=int, default=8, metavar="N", help="tiles along a block of the split (default: %(default)s)")
        add("--gap", type=int, default=1, metavar="N", help="tiles left out between the parts (default: %(default)s)")
        add("--seed", type=int, default=0, metavar="N", help="of the split (default: %(default)s)")
        add("--min-valid", type=float, default=1.0, metavar="SHARE", help="of a tile with data (default: %(default)s)")
        about = "a tile whose values differ by less, of 255, is blank (default: %(default)s)"
        add("--contrast", type=int, default=8, metavar="N", help=about)
        add("--rate", type=float, default=2.0, metavar="R", help="requests a second (default: %(default)s)")
        add("--workers", type=int, default=2, metavar="N", help="requests at a time (default: %(default)s)")
        add("--user-agent", default="i2izoo", metavar="TEXT", help="say who asks, such as 'name (mail)'")
        add("--referer", metavar="URL", help="header that some servers want")
        about = "environment variable that holds the key for {key} (default: %(default)s)"
        add("--key-env", default="I2IZOO_TILES_KEY", metavar="NAME", help=about)
        about = "a bar on stderr, or a JSON object a line on stdout, for programs (default: a bar on a terminal)"
        add("--progress", choices=("bar", "json", "none"), help=about)

    def run(self, args: argparse.Namespace) -> int:
        """Make the data set, and say what became of the tiles."""
        try:
            from i2izoo_geo.tiles.make import estimate_tiles, make_tiles
            from i2izoo_geo.tiles.polite import Client
            from i2izoo_geo.tiles.secret import Secret
        except ModuleNotFoundError as error:
            raise ConfigError(f"tiles need {error.name}: pip install 'i2izoo[geo]'.") from error
        client = Client(Secret(args.key_env), rate=args.rate, user_agent=args.user_agent, referer=args.referer)
        both = "bbox zoom size bands block gap val test seed matrix_set"
        if args.dry_run:
            print(estimate_tiles(args.sources, client=client, **{name: getattr(args, name) for name in both.split()}))
            return 0
        if args.out is None or args.licence is None:
            raise ConfigError("give the folder, --out DIR, and the terms of the images, --licence TEXT.")
        options = f"{both} licence channels min_valid contrast workers"
        with _progress(args.progress) as progress:
            found = make_tiles(
                args.sources, args.out, value_range=args.range, client=client, progress=progress,
                **{name: getattr(args, name) for name in options.split()},
            )  # fmt: skip
        print(json.dumps({"stage": "done", "target": str(args.out)}) if args.progress == "json" else found)
        return 0


def _numbers(kind: type) -> Callable[[str], list[float]]:
    def parse(text: str) -> list[float]:
        try:
            return [kind(word) for word in text.split(",")]
        except ValueError:
            raise argparse.ArgumentTypeError(f"wants numbers with commas; found {text!r}") from None

    return parse


def _zooms(text: str) -> list[int]:
    """Zoom levels.

    >>> _zooms("15-17"), _zooms("15,17")
    ([15, 16, 17], [15, 17])
    """
    found: list[int] = []
    for word in text.split(","):
        low, _, high = word.partition("-")
        if not (low.isdecimal() and (high or low).isdecimal()):
            raise argparse.ArgumentTypeError(f"wants levels such as 17, 15,17 or 15-17; found {text!r}")
        found += range(int(low), int(high or low) + 1)
    return found


@contextlib.contextmanager
def _progress(kind: str | None) -> Iterator[Callable[[int, int], None] | None]:
    """Tiles that are done, for a program; or a bar with the time left, where somebody looks at it."""
    if kind == "json":
        yield lambda done, total: print(json.dumps({"stage": "tiles", "done": done, "total": total}), flush=True)
        return
    if not (sys.stderr.isatty() if kind is None else kind == "bar"):
        yield None
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (bars.TextColumn("tiles"), bars.BarColumn(), bars.MofNCompleteColumn(), bars.TimeRemainingColumn())
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("tiles", total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)
