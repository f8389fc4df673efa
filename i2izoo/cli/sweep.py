"""`i2izoo sweep`: train a grid of options and write one table."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from i2izoo.cli.completion import add_data

EXAMPLE = """
file:
  method: pix2pix
  to: photo
  options: {steps: 2000, crop_size: 128}
  grid:
    generator.width: [16, 32, 64]
    gan_loss: [vanilla, lsgan, hinge]
  seeds: [0, 1, 2]
  metrics: [psnr, ssim]

`options` and `grid` take what `i2izoo train METHOD` takes as option=value; `i2izoo info METHOD` names it all.
Further keys: runs (options that go together, each with a name), val, size, limit, samples.
"""


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "sweep",
        help="train a grid of options into one table",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="the sweep, in YAML")
    add_data(parser, required=True)
    parser.add_argument("--out", metavar="DIR", help="folder of the sweep; what is finished there is not trained again")
    parser.add_argument("--dry-run", action="store_true", help="check everything and print the runs")
    parser.add_argument("--weights", metavar="DIR", help="folder with the weights that metrics need")
    parser.add_argument("--device", help="of the evaluation: cpu, cuda, cuda:1, mps or auto (default: cpu)")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Print the table; 1 if a run failed."""
    if args.dry_run:
        return dry_run(args)
    if args.out is None:
        args.parser.error("--out DIR is needed, but for --dry-run")

    from i2izoo.cli.printing import print_table
    from i2izoo.sweeps.sweep import sweep
    from i2izoo.sweeps.table import table

    found = sweep(args.file, args.data, out=args.out, weights=args.weights, device=args.device, progress=True)
    print_table(table(found.rows, found.comparison))
    print(f"wrote {args.out}: the table, the report and the runs", file=sys.stderr)
    return 1 if found.problems else 0


def dry_run(args: argparse.Namespace) -> int:
    """Print the runs and their sizes; nothing is trained or written."""
    from i2izoo.report.numbers import parameters
    from i2izoo.sweeps.plan import plan
    from i2izoo.sweeps.spec import read

    asked, where = read(args.file)
    runs, held_out = plan(asked, args.data, where)
    width = max(len(run.name) for run in runs)
    for run in runs:
        print(f"{run.name:<{width}}  {parameters(run.parameters)} parameters, {parameters(run.trained)} in training")
    images = min(len(held_out), asked.limit or len(held_out))
    print(f"{len(runs)} run{'s' * (len(runs) != 1)}, evaluated on {images} images")
    return 0
