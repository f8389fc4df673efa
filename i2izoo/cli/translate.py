"""`i2izoo translate`: images in files to images in files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from i2izoo.cli import rasters
from i2izoo.cli.completion import add_model
from i2izoo.cli.options import BACKENDS, is_assignment, parse_options, parse_size
from i2izoo.contracts.words import translation_options
from i2izoo.errors import ImageError, escaped, listing

if TYPE_CHECKING:
    from i2izoo.models.file_jobs import FileJob
    from i2izoo.models.translate_files import Translated

EXAMPLES = """
  i2izoo translate cyclegan-facades label.png -o photo.png
  i2izoo translate ./my-model 'images/*.jpg' -o out/ --to photo --batch-size 4
  i2izoo translate ./my-model --manifest list.csv -o out/ --shard 2/4 --skip-existing   # goes on where it was killed
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
    parser.add_argument("--seed", type=int, default=0, help="of all randomness, with the file's name (default: 0)")
    parser.add_argument("--samples", type=int, metavar="N", help="so many different translations of each image")
    parser.add_argument("--size", metavar="N", help="translate at N x N pixels, or HEIGHT,WIDTH, and scale back")
    parser.add_argument("--batch-size", type=int, metavar="N", help="images that run together (default on a CPU: 1)")
    parser.add_argument("--depth", type=int, choices=(8, 16), help="bits of each channel (default: those of the input)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, mps or auto (default: cpu)")
    parser.add_argument("--backend", choices=BACKENDS, help="what computes the networks (default: PyTorch as it is)")
    parser.add_argument("--revision", help="branch, tag or commit of a Hub repository")
    parser.add_argument("--force", action="store_true", help="overwrite files")
    group = parser.add_argument_group("many images, many processes")
    group.add_argument(
        "--manifest", action="append", default=[], metavar="FILE",
        help="text with a path a line, or a .csv with a column path, and perhaps name",
    )  # fmt: skip
    group.add_argument("--shard", metavar="I/N", help="do the I-th of N parts, the same bytes as in one process")
    group.add_argument("--skip-existing", action="store_true", help="leave out what is there, which is whole")
    group.add_argument("--write-manifest", metavar="FILE", help="a .csv of what was made: path, source, sha256, error")
    rasters.add_flags(parser)
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Translate all inputs; an image that cannot be read is reported at the end, and the others are done."""
    from i2izoo.files.manifests import read_manifest, write_manifest
    from i2izoo.models.translate_files import named, planned

    words = [w for w in args.words if is_assignment(w) and not Path(w).exists()]
    listed = [image for manifest in args.manifest for image in read_manifest(Path(manifest).expanduser())]
    images = named([*(w for w in args.words if w not in words), *listed])
    if not images:
        args.parser.error("name at least one image, folder or glob to translate")
    if rasters.asks_for_tiles(args, [image.path for image in images]):
        return rasters.run(args, [image.path for image in images], words)
    size = None if args.size is None else parse_size(args.size)
    part = {name: getattr(args, name) for name in ("samples", "shard", "skip_existing", "force")}
    jobs = planned(images, args.out, **part)
    if args.depth == 16:
        check_holds_16_bits(jobs)

    from i2izoo.models.translate_files import translate_files
    from i2izoo.models.translator import load

    model = load(args.name, revision=args.revision, device=args.device, backend=args.backend)
    allowed = translation_options(model.method)
    (options,) = parse_options(words, allowed, where=f"translating with {model.name!r}", parser=args.parser)
    done = translate_files(
        model, images, args.out, to=args.to, seed=args.seed, size=size, batch_size=args.batch_size, depth=args.depth,
        progress=sys.stderr.isatty(), **part, **options,
    )  # fmt: skip
    if args.write_manifest:
        place = Path(args.write_manifest).expanduser()
        write_manifest(place, (row for one in done for row in one.rows(place.parent)))
    say_what_was_done(done, args.out, single=len(images) == 1)
    return 2 if any(one.error for one in done) else 0


def say_what_was_done(done: Sequence[Translated], out: str, single: bool) -> None:
    """How many are where; and each that failed, on stderr."""
    there, made = sum(one.before for one in done), [one for one in done if not (one.before or one.error)]
    if made or there:
        several = single and len(done[0].job.targets) > 1  # beside the file that was named, which is none of them
        where = listing((str(target) for target in done[0].job.targets), 3) if several else out
        before = f"; {there} {'were' if there > 1 else 'was'} there" if there else ""
        print(f"translated {len(made)} image{'s' * (len(made) != 1)} to {escaped(where)}{before}")
    for one in done:
        if one.error:
            print(f"i2izoo: {one.error}", file=sys.stderr)


def check_holds_16_bits(jobs: Sequence[FileJob]) -> None:
    """Refuse --depth 16 for a file of a format without 16 bits, before anything is computed."""
    from PIL import Image

    from i2izoo.images.writing import DEEPEST

    for path in (target for job in jobs[:1] for target in job.targets[:1]):
        if Image.registered_extensions()[path.suffix.lower()] not in DEEPEST:
            raise ImageError(f"{str(path)!r} holds 8 bits of each channel; with --depth 16, write .png or .tif.")
