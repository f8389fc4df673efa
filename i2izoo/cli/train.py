"""`i2izoo train`: a method on data, into the folder of a run."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from i2izoo.cli.options import parse_options
from i2izoo.contracts.config import schema
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError

EXAMPLES = """
  i2izoo train pix2pix --data ./facades --sides photo,label --to photo --out runs/facades
  i2izoo train cyclegan --data ./horse2zebra --out runs/zebra generator.width=32 epochs=50
  i2izoo train pix2pix --data ./facades --to photo --out runs/best --metrics psnr,ssim --every 2000 --val ./facades/val
  i2izoo train pix2pix --data synthetic-facades --to photo --out runs/try steps=100 crop_size=64
  i2izoo train pix2pix --task colorization --data ./colour-images --out runs/colour degrade=light
  i2izoo train pix2pix --task inpainting --data ./images --out runs/fill
"""


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "train",
        help="train a method",
        epilog=f"examples:{EXAMPLES}\n`i2izoo info METHOD` names the options of the method and of the training.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("method", metavar="METHOD")
    parser.add_argument("words", nargs="*", metavar="option=value", help="of the method, its parts and the training")
    parser.add_argument("--data", required=True, metavar="PATH", help="a folder, a CSV file or the name of a dataset")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the run")
    parser.add_argument("--task", metavar="NAME", help="what METHOD learns: colorization, inpainting, uncropping ...")
    parser.add_argument("--to", metavar="DOMAIN", help="target domain")
    parser.add_argument("--resume", metavar="WHERE", help="'auto', or the folder of a checkpoint")
    parser.add_argument("--split", help="part of the data (default: train)")
    parser.add_argument("--sides", metavar="LEFT,RIGHT", help="domains of the halves of side-by-side images")
    parser.add_argument("--metrics", metavar="NAMES", help="metrics on held-out images: psnr,ssim,fid[resnet18]")
    parser.add_argument("--every", type=int, metavar="N", help="steps between their evaluations (default: 1000)")
    parser.add_argument("--val", metavar="PATH", help="held-out images (default: the split val of the data)")
    parser.add_argument("--weights", metavar="DIR", help="folder with the weights that metrics need")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Train to the end; the trained model is in DIR/model."""
    method = registry("methods").get(args.method)

    from i2izoo.contracts.method import ways
    from i2izoo.files.weights import weights_in
    from i2izoo.training.config import TrainingOptions
    from i2izoo.training.trainer import Trainer

    asked, where = args.method, repr(args.method)
    if args.task is None:
        options, training = parse_options(
            args.words, schema(method), schema(TrainingOptions), where=where, parser=args.parser
        )
    else:  # a method that has another one learn
        inside, asked, method = schema(method), args.task, registry("methods").get(args.task)
        if "base" not in schema(method):
            raise ConfigError(f"{asked!r} is no task that another method can be given; train it as a method.")
        own = {option: parameter for option, parameter in schema(method).items() if option != "base"}
        options, inner, training = parse_options(
            args.words, own, inside, schema(TrainingOptions), where=where, parser=args.parser
        )
        options["base"] = {"name": args.method, **inner}
    if args.split:
        training.setdefault("split", args.split)
    if args.sides:
        training["sides"] = sides = args.sides.split(",")
        if len(sides) != 2:
            raise ConfigError(f"--sides names two domains, left and right, such as photo,label; found {args.sides!r}.")
    for name, flag, value in (
        ("metrics", "--metrics", args.metrics.split(",") if args.metrics else None),
        ("evaluate_every", "--every", args.every),
    ):
        if value is not None and training.setdefault(name, value) != value:
            raise ConfigError(f"{flag} and {name}= disagree; give one of them.")
    with weights_in(args.weights):
        trainer = Trainer(
            {"name": asked, **options}, args.data, to=args.to, val=args.val, out=args.out, resume=args.resume,
            **training,
        )  # fmt: skip
        directions = trainer.model.directions
        print("training", ways(directions))
        trainer.fit()
    if trainer.main:
        use = "generate {0} -n 8 -o OUT" if None in directions.values() else "translate {0} INPUT -o OUT"
        use = use.format(f"{args.out}/model")
        print(f"the trained model is in {args.out}/model: i2izoo {use}")
    if trainer.world > 1:
        # seen once in some thirty runs: gloo's threads abort the interpreter's shutdown, and a run that has written
        # everything (fit ends in a barrier) would count as failed
        sys.stdout.flush()
        os._exit(0)
    return 0
