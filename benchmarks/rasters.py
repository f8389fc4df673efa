"""Time and memory of a raster of any size, drawn for it: what `i2izoo translate` takes, library included.

python benchmarks/rasters.py --width 20000 --height 20000

What is not the network's is seen with `--model small`, one of few operations a pixel.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

SMALL: dict[str, Any] = {
    "method": "pix2pix", "in_channels": 1, "out_channels": 3, "discriminator": "pixel",
    "generator": {"name": "resnet_6blocks", "width": 4, "blocks": 1, "norm": "instance"},
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pix2pix-facades-colorization")
    parser.add_argument("--width", type=int, default=20_000)
    parser.add_argument("--height", type=int, default=20_000)
    parser.add_argument("--tile", type=int, default=512)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "drawn.tif"), Path(folder, "made.tif")
        tifffile.imwrite(
            source, strips(args.height, args.width), shape=(args.height, args.width), dtype=np.uint8, rowsperstrip=64,
            photometric="minisblack", bigtiff=True,
        )  # fmt: skip

        import i2izoo

        model = i2izoo.create(**SMALL) if args.model == "small" else i2izoo.load(args.model)
        start, wall = time.process_time(), time.perf_counter()
        i2izoo.translate_raster(model, source, target, tile=args.tile)
        seconds, waited = time.process_time() - start, time.perf_counter() - wall
        mega = args.width * args.height / 1e6
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(
            f"{args.model}, {args.width} x {args.height}, tiles of {args.tile}: {mega:.0f} megapixels in {seconds:.0f} "
            f"CPU s ({seconds / mega:.2f} a megapixel; {waited:.0f} s waited), at most {peak:.2f} GB, "
            f"{target.stat().st_size / 1e6:.0f} MB written"
        )


def strips(height: int, width: int) -> Iterator[np.ndarray]:
    """Waves of many lengths with a little noise, in strips of 64 rows."""
    draw = np.random.default_rng(0)
    across = np.arange(width, dtype=np.float32)
    for top in range(0, height, 64):
        rows = np.arange(top, min(top + 64, height), dtype=np.float32)[:, None]
        waves = sum(np.sin(across / n + rows / (2 * n)) for n in (7, 53, 411, 3011))
        grey = 128 + 25 * waves + draw.normal(0, 4, (len(rows), width))
        yield grey.clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
