"""`i2izoo evaluate`: how well a model translates, under a protocol."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from i2izoo.cli.completion import add_data, add_model, add_naming, offers
from i2izoo.cli.options import parse_names, parse_options, parse_size
from i2izoo.contracts.words import generation_options, translation_options
from i2izoo.errors import ConfigError, EvaluationError

if TYPE_CHECKING:
    from i2izoo.evaluation.result import Result

TILED = ("seam_ratio", "tile_drift")
"""Metrics of `--tiled`."""

EXAMPLES = """
  i2izoo evaluate pix2pix-facades --data ./facades --sides photo,label --out results/pix2pix
  i2izoo evaluate ./my-model --data ./facades --metrics psnr,ssim,fid[resnet18] --limit 20
  i2izoo evaluate ./images-made-elsewhere --data ./facades --sides photo,label --to photo
  i2izoo evaluate ./my-model --data ./facades --protocol results/pix2pix/protocol.json --card
"""


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "evaluate",
        help="measure how well a model translates",
        epilog=f"examples:{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model(parser, "model", "as for translate; or a folder of images made elsewhere")
    parser.add_argument("words", nargs="*", metavar="option=value", help="of the method's translation")
    parser.add_argument("--to", metavar="DOMAIN", help="target domain (default: the model's first)")
    add_settings(parser)
    parser.add_argument(
        "--tiled", action="store_true", help="measure seams and drift of tiles, too: seam_ratio, tile_drift"
    )
    parser.add_argument("--card", action="store_true", help="write the scores into the model's folder and card")
    parser.set_defaults(run=run, parser=parser)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """The flags that say what is measured on what; `compare` has the same."""
    add_data(parser)
    offers(
        parser.add_argument(
            "--metrics", metavar="A,B", help="such as psnr,fid[resnet18] (default: psnr,ssim,lpips,fid,kid)"
        ),
        "metrics", files=False, many=True,
    )  # fmt: skip
    parser.add_argument("--split", help="part of the data (default: val, otherwise test)")
    add_naming(parser)
    parser.add_argument("--size", metavar="N", help="resize inputs and truths to N x N pixels, or HEIGHT,WIDTH, first")
    parser.add_argument("--samples", type=int, default=1, metavar="N", help="so many translations of each image")
    parser.add_argument("--seed", type=int, default=0, help="of all randomness (default: 0)")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N images")
    parser.add_argument("--protocol", metavar="FILE", help="take all settings from a protocol.json")
    parser.add_argument("--out", metavar="DIR", help="write protocol, scores and values of single images there")
    parser.add_argument("--weights", metavar="DIR", help="look for the metrics' weights there first")
    parser.add_argument("--batch-size", type=int, metavar="N", help="images that run together")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, mps or auto (default: cpu)")


def settings(args: argparse.Namespace) -> dict[str, Any]:
    """The flags of `add_settings` as arguments of `i2izoo.evaluate`."""
    names = ("data", "split", "samples", "seed", "limit", "protocol", "out", "weights", "batch_size", "device")
    return {
        **{name: getattr(args, name) for name in names},
        "metrics": None if args.metrics is None else parse_metrics(args.metrics),
        "sides": None if args.sides is None else args.sides.split(","),
        "rename": None if args.rename is None else parse_names(args.rename),
        "size": None if args.size is None else parse_size(args.size),
        "progress": sys.stderr.isatty(),
    }


def run(args: argparse.Namespace) -> int:
    """Print the table, then what a reader must know beside it."""
    folder = Path(args.model).expanduser()
    if args.card and not (folder / "config.json").is_file():
        raise ConfigError(f"--card writes into a pretrained folder, and {args.model!r} is none.")
    given = settings(args)

    from i2izoo.evaluation.evaluate import evaluate
    from i2izoo.evaluation.measuring import DEFAULT

    if args.tiled:
        given["metrics"] = [*(given["metrics"] or DEFAULT), *({"name": name, "to": args.to} for name in TILED)]

    model, options = _open(args) if args.words else (args.model, {})
    try:
        result = evaluate(model, name=args.model, to=args.to, **given, **options)
    except (KeyboardInterrupt, SystemExit) as stopped:
        if (partial := getattr(stopped, "partial", None)) is not None:
            kept = f" What was measured is kept in {args.out}." if args.out else ""
            print_result(partial)
            print(f"i2izoo: {partial.problem}{kept}", file=sys.stderr)
        raise
    except EvaluationError as error:
        if error.partial is not None and error.partial.names:
            print_result(error.partial)
        raise
    print_result(result)
    if args.card:
        from i2izoo.evaluation.card import write_to_card

        write_to_card(folder, result)
        print(f"wrote the scores into {args.model}: evaluation/, config.json and README.md")
    return 0


def print_result(result: Result) -> None:
    """A table of the scores, and the remarks below it."""
    from i2izoo.cli.printing import print_table
    from i2izoo.report.layout import lay_out_scores

    print_table(lay_out_scores(result))


def parse_metrics(text: str) -> list[str]:
    """Names between commas; a comma inside brackets belongs to the name.

    >>> parse_metrics("psnr,fid[a,b],kid")
    ['psnr', 'fid[a,b]', 'kid']
    """
    names = [name.strip() for name in re.split(r",(?![^\[]*\])", text) if name.strip()]
    if not names:
        raise ConfigError(f"--metrics names at least one metric, such as psnr,ssim; found {text!r}.")
    return names


def _open(args: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """The model, and the method's own options of translation, which only the loaded model knows."""
    from i2izoo.models.translator import load

    model = load(args.model)
    from_nothing = model.directions[model.target(args.to)] is None
    allowed = generation_options(model.method) if from_nothing else translation_options(model.method)
    return model, parse_options(args.words, allowed, where=f"translating with {args.model!r}", parser=args.parser)[0]
