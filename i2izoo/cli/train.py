"""`i2izoo train`: a method on data, into the folder of a run."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from i2izoo.cli.completion import add_data, add_naming, offers
from i2izoo.cli.options import is_assignment, parse_names, parse_options, parse_words
from i2izoo.contracts.config import schema
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError

if TYPE_CHECKING:
    from i2izoo.training.recipe import Recipe

EXAMPLES = """
  i2izoo train pix2pix --data ./facades --sides photo,label --to photo --out runs/facades
  i2izoo train cyclegan --data ./horse2zebra --out runs/zebra generator.width=32 epochs=50
  i2izoo train pix2pix --data ./facades --to photo --out runs/best --metrics psnr,ssim --every 2000 --val ./facades/val
  i2izoo train pix2pix --data synthetic-facades --to photo --out runs/try steps=100 crop_size=64
  i2izoo train pix2pix --task colorization --data ./colour-images --out runs/colour degrade=light
  i2izoo train pix2pix --task inpainting --data ./images --out runs/fill
  i2izoo train cyclegan --from ./imported --data ./horse2zebra --out runs/on learning_rate=1e-5
  i2izoo train --recipe pix2pix-facades --data ./facades --out runs/again minutes=12
  i2izoo train cyclegan --data ./facades --out runs/screened --screen-seeds 8 --screen-steps 80
  i2izoo train --recipe ./recipe.yaml --dry-run
  i2izoo train --config runs/facades/run.json --out runs/other learning_rate=1e-4
"""


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "train",
        help="train a method",
        epilog=f"examples:{EXAMPLES}\n`i2izoo info METHOD` names the options of the method and of the training.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    offers(parser.add_argument("method", nargs="?", metavar="METHOD", help="or --config"), "methods", files=False)
    parser.add_argument("words", nargs="*", metavar="option=value", help="of the method, its parts and the training")
    recipe = "all of it, as a pretrained entry was made, or from a file: a recipe, or the run.json of a run"
    offers(parser.add_argument("--config", "--recipe", dest="recipe", metavar="FILE", help=recipe), "pretrained")
    add_data(parser)
    parser.add_argument("--out", metavar="DIR", help="folder of the run")
    parser.add_argument("--dry-run", action="store_true", help="check everything, say what would be trained, and stop")
    task = "what METHOD learns: colorization, inpainting, uncropping ..."
    offers(parser.add_argument("--task", metavar="NAME", help=task), "methods", files=False)
    parser.add_argument("--to", metavar="DOMAIN", help="target domain")
    parser.add_argument(
        "--from", metavar="MODEL", dest="start", help="start with the weights and options of a model of METHOD"
    )
    parser.add_argument("--resume", metavar="WHERE", help="'auto', or the folder of a checkpoint")
    parser.add_argument("--split", help="part of the data (default: train)")
    add_naming(parser)
    metrics = "metrics on held-out images: psnr,ssim,fid[resnet18]"
    offers(parser.add_argument("--metrics", metavar="NAMES", help=metrics), "metrics", files=False, many=True)
    parser.add_argument("--every", type=int, metavar="N", help="steps between their evaluations (default: 1000)")
    val = "held-out images (default: the split val of the data)"
    offers(parser.add_argument("--val", metavar="PATH", help=val), "datasets")
    seeds = "begin from N seeds, the one of seed= and those after it, and go on with the best"
    parser.add_argument("--screen-seeds", type=int, metavar="N", help=seeds)
    parser.add_argument(
        "--screen-steps", type=int, metavar="N", help="steps of each, before it is judged (default: 80)"
    )
    judged = "what they are judged by on held-out images (default: fid[polarity])"
    offers(parser.add_argument("--screen-metric", metavar="NAME", help=judged), "metrics", files=False)
    parser.add_argument("--screen-to", metavar="DOMAIN", help="the target domain that is judged (default: all)")
    parser.add_argument("--log-with", metavar="NAMES", help="trackers beside log.csv: wandb,mlflow,trackio ...")
    parser.add_argument("--weights", metavar="DIR", help="folder with the weights that metrics need")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Train to the end; the trained model is in DIR/model, with its recipe."""
    if args.recipe is not None and args.method is not None:  # the word after the flags is no method
        if not is_assignment(args.method):
            raise ConfigError(f"a recipe names its own method; leave {args.method!r} out, or --config.")
        args.words, args.method = [args.method, *args.words], None
    needed = {"METHOD or --config": args.method or args.recipe, "--data": args.data or args.recipe}
    needed |= {} if args.dry_run else {"--out": args.out}
    if lacking := [name for name, value in needed.items() if value is None]:
        args.parser.error(f"the following arguments are required: {', '.join(lacking)}")
    recipe = _recipe(args)

    from i2izoo.files.weights import weights_in
    from i2izoo.training.by_recipe import dry_run, train

    with weights_in(args.weights):
        if args.dry_run:
            for line in dry_run(recipe, args.data, val=args.val):
                print(line)
            return 0
        model = train(recipe, args.data, val=args.val, out=args.out, resume=args.resume)
    if int(os.environ.get("RANK", "0")) == 0:
        use = "generate {0} -n 8 -o OUT" if None in model.directions.values() else "translate {0} INPUT -o OUT"
        use = use.format(f"{args.out}/model")
        print(f"the trained model is in {args.out}/model: i2izoo {use}")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # seen once in some thirty runs: gloo's threads abort the interpreter's shutdown, and a run that has written
        # everything (fit ends in a barrier) would count as failed
        sys.stdout.flush()
        os._exit(0)
    return 0


