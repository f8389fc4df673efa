"""How far tiles are from the whole: seam ratio, PSNR, drift and time of each way to run a model in tiles.

    python benchmarks/seams.py pix2pix-facades-colorization scan.tif --tile 256

prints a table. The image has to fit into memory as a whole, for that is what tiles are compared with.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

import i2izoo
from i2izoo.images.reading import to_tensor
from i2izoo.images.seams import block_drift, seam_ratio
from i2izoo.models.translator import Translator
from i2izoo.rasters.grid import spans
from i2izoo.rasters.plan import TileSettings
from i2izoo.rasters.probing import tiling
from i2izoo.rasters.tiled import translate_tiled

WAYS: dict[str, dict[str, object]] = {
    "plain: each tile's own statistics, no overlap": {"overlap": 0, "statistics": "tile", "edges": "zeros"},
    "own statistics, overlap 32": {"overlap": 32, "statistics": "tile"},
    "joint of 8, overlap 32, zeros at edges": {"overlap": 32, "edges": "zeros"},
    "joint of 8, no overlap": {"overlap": 0},
    "joint of 4, overlap 32": {"overlap": 32, "joint_tiles": 4},
    "joint of 8, overlap 32 (the default)": {"overlap": 32},
    "joint of 8, overlap 64": {"overlap": 64},
    "joint of 16, overlap 32": {"overlap": 32, "joint_tiles": 16},
    "exact statistics, overlap 32": {"overlap": 32, "statistics": "exact"},
    "dense, overlap 32": {"overlap": 32, "statistics": "dense"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("images", nargs="+")
    parser.add_argument("--to")
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--only", default="", help="ways whose name holds one of these, between semicolons")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = i2izoo.load(args.model)
    for image in args.images:
        table(model, image, args)


def table(model: Translator, path: str, args: argparse.Namespace) -> None:
    """Print what each way gives on an image."""
    image = to_tensor(path, model.method.image_channels[str(model.directions[model.target(args.to)])])
    print(f"\n{args.model}, {path}, {tuple(image.shape)}, tiles of {args.tile}, {tiling(model, args.to)}\n")
    whole, seconds = timed(lambda: model(image, to=args.to))
    print(
        "| way | seam ratio | PSNR to the whole (dB) | drift (of 255) | CPU s | of plain |\n|---|--:|--:|--:|--:|--:|"
    )
    rows, columns = lines(image, args.tile)
    print(f"| whole | {float(seam_ratio(whole[None], rows, columns)):.2f} | | | {seconds:.1f} | |", flush=True)
    plain = None
    for name, options in WAYS.items():
        if not any(word in name for word in args.only.split(";")):
            continue
        settings = TileSettings(tile=args.tile, **options)  # type: ignore[arg-type]
        tiled, seconds = timed(lambda s=settings: translate_tiled(model, image, to=args.to, settings=s))  # type: ignore[misc]
        plain = plain or seconds
        rows, columns = lines(image, args.tile, int(str(options["overlap"])))
        error = ((tiled - whole) / 2).square().mean()
        of_whole = float(seam_ratio(tiled[None], rows, columns) / seam_ratio(whole[None], rows, columns))
        drift = float(block_drift(tiled[None], whole[None])) * 127.5
        print(
            f"| {name} | {of_whole:.3f} | {float(-10 * error.log10()):.1f} | {drift:.2f} | {seconds:.1f} "
            f"| {seconds / plain:.2f} |",
            flush=True,
        )


def lines(image: Tensor, tile: int, overlap: int = 0) -> tuple[list[int], list[int]]:
    """Where one tile takes over from another: in the middle of what they share."""
    both = [spans(side, tile, overlap=overlap) for side in image.shape[-2:]]
    rows, columns = ([(a.stop + b.start) // 2 for a, b in pairwise(s)] for s in both)
    return rows, columns


def timed(run: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """What it gives, and the CPU seconds that it took."""
    start = time.process_time()
    return run(), time.process_time() - start


if __name__ == "__main__":
    main()
