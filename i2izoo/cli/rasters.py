"""The part of `i2izoo translate` that is about rasters: its flags, when it is meant, and how it runs."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from i2izoo.cli.options import parse_options
from i2izoo.contracts.words import translation_options
from i2izoo.errors import ConfigError, ImageError, escaped

if TYPE_CHECKING:
    from i2izoo.rasters.progress import Watcher

FLAGS = ("tile", "overlap", "statistics", "bands", "values", "window", "bounds", "resume", "progress")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Those of rasters: any of them means that the image is translated in tiles."""
    group = parser.add_argument_group("rasters (GeoTIFF, VRT, JP2, .npy, large TIFF; or any image with one of these)")
    group.add_argument("--tile", type=int, metavar="N", help="side of a tile in pixels (default: 512)")
    group.add_argument("--overlap", type=int, metavar="N", help="pixels that neighbours share (default: by the model)")
    group.add_argument(
        "--statistics", choices=("joint", "exact", "dense", "tile"),
        help="of normalisation layers: of some tiles, of all, interpolated, each tile's (default: joint)",
    )  # fmt: skip
    group.add_argument("--bands", metavar="A,B,C", help="bands that the model sees, from 1, such as 4,3,2")
    group.add_argument("--values", metavar="LOW,HIGH", help="range of the values; or dtype, file or model")
    group.add_argument("--window", metavar="L,T,W,H", help="only this part: left, top, width, height in pixels")
    group.add_argument("--bounds", metavar="L,B,R,T", help="only this part: left, bottom, right, top in coordinates")
    group.add_argument("--resume", action="store_true", help="go on with what a killed run has left")
    group.add_argument(
        "--progress", choices=("bar", "json", "none"),
        help="a bar on stderr, or a JSON object a line on stdout, for programs (default: a bar on a terminal)",
    )  # fmt: skip


def asks_for_tiles(args: argparse.Namespace, inputs: Sequence[Path]) -> bool:
    """Is a raster meant? One flag of theirs says so, and so does an input that is large or lies on the earth."""
    from i2izoo.rasters.formats import reader

    if any(getattr(args, flag) not in (None, False) for flag in FLAGS):
        return True
    if len(inputs) != 1 or args.samples is not None or args.size is not None:
        return False
    if not args.out.lower().endswith((".tif", ".tiff", ".npy")):
        return False
    found = reader(inputs[0])
    return found is not None and found.wants_tiles(inputs[0])


def run(args: argparse.Namespace, inputs: Sequence[Path], words: Sequence[str]) -> int:
    """Translate one raster, and say where it went, or how to go on."""
    if len(inputs) != 1:
        raise ImageError(f"rasters are translated one by one; found {len(inputs)} inputs.")
    for flag in ("samples", "size", "batch_size", "shard", "skip_existing", "write_manifest"):
        if getattr(args, flag) not in (None, False):
            raise ConfigError(f"--{flag.replace('_', '-')} says nothing of a raster, which is translated in tiles.")
    target = Path(args.out).expanduser()
    if target.exists() and not args.force:
        raise ImageError(f"{str(target)!r} would be overwritten; use --force, or another -o.")
    numbers: dict[str, Any] = {flag: parse_numbers(flag, getattr(args, flag), int) for flag in ("bands", "window")}
    numbers["bounds"] = parse_numbers("bounds", args.bounds, float)
    values: Any = args.values
    if values is not None and values not in ("dtype", "file", "model"):
        values = parse_numbers("values", values, float)

    from i2izoo.models.translator import load
    from i2izoo.rasters.translate import translate_raster

    model = load(args.name, revision=args.revision, device=args.device, backend=args.backend)
    allowed = translation_options(model.method)
    (options,) = parse_options(words, allowed, where=f"translating with {model.name!r}", parser=args.parser)
    given = {name: getattr(args, name) for name in ("tile", "overlap", "statistics") if getattr(args, name) is not None}
    try:
        translate_raster(
            model, inputs[0], target, to=args.to, values=values, depth=args.depth, seed=args.seed, resume=args.resume,
            progress=watcher(args.progress), **numbers, **given, **options,
        )  # fmt: skip
    except (KeyboardInterrupt, SystemExit):
        print("i2izoo: the same command with --resume goes on where this one stopped.", file=sys.stderr)
        raise
    if args.progress == "json":
        print(json.dumps({"stage": "done", "target": str(target)}))
    else:
        print(f"translated the raster to {escaped(args.out)}")
    return 0


def watcher(kind: str | None) -> bool | Watcher:
    """What `--progress` asks for, as `translate_raster` takes it."""
    if kind != "json":
        return sys.stderr.isatty() if kind is None else kind == "bar"
    return lambda now: print(json.dumps(asdict(now)), flush=True)


def parse_numbers(flag: str, text: str | None, kind: Callable[[str], Any]) -> list[Any] | None:
    """Numbers between commas.

    >>> parse_numbers("bands", "4,3,2", int), parse_numbers("bounds", None, float)
    ([4, 3, 2], None)
    """
    if text is None:
        return None
    try:
        return [kind(number) for number in re.split(r"\s*,\s*", text.strip())]
    except ValueError:
        raise ConfigError(f"--{flag} is numbers between commas; found {text!r}.") from None