def _recipe(args: argparse.Namespace) -> Recipe:
    """What the command line asks for, as a recipe."""
    from i2izoo.training.config import TrainingOptions
    from i2izoo.training.recipe import Recipe, read_recipe

    training = _flags(args)
    if args.recipe is not None:
        for flag, value in (("--task", args.task), ("--to", args.to), ("--from", args.start)):
            if value is not None:
                raise ConfigError(f"a recipe says itself what {flag} says; change it in a copy of the recipe.")
        recipe = read_recipe(args.recipe)
        known = (schema(recipe.kind), schema(TrainingOptions))
        words = parse_words(args.words, *known, where=f"the recipe {args.recipe!r}", parser=args.parser)
        return recipe.changed(_agreed(words, training))
    method, where = registry("methods").get(args.method), repr(args.method)
    complete = args.start is None  # else parts without a name are those of the model
    if args.task is None:
        options, words = parse_options(
            args.words, schema(method), schema(TrainingOptions), where=where, parser=args.parser, complete=complete
        )
        words = _agreed(words, training)
        return Recipe(method=args.method, options=options, start=args.start, to=args.to, training=words)
    task = registry("methods").get(args.task)  # a method that has another one learn
    if "base" not in schema(task):
        raise ConfigError(f"{args.task!r} is no task that another method can be given; train it as a method.")
    own = {option: parameter for option, parameter in schema(task).items() if option != "base"}
    options, inner, words = parse_options(
        args.words, own, schema(method), schema(TrainingOptions), where=where, parser=args.parser, complete=complete
    )
    options["base"] = {"name": args.method, **inner}
    words = _agreed(words, training)
    return Recipe(method=args.task, options=options, start=args.start, to=args.to, training=words)


def _flags(args: argparse.Namespace) -> dict[str, tuple[str, Any]]:
    """Training options that have flags of their own: option -> flag and value."""
    sides = args.sides.split(",") if args.sides else None
    if sides and len(sides) != 2:
        raise ConfigError(f"--sides names two domains, left and right, such as photo,label; found {args.sides!r}.")
    given = {
        "split": ("--split", args.split),
        "sides": ("--sides", sides),
        "rename": ("--rename", parse_names(args.rename) if args.rename else None),
        "evaluate_every": ("--every", args.every),
        "metrics": ("--metrics", args.metrics.split(",") if args.metrics else None),
        "log_with": ("--log-with", args.log_with.split(",") if args.log_with else None),
        "screen_seeds": ("--screen-seeds", args.screen_seeds),
        "screen_steps": ("--screen-steps", args.screen_steps),
        "screen_metric": ("--screen-metric", args.screen_metric),
        "screen_to": ("--screen-to", args.screen_to),
    }
    return {name: both for name, both in given.items() if both[1] is not None}


def _agreed(words: dict[str, Any], flags: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    """Options by words and by flags; one of both kinds has one value."""
    for name, (flag, value) in flags.items():
        if words.setdefault(name, value) != value:
            raise ConfigError(f"{flag} and {name}= disagree; give one of them.")
    return words
