"""`i2izoo translate`: images in files to images in files."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from i2izoo.cli import rasters
from i2izoo.cli.completion import add_model
from i2izoo.cli.options import BACKENDS, is_assignment, parse_options, parse_size, translation_options
from i2izoo.errors import I2IZooError, ImageError, escaped, listing

EXAMPLES = """
  i2izoo translate cyclegan-facades label.png -o photo.png
  i2izoo translate ./my-model 'images/*.jpg' -o out/ --to photo --batch-size 4
  i2izoo translate ./my-model ortho.tif -o colour.tif --tile 512 --bounds 684000,246000,685000,247000
"""


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "translate",
        help="translate images",
        epilog=f"examples:{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model(parser, "name", "a pretrained entry, a folder, or user/repo on the Hub")
    parser.add_argument("words", nargs="*", metavar="INPUT", help="files, folders, globs; option=value of the method")
    parser.add_argument("-o", "--out", required=True, metavar="OUT", help="a folder, or a file for one input")
    parser.add_argument("--to", metavar="DOMAIN", help="target domain (default: the model's first)")
    parser.add_argument("--seed", type=int, default=0, help="of all randomness (default: 0)")
    parser.add_argument("--samples", type=int, metavar="N", help="so many different translations of each image")
    parser.add_argument("--size", metavar="N", help="translate at N x N pixels, or HEIGHT,WIDTH, and scale back")
    parser.add_argument("--batch-size", type=int, metavar="N", help="images that run together")
    parser.add_argument("--depth", type=int, choices=(8, 16), help="bits of each channel (default: those of the input)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, mps or auto (default: cpu)")
    parser.add_argument("--backend", choices=BACKENDS, help="what computes the networks (default: PyTorch as it is)")
    parser.add_argument("--revision", help="branch, tag or commit of a Hub repository")
    parser.add_argument("--force", action="store_true", help="overwrite files")
    rasters.add_flags(parser)
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Translate all inputs; an image that cannot be read is reported at the end, and the others are done."""
    from i2izoo.images.writing import find_images, save

    words = [w for w in args.words if is_assignment(w) and not Path(w).exists()]
    inputs = list(dict.fromkeys(p for w in args.words if w not in words for p in find_images(w)))
    if not inputs:
        args.parser.error("name at least one image, folder or glob to translate")
    if rasters.asks_for_tiles(args, inputs):
        return rasters.run(args, inputs, words)
    size = None if args.size is None else parse_size(args.size)
    outputs = plan_outputs(inputs, args.out, args.samples, args.force)
    if args.depth == 16:
        check_holds_16_bits(next(iter(outputs.values()))[0])

    from i2izoo.models.translator import load

    model = load(args.name, revision=args.revision, device=args.device, backend=args.backend)
    if model.method.image_channels.get(args.to or next(iter(model.directions)), 0) > 4:  # more than a PNG has
        outputs = plan_outputs(inputs, args.out, args.samples, args.force, ".tif")
    allowed = translation_options(model.method)
    (options,) = parse_options(words, allowed, where=f"translating with {model.name!r}", parser=args.parser)
    results = model.stream(
        inputs,
        to=args.to,
        seed=args.seed,
        samples=args.samples,
        size=size,
        batch_size=args.batch_size,
        depth=args.depth,
        on_error="give",
        progress=sys.stderr.isatty(),
        **options,
    )
    failed = []
    for path, result in results:
        try:
            if isinstance(result, Exception):
                raise result
            images = result if args.samples is not None else [result]
            for image, place in zip(images, outputs[path], strict=True):
                save(image, place)
        except ImageError as error:  # a place that cannot be written to stays so for the images that follow
            failed.append(str(error))
    done = len(inputs) - len(failed)
    if done:
        places = next(iter(outputs.values()))
        several = len(inputs) == 1 and len(places) > 1  # beside the file that was named, which is none of them
        where = listing((str(place) for place in places), 3) if several else args.out
        print(f"translated {done} image{'s' * (done > 1)} to {escaped(where)}")
    for message in failed:
        print(f"i2izoo: {message}", file=sys.stderr)
    return 2 if failed else 0


def plan_outputs(
    inputs: Iterable[Path], out: str, samples: int | None, force: bool, ending: str = ".png"
) -> dict[Path, list[Path]]:
    """Where the translations of each input go; checked as a whole, before anything is computed.

    In a folder they are called as their inputs; inputs that differ in their endings alone keep these: `x.bmp.png`.

    Args:
        inputs: the images.
        out: a folder, or a file for one input.
        samples: of each input; None: its only translation.
        force: overwrite files.
        ending: of files in a folder.

    Raises:
        I2IZooError: two would go to one place, or one exists already and `force` is False.
    """
    inputs, place = list(inputs), Path(out).expanduser()
    single = bool(place.suffix) and not out.endswith("/") and not place.is_dir()
    if single and len(inputs) > 1:
        raise ImageError(f"{len(inputs)} images do not fit into the one file {out!r}; name a folder with -o.")
    if single:
        _check_format(place)
    stems = Counter(path.stem for path in inputs)
    outputs: dict[Path, list[Path]] = {}
    origin: dict[Path, Path] = {}
    for path in inputs:
        name = path.stem if stems[path.stem] == 1 else path.name
        first = place if single else place / f"{name}{ending}"
        numbered = [first.with_name(f"{first.stem}_{i}{first.suffix}") for i in range(samples or 0)]
        outputs[path] = numbered if samples is not None else [first]
        for output in outputs[path]:
            if output in origin:
                both = f"{str(origin[output])!r} and {str(path)!r}"
                raise ImageError(f"{both} would both become {str(output)!r}; translate them one by one.")
            origin[output] = path
    folder = place.parent if single else place
    if folder.exists() and not folder.is_dir():
        raise ImageError(f"{str(folder)!r} is a file; name a folder with -o.")
    taken = [str(output) for output in origin if output.exists()]
    if taken and not force:
        raise ImageError(f"{listing(taken, 3)} would be overwritten; use --force, or another -o.")
    return outputs


def check_holds_16_bits(path: Path) -> None:
    """Refuse --depth 16 for a file of a format without 16 bits, before anything is computed."""
    from PIL import Image

    from i2izoo.images.writing import DEEPEST

    if Image.registered_extensions()[path.suffix.lower()] not in DEEPEST:
        raise ImageError(f"{str(path)!r} holds 8 bits of each channel; with --depth 16, write .png or .tif.")


def _check_format(path: Path) -> None:
    from PIL import Image

    known = {ending for ending, name in Image.registered_extensions().items() if name in Image.SAVE}
    if path.suffix.lower() not in known:
        raise I2IZooError(f"cannot write images that end in {path.suffix!r}; use .png, .jpg, .webp or .tif.")
