"""`i2izoo compare`: several models under one protocol, in one table and a report."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

from i2izoo.cli.completion import offers
from i2izoo.cli.evaluate import add_settings, settings
from i2izoo.cli.options import is_assignment, parse_options
from i2izoo.contracts.words import translation_options
from i2izoo.errors import I2IZooError

FORMATS = ("table", "markdown", "csv", "json", "latex")
EXAMPLES = """
  i2izoo compare pix2pix-facades cyclegan-facades --data ./facades --sides photo,label --out comparison
  i2izoo compare ./my-model ./images-made-elsewhere copy-input --data ./facades --sides photo,label --to photo
  i2izoo compare ./my-model pix2pix-facades --data ./facades --metrics psnr,ssim --format latex
"""


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "compare",
        help="compare models under one protocol",
        epilog=f"examples:{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    offers(
        parser.add_argument(
            "words", nargs="*", metavar="MODEL",
            help="as for evaluate; copy-input: the untranslated images; option=value of the methods' translation",
        ),
        "pretrained",
    )  # fmt: skip
    parser.add_argument("--to", metavar="DOMAIN", help="target domain (default: the first model's first)")
    add_settings(parser)
    parser.add_argument("--format", choices=FORMATS, default="table", help="of what is printed (default: table)")
    parser.add_argument("--report", metavar="FILE", help="write the HTML report there (default: report.html in --out)")
    parser.add_argument("--no-report", action="store_true", help="write no report")
    parser.add_argument("--no-costs", action="store_true", help="do not measure time and memory")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Print the table of all models; 1 if one of them could not be evaluated to the end."""
    words = [w for w in args.words if is_assignment(w) and not Path(w).exists()]
    models = [w for w in args.words if w not in words]
    if not models:
        args.parser.error("name at least one model to compare")
    if args.report and args.no_report:
        args.parser.error("--report and --no-report contradict each other")
    given = settings(args)

    from i2izoo.cli.printing import print_table
    from i2izoo.report.compare import compare
    from i2izoo.report.layout import lay_out
    from i2izoo.report.tables import render

    opened, options = _open(words, models, args.parser) if words else (models, {})
    found = compare(
        opened,
        to=args.to,
        **given,
        costs=not args.no_costs,
        report=not args.no_report and args.report is None,
        **options,
    )
    if args.format == "table":
        print_table(lay_out(found))
    else:
        print(render(found, args.format), end="")
    if args.report:
        from i2izoo.report.page import write_report

        print(f"wrote {write_report(found, Path(args.report))}", file=sys.stderr)
    if args.out:
        print(f"wrote {args.out}: tables, single images and results", file=sys.stderr)
    failed = [result for result in found.results if result.problem]
    for result in failed:
        print(f"i2izoo: {result.model}: {result.problem}", file=sys.stderr)
    return 1 if failed else 0


def _open(
    words: list[str], models: list[str], parser: argparse.ArgumentParser
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The models, and the methods' own options of translation, which only the loaded models know."""
    from i2izoo.evaluation.compared import name_models
    from i2izoo.models.translator import Translator

    opened: dict[str, Any] = {}
    allowed: dict[str, Any] = {}
    for compared in name_models(models):
        opened[compared.name] = compared.model
        if compared.kind == 0:
            with contextlib.suppress(I2IZooError):  # said in the comparison, with the others' results
                opened[compared.name] = model = compared.open(None)
                if isinstance(model, Translator):
                    allowed |= translation_options(model.method)
    return opened, parse_options(words, allowed, where="translating with these models", parser=parser)[0]
