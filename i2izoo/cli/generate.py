"""`i2izoo generate`: images from nothing, by a model that translates none."""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from i2izoo.cli.completion import add_model
from i2izoo.cli.options import BACKENDS, parse_options, parse_size
from i2izoo.contracts.words import generation_options
from i2izoo.errors import ImageError, listing
from i2izoo.files.settings import read_settings
from i2izoo.files.writing import write_text

if TYPE_CHECKING:
    from i2izoo.models.translator import Translator

EXAMPLES = """
  i2izoo generate ./my-faces -n 8 -o faces/
  i2izoo generate ./my-faces -n 1000 -o faces/ --seed 3 --batch-size 16   # goes on where it was stopped
  i2izoo generate ./my-faces -n 16 --grid sheet.png --size 64 steps=20
"""

SETTINGS = "generate.json"
"""What made the images of a folder, beside them."""


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "generate",
        help="make images from nothing",
        epilog=f"examples:{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model(parser, "name", "a pretrained entry, a folder, or user/repo on the Hub")
    parser.add_argument("words", nargs="*", metavar="option=value", help="of the method's generation")
    parser.add_argument("-n", "--count", type=int, default=1, metavar="N", help="how many (default: 1)")
    parser.add_argument("-o", "--out", metavar="DIR", help="folder for 0000.png, 0001.png, ...; those there stay")
    parser.add_argument("--grid", metavar="FILE", help="one sheet with all of them")
    parser.add_argument("--to", metavar="DOMAIN", help="target domain (default: the model's first)")
    parser.add_argument("--size", metavar="N", help="N x N pixels, or HEIGHT,WIDTH (default: the model's own)")
    parser.add_argument("--seed", type=int, default=0, help="of all randomness (default: 0)")
    parser.add_argument("--batch-size", type=int, metavar="N", help="images that are made together")
    parser.add_argument("--depth", type=int, choices=(8, 16), default=8, help="bits of each channel (default: 8)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, mps or auto (default: cpu)")
    parser.add_argument("--backend", choices=BACKENDS, help="what computes the networks (default: PyTorch as it is)")
    parser.add_argument("--revision", help="branch, tag or commit of a Hub repository")
    parser.add_argument("--force", action="store_true", help="overwrite files")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Make what is missing; image i is a function of model, seed, i and options, so what is there needs no redoing."""
    if args.out is None and args.grid is None:
        args.parser.error("name a folder with -o, or a file for one sheet with --grid")
    if args.count < 1:
        args.parser.error(f"-n is a number of images from 1, found {args.count}")
    size = None if args.size is None else parse_size(args.size)

    from i2izoo.images.reading import to_tensor
    from i2izoo.images.writing import grid, save, to_pil
    from i2izoo.models.translator import load

    model = load(args.name, revision=args.revision, device=args.device, backend=args.backend)
    (options,) = parse_options(
        args.words, generation_options(model.method), where=f"generating with {model.name!r}", parser=args.parser
    )
    places = range(args.count)
    folder = None if args.out is None else Path(args.out).expanduser()
    files = {} if folder is None else {i: folder / f"{i:04d}.png" for i in places}
    there = set() if args.force else {i for i, path in files.items() if path.exists()}
    stream = model.generate_stream(
        [i for i in places if i not in there], to=args.to, size=size, seed=args.seed, batch_size=args.batch_size,
        depth=args.depth, progress=sys.stderr.isatty(), **options,
    )  # fmt: skip
    if folder is not None:
        claim(folder, settings(args, model, options), bool(there), args.force)
    sheet: dict[int, Any] = {}
    for place, image in stream:
        if files:
            save(image, files[place])
        if args.grid is not None:
            sheet[place] = to_pil(to_tensor(image))  # a sheet is of 8 bits
    if args.grid is not None:
        for i in there:
            sheet[i] = to_pil(to_tensor(files[i]))
        width = math.ceil(math.sqrt(args.count))
        save(grid([[sheet[i] for i in places[y : y + width]] for y in range(0, args.count, width)]), args.grid)
    made, where = args.count - len(there), " and ".join(filter(None, (args.out, args.grid)))
    print(f"generated {made} image{'s' * (made != 1)} to {where}" + (f"; {len(there)} were there" if there else ""))
    return 0


def settings(args: argparse.Namespace, model: Translator, options: dict[str, Any]) -> dict[str, Any]:
    """All that decides image i, as JSON."""
    return {
        "model": args.name,
        "config_sha256": hashlib.sha256(json.dumps(model.config, sort_keys=True).encode()).hexdigest(),
        "to": args.to,
        "size": args.size,
        "seed": args.seed,
        "depth": args.depth,
        "options": options,
    }


def claim(folder: Path, wanted: dict[str, Any], taken: bool, force: bool) -> None:
    """Write beside the images what made them, or see that those that are there were made so.

    Raises:
        ImageError: they were not, or nothing says so.
    """
    place = folder / SETTINGS
    before = read_settings(place)
    if before == wanted:
        return
    if not force and (before is not None or taken):
        differ = "another " + listing(k for k in wanted if before.get(k) != wanted[k]) if before else f"no {SETTINGS}"
        raise ImageError(f"{str(folder)!r} holds images already, with {differ}; use --force, or another -o.")
    if before is not None:  # what is not made anew would belong to another seed
        for path in folder.iterdir():
            if re.fullmatch(r"\d{4,}\.png", path.name):
                path.unlink()
    write_text(place, json.dumps(wanted, indent=2) + "\n")
