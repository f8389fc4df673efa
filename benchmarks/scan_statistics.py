"""How near grey copies of colour images come to scans of old film, before and after they are degraded.

    python benchmarks/scan_statistics.py COLOUR SCANS [--degrade film] [--images 120] [--search 0]

COLOUR and SCANS are folders of images of 256 x 256, such as new and old aerial photographs. Written is the table of
docs/methods/colorization.md: mean, and the tenth and ninetieth percentile over the images of each statistic.
`--search N` tries N sets of ranges around those of the preset, on images beside those of the table, and prints each
that is nearer.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from i2izoo_tasks.degradations import PRESETS, Degradation
from i2izoo_tasks.film import Grey, blur, grey_of
from numpy.typing import NDArray
from PIL import Image

SIDE, BLOCK = 256, 16
STATISTICS = (
    "grey level, 2 % quantile", "grey level, 25 %", "grey level, median", "grey level, 75 %", "grey level, 98 %",
    "standard deviation", "contrast within 4 pixels", "contrast beyond 32 pixels",
    "slope of the spectrum, 8 to 64 cycles", "slope of the spectrum, 64 to 120 cycles",
    "grain: standard deviation", "grain: correlation at 1 pixel", "grain: correlation at 2 pixels",
)  # fmt: skip


def statistics(grey: Grey) -> list[float]:
    """The numbers of STATISTICS of one image, 256 x 256 in [0, 1]."""
    near = np.sqrt(np.maximum(blur(grey**2, 4) - blur(grey, 4) ** 2, 0)).mean()
    window = np.outer(np.hanning(SIDE), np.hanning(SIDE))
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    frequency = np.fft.fftfreq(SIDE) * SIDE
    ring = np.hypot(frequency[:, None], frequency).round().astype(int).ravel()
    profile = np.bincount(ring, power.ravel()) / np.bincount(ring)
    slopes = [np.polyfit(np.log(k), np.log(profile[k] + 1e-12), 1)[0] for k in (np.arange(8, 64), np.arange(64, 120))]
    return [
        *np.quantile(grey, [0.02, 0.25, 0.5, 0.75, 0.98]), grey.std(), near, blur(grey, 32).std(), *slopes,
        *grain(grey),
    ]  # fmt: skip


def grain(grey: Grey) -> list[float]:
    """Standard deviation and correlations of what is finer than 3 pixels, in the smoothest tenth of the blocks."""
    fine = (grey - blur(grey, 3)).reshape(SIDE // BLOCK, BLOCK, SIDE // BLOCK, BLOCK).swapaxes(1, 2)
    blocks = fine.reshape(-1, BLOCK, BLOCK)
    blocks = blocks[np.argsort(blocks.std((1, 2)))[: len(blocks) // 10]]
    blocks = blocks - blocks.mean((1, 2), keepdims=True)
    power = max(float((blocks**2).mean()), 1e-12)
    beside = [
        ((blocks[:, :, d:] * blocks[:, :, :-d]).mean() + (blocks[:, d:] * blocks[:, :-d]).mean()) / 2 / power
        for d in (1, 2)
    ]
    return [power**0.5, *beside]


def table(images: list[Any], degrade: Degradation | None = None) -> NDArray[np.floating[Any]]:
    """Statistics of each of the images, grey or degraded."""
    return np.array(
        [statistics(grey_of(image) if degrade is None else degrade(image, seed)) for seed, image in enumerate(images)]
    )


def distance(found: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.floating[Any]]:
    """Of the distributions of each statistic, in standard deviations of the wanted one (Wasserstein-1)."""
    levels = np.linspace(0.02, 0.98, 49)
    apart = np.quantile(found, levels, axis=0) - np.quantile(wanted, levels, axis=0)
    return np.abs(apart).mean(0) / wanted.std(0)


def opened(folder: str, count: int, start: int) -> list[NDArray[np.floating[Any]]]:
    """Every so many of the images below a folder, 3 x H x W in [0, 1]."""
    paths = [path for path in sorted(Path(folder).rglob("*")) if path.suffix.lower() in (".jpg", ".png", ".webp")]
    chosen = paths[start :: max(1, len(paths) // count)][:count]
    return [np.asarray(Image.open(path).convert("RGB"), np.float32).transpose(2, 0, 1) / 255 for path in chosen]


def searched(ranges: dict[str, Any], colours: list[Any], wanted: NDArray[Any], tries: int) -> dict[str, Any]:
    """The nearest of so many sets of ranges, each drawn around the best before it."""
    draw = np.random.default_rng(0)
    best, least = ranges, float(distance(table(colours, Degradation(**ranges)), wanted).mean())
    for _ in range(tries):
        drawn = {name: value * np.exp(draw.normal(0, 0.35)) for name, value in best.items() if name != "jpeg"}
        drawn |= {name: min(drawn[name], 0.95) for name in ("orthochromatic", "vignette") if name in drawn}
        drawn |= {name: max(1.0, 1 + (best[name] - 1) * np.exp(draw.normal(0, 0.35))) for name in ("contrast", "gamma")}
        trial = best | {name: round(float(value), 3) for name, value in drawn.items()}
        score = float(distance(table(colours, Degradation(**trial)), wanted).mean())
        if score < least:
            best, least = trial, score
            print(f"{least:.4f} {best}", flush=True)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("colour")
    parser.add_argument("scans")
    parser.add_argument("--degrade", default="film", choices=PRESETS)
    parser.add_argument("--images", type=int, default=120)
    parser.add_argument("--search", type=int, default=0)
    args = parser.parse_args()
    if args.search:
        colours, scans = (opened(folder, args.images, 1) for folder in (args.colour, args.scans))
        wanted = table(scans)
        print(searched(dict(PRESETS[args.degrade]), colours, wanted, args.search))
        return
    colours, scans = (opened(folder, args.images, 0) for folder in (args.colour, args.scans))
    wanted = table(scans)
    columns = [table(colours), table(colours, Degradation(**PRESETS[args.degrade])), wanted]
    print(f"| | grey copies | after `{args.degrade}` | scans |\n|---|--:|--:|--:|")
    for row, name in enumerate(STATISTICS):
        cells = [f"{c[:, row].mean():.2f} ({np.quantile(c[:, row], 0.1):.2f} to {np.quantile(c[:, row], 0.9):.2f})"
                 for c in columns]  # fmt: skip
        print(f"| {name} | {' | '.join(cells)} |")
    apart = [f"{distance(column, wanted).mean():.2f}" for column in columns[:2]]
    print(f"| mean distance of the distributions, in standard deviations of the scans' | {' | '.join(apart)} | 0 |")


if __name__ == "__main__":
    main()
