"""`i2izoo distill`: a trained model becomes one that needs fewer steps."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from i2izoo.cli.completion import add_data, add_model, add_naming
from i2izoo.cli.options import parse_names, parse_options
from i2izoo.contracts.config import schema
from i2izoo.errors import ConfigError

EXAMPLES = """
  i2izoo distill runs/ddim/model --student-steps 4 --data ./facades --sides photo,label --out runs/ddim-4
  i2izoo distill runs/ddim/model --student-steps 4 --method consistency --data ./facades --out runs/lcm steps=5000
  i2izoo distill runs/ddim/model --student-steps 8 --method guidance --data ./facades --out runs/guided guidance=1,3
"""


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "distill",
        help="teach a student to translate in fewer steps",
        epilog=f"examples:{EXAMPLES}\noption=value holds for every stage; `i2izoo info progressive_distillation` names "
        "the options.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model(parser, "model", "the teacher: an entry, a folder or a Hub repository")
    parser.add_argument("words", nargs="*", metavar="option=value", help="of the distillation and the training")
    parser.add_argument(
        "--student-steps", type=int, required=True, metavar="N", help="steps of sampling of the student"
    )
    add_data(parser, required=True)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the stages and of the new model")
    parser.add_argument(
        "--method", default="progressive", metavar="NAME", help="progressive (default), guidance or consistency"
    )
    parser.add_argument("--start", type=int, metavar="N", help="steps of the teacher before the first halving")
    parser.add_argument("--resume", choices=["auto"], help="go on with the distillation in DIR")
    parser.add_argument("--split", default="train", help="part of the data (default: train)")
    add_naming(parser)
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Train all stages; the student is in DIR/model."""
    from i2izoo.models.translator import load
    from i2izoo.nn.random import derive_seed, seeded
    from i2izoo.training.config import TrainingOptions
    from i2izoo.training.distill import distill, distillation_method, stage_options

    model = load(args.model)
    plan = distillation_method(args.method).stages(model.method, args.student_steps, args.start)
    own, training = parse_options(
        args.words,
        stage_options(args.method, plan),
        schema(TrainingOptions),
        where=f"distillation by {args.method}",
        parser=args.parser,
    )
    training.setdefault("split", args.split)
    if args.sides:
        training["sides"] = sides = args.sides.split(",")
        if len(sides) != 2:
            raise ConfigError(f"--sides names two domains, left and right, such as photo,label; found {args.sides!r}.")
    if args.rename:
        training["rename"] = parse_names(args.rename)
    with seeded(derive_seed(training.get("seed", 0), "weights")):
        distill(
            args.model, args.data, args.student_steps, method=args.method, start=args.start, out=args.out,
            resume=args.resume, **own, **training,
        )  # fmt: skip
    print(f"the student is in {args.out}/model: i2izoo translate {args.out}/model INPUT -o OUT")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:  # as after `i2izoo train`
        sys.stdout.flush()
        os._exit(0)
    return 0
