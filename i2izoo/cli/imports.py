"""`i2izoo import`: checkpoints of a method's original code to a pretrained folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from i2izoo.cli.completion import offers
from i2izoo.cli.options import is_assignment, parse_options
from i2izoo.contracts.config import schema
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, I2IZooError, StorageError, listing

EXAMPLES = """
  i2izoo import pix2pix latest_net_G.pth --out my-model domains=label,photo
  i2izoo import cyclegan latest_net_G_A.pth latest_net_G_B.pth --out my-model domains=horse,zebra
"""


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "import",
        help="import checkpoints of a method's original code",
        epilog=f"examples:{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    offers(
        parser.add_argument("method", metavar="METHOD", help="what the files are of: pix2pix, cyclegan ..."),
        "methods",
        files=False,
    )
    parser.add_argument("words", nargs="*", metavar="FILE", help=".pth or .safetensors; option=value of the method")
    parser.add_argument("--out", required=True, metavar="DIR", type=Path, help="the pretrained folder to write")
    parser.add_argument("--force", action="store_true", help="overwrite a pretrained folder")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Read tensors only, build the method that they fit, and save it."""
    method = registry("methods").get(args.method)

    from i2izoo.models import config_file, storage
    from i2izoo.models.foreign import read_state_dict
    from i2izoo.models.translator import Translator

    words = [w for w in args.words if is_assignment(w) and not Path(w).exists()]
    paths = [Path(w) for w in args.words if w not in words]
    if not paths:
        args.parser.error("name at least one checkpoint file")
    if (args.out / config_file.CONFIG).exists() and not args.force:
        raise StorageError(f"{args.out} already holds a model; use --force, or another --out.")
    (options,) = parse_options(words, schema(method), where=repr(args.method), parser=args.parser)
    files = {path.name: read_state_dict(path) for path in paths}
    if len(files) < len(paths):
        raise ConfigError("two of the files have one name, which tells a method what a file holds; rename one.")
    try:
        built = method.import_checkpoints(files, **options)
    except (RuntimeError, KeyError, IndexError) as error:  # load_state_dict's way to say that tensors do not fit
        if isinstance(error, I2IZooError):
            raise
        raise StorageError(f"{', '.join(files)} do not fit {args.method!r} with these options: {error}.") from error
    facts = {"provenance": {"notes": f"Imported from {listing(sorted(files))}."}}
    model = Translator(built, storage.method_config(built, args.method, **facts))
    model.save_pretrained(args.out)
    print(f"wrote {args.out}: {model!r}")
    return 0
