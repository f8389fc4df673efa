"""`i2izoo export`: a model to a file for ONNX Runtime, a browser, QGIS or C++."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from i2izoo.cli.options import parse_options, parse_size
from i2izoo.contracts.words import translation_options

FORMATS = ("onnx", "torch", "aotinductor")


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("export", help="write a model for ONNX Runtime, a browser, QGIS or C++")
    parser.add_argument("name", metavar="NAME", help="a pretrained entry, a folder, or user/repo of the Hub")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="default: NAME.onnx, or NAME.pt2")
    parser.add_argument("--format", choices=FORMATS, default=None, help="default: by the ending of FILE, or onnx")
    parser.add_argument("--to", metavar="DOMAIN", help="target domain (default: the first)")
    parser.add_argument("--half", action="store_true", help="weights in half precision: half the size")
    parser.add_argument("--size", metavar="N[,M]", help="fixed side, or height and width (default: any)")
    parser.add_argument("--for", dest="purpose", choices=["deepness"], help="the QGIS plugin of this name")
    parser.add_argument("words", nargs="*", metavar="option=value", help="of the method's translation")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Export, and print how large the file is and how far its results are from the model's."""
    import i2izoo

    model = i2izoo.load(args.name)
    where = f"exporting {model.name!r}"
    (options,) = parse_options(args.words, translation_options(model.method), where=where, parser=args.parser)
    size = None if args.size is None else parse_size(args.size)
    ending = ".onnx" if args.format in (None, "onnx") else ".pt2"
    done = model.export(
        args.out or Path(Path(args.name).name + ending), to=args.to, format=args.format, half=args.half,
        size=tuple(size) if isinstance(size, list) else size, deepness=args.purpose == "deepness", **options,
    )  # fmt: skip
    print(f"{done.path}: {done.size / 1e6:.1f} MB, differs from the model by {done.difference:.1e}")
    return 0
