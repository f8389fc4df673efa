"""Measure the bundled models on the facades, for the cards, the gallery and the page of results.

    python docs/make_results.py --data facades --out results

Run it when the weights in i2izoo/zoo changed, on an idle machine, since it takes times, too. For each domain, all
bundled models that translate to it and the two trivial answers of benchmarks/trivial_answers.py are compared on the
validation split. Written are: the figures on the models' cards, with the protocol beside them; the grids of
docs/assets/gallery; table and report of docs/results.md, in docs/assets/results.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image

import i2izoo
from i2izoo import images
from i2izoo.evaluation.card import write_to_card
from i2izoo.evaluation.comparison import COMPARISON
from i2izoo.evaluation.result import Comparison
from i2izoo.registry import registry

DOCS = Path(__file__).parent
SIDES, SIZE, ROWS = ["photo", "label"], 256, 8
METRICS = {
    "photo": ["psnr", "ssim", "ms_ssim", "delta_e2000", "fid[segmenter]", "kid[segmenter]", "fcn_score"],
    "label": ["psnr", "ssim", "delta_e2000", "label_score"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="facades in the pix2pix layout, with train/ and val/")
    parser.add_argument("--out", type=Path, required=True, help="folder for all that a comparison writes")
    arguments = parser.parse_args()
    for to, metrics in METRICS.items():
        trivial = arguments.out / f"trivial-{to}"
        script = DOCS.parent / "benchmarks" / "trivial_answers.py"
        options = ["--data", arguments.data, "--sides", ",".join(SIDES), "--to", to, "--size", str(SIZE)]
        subprocess.run([sys.executable, script, *options, "--out", trivial], check=True)
        entries = [n for n in i2izoo.list_models(pretrained=True) if to in registry("pretrained").get(n).domains]
        models = {n: n for n in entries} | {f"{n} {to}": str(trivial / n) for n in ("mean", "nearest")}
        place = arguments.out / to
        found = i2izoo.compare(
            models,
            arguments.data,
            metrics=metrics,
            to=to,
            split="val",
            sides=SIDES,
            size=SIZE,
            out=place,
            progress=True,
        )
        for result in found.results:
            if result.model in entries:
                write_to_card(registry("pretrained").get(result.model).folder(), result)
                make_grid(found, result.model)
        results = DOCS / "assets" / "results"
        results.mkdir(parents=True, exist_ok=True)
        shutil.copy(place / "report.html", results / f"facades-{to}.html")
        shutil.copy(place / COMPARISON, results / f"facades-{to}.json")


def make_grid(found: Comparison, model: str) -> None:
    """Input, translation and truth of pictures spread evenly over the split."""
    (result,) = (r for r in found.results if r.model == model)
    source, to = found.protocol.source, found.protocol.to
    chosen = result.names[:: max(1, len(result.names) // ROWS)][:ROWS]
    folders = [folder for folder in (found.inputs, result.pictures, found.truths) if folder is not None]
    rows = [[Image.open(folder / f"{name}.png") for folder in folders] for name in chosen]
    sheet = images.grid(rows, labels=[source, f"{to} (model)", f"{to} (truth)"])
    images.save(sheet, DOCS / "assets" / "gallery" / model / f"{source}-to-{to}.png")


if __name__ == "__main__":
    main()
