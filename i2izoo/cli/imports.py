"""`i2izoo import`: checkpoints of a method's original code to a pretrained folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from i2izoo.cli.completion import offers
from i2izoo.cli.options import is_assignment, parse_options
from i2izoo.contracts.config import schema
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, StorageError, listing

EXAMPLES = """
  i2izoo import pix2pix latest_net_G.pth latest_net_D.pth --out my-model domains=label,photo
  i2izoo import cyclegan latest_net_G_A.pth latest_net_G_B.pth --out my-model domains=horse,zebra
  i2izoo import cyclegan horse2zebra.pth --out my-model domains=horse,zebra
  i2izoo import cyclegan --as G_A=A.pth --as G_B=B.pth --out my-model generator.dropout=0
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
    parser.add_argument(
        "--as", action="append", default=[], metavar="ROLE=FILE", dest="roles",
        help="a file whose name does not say what it holds, such as D=disc.pth; may be repeated",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="overwrite a pretrained folder")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Read tensors only, build the method that they fit, and save it."""
    method = registry("methods").get(args.method)

    from i2izoo.contracts.checkpoints import build, named_as, read
    from i2izoo.models import config_file, storage
    from i2izoo.models.foreign import read_state_dict
    from i2izoo.models.translator import Translator

    words = [w for w in args.words if is_assignment(w) and not Path(w).exists()]
    paths = [(Path(w).name, Path(w)) for w in args.words if w not in words]
    (options,) = parse_options(words, schema(method), where=repr(args.method), parser=args.parser, complete=False)
    roles = method.checkpoint_roles(options)
    for word in args.roles:
        role, _, path = word.partition("=")
        if not path or (roles and role not in roles):
            raise ConfigError(
                f"--as says ROLE=FILE, and {args.method!r} imports the roles {listing(roles)}; found {word!r}."
            )
        paths.append((named_as(Path(path).name, role), Path(path)))
    if not paths:
        args.parser.error("name at least one checkpoint file")
    if len(dict(paths)) < len(paths):
        raise ConfigError("two of the files have one name, which says what a file holds; use --as ROLE=FILE.")
    if (args.out / config_file.CONFIG).exists() and not args.force:
        raise StorageError(f"{args.out} already holds a model; use --force, or another --out.")
    files = {name: read_state_dict(path) for name, path in paths}
    found = read(method, files, options)
    built = build(method, found)
    facts = {"provenance": {"notes": f"Imported from {listing(sorted(files))}."}}
    model = Translator(built, storage.method_config(built, args.method, **facts))
    model.save_pretrained(args.out, training=list(found.weights))
    print(f"wrote {args.out}: {model!r}")
    if kept := [place for place in found.weights if storage.training_weights(built, [place])]:
        print(f"for training it keeps: {listing(kept)}")
    if found.assumed:
        assumed = listing(f"{option}={value}" for option, value in found.assumed.items())
        print(f"assumed, as weights do not tell: {assumed}; name another value to change it")
    return 0
