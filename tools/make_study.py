"""Run the facades study and write its page: tables, images and reports.

    python tools/make_study.py --data facades --out out/study

Options are those of examples/compare_facades.py, which trains what is missing; what is in --out already is neither
trained nor measured again. Written are docs/assets/results/study-* and what is between the marks of docs/study.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from stored import store

import i2izoo
from i2izoo.evaluation.protocol import Protocol
from i2izoo.evaluation.result import SCORES, Comparison, Result
from i2izoo.files.writing import write_text
from i2izoo.images.writing import grid, save

DOCS = Path(__file__).parents[1] / "docs"
sys.path.insert(0, str(DOCS.parent / "examples"))
import compare_facades as study  # noqa: E402

BEGIN, END = "<!-- written by tools/make_study.py -->", "<!-- end of what tools/make_study.py wrote -->"
SHOWN = {"train": "learned from", "val": "held out"}
OVERFITTED = "Pix2Pix L2 + L1"
SIDE = 160


def main() -> None:
    arguments = study.parse()
    comparisons = study.compare(arguments)
    results = DOCS / "assets" / "results"
    parts = [
        study.table(comparisons),
        means(arguments, comparisons["val"]),
        "### What was compared",
        models(arguments, comparisons["val"]),
    ]
    if rows := curve(arguments):
        parts += ["### Over-fitting as training goes on", rows]
    for split, said in SHOWN.items():
        whole = joined(comparisons[split])
        store(whole, f"study-{split}")
        sheet(whole).save(results / f"study-{split}.webp", quality=80)
        parts += [
            f"### Images {said}",
            f"![The same label maps through all models: {said}](assets/results/study-{split}.webp)",
            f"[Open the report: images {said}](assets/results/study-{split}.html){{ .md-button }}",
        ]
    page = DOCS / "study.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    write_text(page, "\n\n".join([before + BEGIN, *(part.strip() for part in parts), END + rest.partition(END)[2]]))


def means(arguments: argparse.Namespace, comparisons: list[Comparison]) -> str:
    """PSNR and SSIM of the mean photograph of the training split, at each size: what needs no label map."""
    lines = [
        "The mean photograph of the training split, the same for every label map:",
        "",
        "| side (px) | PSNR (dB), learned from | held out | SSIM, learned from | held out |",
        "|---:|---:|---:|---:|---:|",
    ]
    for size in (c.protocol.size[0] for c in comparisons if c.protocol.size):
        found = []
        for split in SHOWN:
            place = arguments.out / "mean" / f"{split}-{size}"
            if not (place / SCORES).exists():
                images = i2izoo.open_dataset(arguments.data, split=split)
                training = i2izoo.open_dataset(arguments.data, split="train", crop_size=size)
                photos = [training.sample(index, None)["photo"] for index in range(len(training))]
                mean = torch.stack(photos).mean(dim=0)
                for index in range(len(images)):
                    save(mean, place / "mean" / f"{images.name(index)}.png")
                settings = {"to": "photo", "split": split, "size": size, "limit": arguments.limit}
                i2izoo.evaluate(place / "mean", arguments.data, metrics=["psnr", "ssim"], out=place, **settings)
            found.append(Result.load(place))
        psnr, ssim = ([f"{r[metric].value:.{digits}f}" for r in found] for metric, digits in (("psnr", 2), ("ssim", 3)))
        lines.append(f"| {size} | {' | '.join([*psnr, *ssim])} |")
    return "\n".join(lines)


def models(arguments: argparse.Namespace, comparisons: list[Comparison]) -> str:
    """Where each model comes from, and how long it has learned."""
    lines = [
        "| Model | weights | parameters | steps | images seen | adversarial loss |",
        "|---|---|---:|---:|---:|---|",
    ]
    for name in (r.model for c in comparisons for r in c.results):
        entry, run = study.STUDY[name][1], arguments.out / "runs" / name / "model"
        here = run.exists()
        model = i2izoo.load(run if here else entry)
        facts, gan_loss = model.config["provenance"], model.method.config.get("gan_loss")
        loss = "-" if gan_loss is None else f"`{gan_loss['name']}`"
        lines.append(
            f"| {name} | {'trained for this page' if here else f'`{entry}`'} | {model.num_parameters / 1e6:.1f} M "
            f"| {facts['steps']:,} | {facts['images_seen']:,} | {loss} |"
        )
    return "\n".join(lines)


def curve(arguments: argparse.Namespace) -> str:
    """PSNR of both splits at the checkpoints of a run; "" without one."""
    lines = []
    for checkpoint in sorted((arguments.out / "runs" / OVERFITTED / "checkpoints").glob("step-*")):
        model, known = i2izoo.load(checkpoint), arguments.out / "curve" / f"{checkpoint.name}.json"
        if not known.exists():
            settings = {"size": model.config["provenance"]["crop_size"], "limit": arguments.limit, "to": "photo"}
            found = {
                split: i2izoo.evaluate(model, arguments.data, metrics=["psnr"], split=split, **settings)["psnr"].value
                for split in SHOWN
            }
            write_text(known, json.dumps(found))
        seen, unseen = json.loads(known.read_text(encoding="utf-8")).values()
        lines.append(f"| {int(checkpoint.name[5:]):,} | {seen:.2f} | {unseen:.2f} | {seen - unseen:+.2f} |")
    head = [f"{OVERFITTED}, PSNR in dB:", "", "| steps | learned from | held out | gap |", "|---:|---:|---:|---:|"]
    return "\n".join([*head, *lines]) if lines else ""


def joined(comparisons: list[Comparison]) -> Comparison:
    """Comparisons at several sizes as one, for a report with all models side by side; their names say the size."""
    names = {r.model: f"{r.model}, {c.protocol.size[0]} px" for c in comparisons for r in c.results if c.protocol.size}
    results = {r.model: replace(r, model=names[r.model]) for c in comparisons for r in c.results}
    tests = [
        replace(d, first=names[d.first], second=names[d.second], better=d.better and names[d.better])
        for c in comparisons
        for d in c.differences
    ]
    largest = comparisons[0]
    protocol = Protocol(**largest.protocol.config | {"size": None, "options": {"size": "each model's own"}})
    ordered = [results[name] for name in study.STUDY if name in results]
    return Comparison(protocol, ordered, tests, largest.inputs, largest.truths)


def sheet(comparison: Comparison, rows: int = 3) -> Image.Image:
    """The same images through all models, evenly spread over the split."""
    names = comparison.results[0].names
    chosen = [names[(2 * row + 1) * len(names) // (2 * rows)] for row in range(rows)]
    columns = {
        "label": comparison.inputs,
        **{r.model: r.images for r in comparison.results},
        "photograph": comparison.truths,
    }
    cells = [
        [Image.open(folder / f"{name}.png").resize((SIDE, SIDE)) for folder in columns.values() if folder is not None]
        for name in chosen
    ]
    return grid(cells, labels=[title for title, folder in columns.items() if folder is not None])


if __name__ == "__main__":
    main()
