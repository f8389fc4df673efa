"""Palette's question (Saharia et al. 2022, arXiv 2111.05826, table 7): one model for four tasks, or four models?

python examples/palette_study.py --data ./facades --out out/palette --steps 500

Three answers are compared on images held out: four models of --steps steps each; one model of as many steps, as in the
paper; and that model after four times as many, which is what the four cost together. Written are study.json, tables.md
and samples.png. A second call goes on where the first was stopped, and trains and measures nothing twice. Without
--data all is tiny and drawn, and takes seconds.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from PIL import Image
from study import add_scores, cell, parse, table, write

import i2izoo
from i2izoo.images.writing import grid

TASKS = ("colorization", "inpainting", "uncropping", "jpeg_restoration")
DAMAGED, FOUR, ONE, LONG = "damaged image", "four models", "one model, same steps", "one model, same compute"
PAPER = {  # FID and PD, of ImageNet at 256 x 256; inpainting of a central square, JPEG of quality 5
    "colorization": {FOUR: "3.4 / 48.0", ONE: "3.7 / 57.1"},
    "inpainting": {FOUR: "6.6 / 59.5", ONE: "6.8 / 65.2"},
    "jpeg_restoration": {FOUR: "8.3 / 95.5", ONE: "7.0 / 92.4"},
}
DIGITS = {"psnr": 2, "fid": 2, "perceptual_distance": 2}


def trained(a: argparse.Namespace, tasks: tuple[str, ...], steps: int, seed: int) -> Path:
    """Train one model for some tasks, or go on with it; the folder of its run."""
    out = a.out / "runs" / f"{'+'.join(tasks) if len(tasks) == 1 else 'all'}-{seed}"
    if not (out / "model").exists():
        print(f"{out.name}: {steps} steps", flush=True)
        network = {
            "name": "unet2d", "channels": [a.width, 2 * a.width, 3 * a.width, 3 * a.width], "attention": [3],
            "layers": 1, "norm_groups": min(8, a.width),
        }  # fmt: skip
        base = {
            "name": "palette", "generator": network, "prediction": "v_prediction", "learning_rate": a.learning_rate,
            "sampling_steps": a.sampling_steps, "scheduler": {"name": "ddim", "beta_start": 1e-4, "beta_end": 0.02},
        }  # fmt: skip
        method = {"name": "restoration", "domains": ["damaged", "photo"], "tasks": list(tasks), "base": base}
        i2izoo.Trainer(
            method, a.data, out=out, resume="auto", seed=seed, steps=steps, warmup_steps=min(50, a.steps // 2),
            batch_size=a.batch, load_size=round(a.size * 9 / 8), crop_size=a.size, ema=a.ema, max_grad_norm=1.0,
            checkpoint_every=max(1, a.steps // 5), keep_last=20, sample_every=0, tensorboard=False, progress=False,
        ).fit()  # fmt: skip
    return out


def study(a: argparse.Namespace) -> tuple[dict[str, Any], list[list[Image.Image]]]:
    """Train and measure: settings, and task -> answer -> metric -> a figure for each seed; two rows of images each.

    A row is of the first seed: damaged, the three answers, the photograph.
    """
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    rows = []
    for seed in range(a.seeds):
        one = trained(a, TASKS, len(TASKS) * a.steps, seed)
        for task in a.only:
            models = {
                DAMAGED: "copy-input",
                FOUR: trained(a, (task,), a.steps, seed) / "model",
                ONE: one / "checkpoints" / f"step-{a.steps:08d}",
                LONG: one / "model",
            }
            data = {"name": "restoration", "root": a.data, "tasks": [task], "domains": ["damaged", "photo"]}
            comparison = i2izoo.compare(
                models, data, metrics=a.metrics, to="photo", size=a.size, limit=a.limit, costs=False,
                out=a.out / "evaluation" / f"{task}-{seed}",
            )  # fmt: skip
            for result in comparison.results:
                add_scores(found.setdefault(task, {}).setdefault(result.model, {}), result.scores)
            if seed == 0:
                shown = [comparison.results[0].names[len(comparison.results[0].names) * third // 3] for third in (1, 2)]
                folders = [Path(f) for f in (*(r.images for r in comparison.results), comparison.truths) if f]
                rows += [[Image.open(folder / f"{name}.png").convert("RGB") for folder in folders] for name in shown]
    names = ("size", "width", "batch", "steps", "seeds", "sampling_steps", "limit", "metrics")
    return {"settings": {name: getattr(a, name) for name in names}, "tasks": found}, rows


def tables(found: dict[str, Any]) -> str:
    """Markdown: for each task a table of means over seeds, ± half of their 95 % interval."""
    parts = []
    for task, answers in found["tasks"].items():
        metrics = list(answers[FOUR])
        paper = ["paper: FID / PD"] if task in PAPER else []
        rows = [
            [
                answer,
                *(cell(answers[answer].get(m), DIGITS.get(m, 3)) for m in metrics),
                *(PAPER[task].get(answer, "-") for _ in paper),
            ]
            for answer in (DAMAGED, FOUR, ONE, LONG)
        ]
        parts += [f"### {task}", table(["Answer", *(f"`{m}`" for m in metrics), *paper], rows)]
    return "\n\n".join(parts)


ABOUT: dict[str, tuple[type, str]] = {
    "data": (str, "facades in the pix2pix layout, with train/ and val/; default: drawn, all tiny"),
    "out": (Path, "folder of the study"),
    "steps": (int, "budget of a model of one task"),
    "seeds": (int, "runs of each kind"),
    "size": (int, "side in pixels, a multiple of 8"),
    "width": (int, "channels at full size, a multiple of 8"),
    "batch": (int, "images in a step"),
    "learning_rate": (float, "of Adam"),
    "limit": (int, "held-out images"),
}
USUAL: dict[str, Any] = {
    "out": Path("out/palette"), "steps": 500, "seeds": 2, "size": 32, "width": 16, "batch": 8, "ema": 0.99,
    "learning_rate": 1e-3, "limit": 100, "sampling_steps": 10,
    "metrics": ["psnr", "ssim", "fid[efficientnet_lite0]", "perceptual_distance[efficientnet_lite0]"],
}  # fmt: skip
TINY: dict[str, Any] = {
    "out": Path("out/tiny-palette"), "steps": 1, "seeds": 1, "size": 16, "width": 8, "batch": 2, "limit": 3,
    "sampling_steps": 1, "metrics": ["psnr", "perceptual_distance[pixels]"],
}  # fmt: skip


def settings(words: list[str] | None = None) -> argparse.Namespace:
    """The settings, and the facades, which are drawn where none are named."""
    a = parse(__doc__, USUAL, TINY, ABOUT, TASKS, words)
    drawn = {"name": "synthetic-facades", "count": 4, "size": 32}
    a.data = {"name": "facades", "root": a.data} if a.data else drawn
    return a


def main() -> None:
    a = settings()
    found, rows = study(a)
    write(a.out, found, tables(found))
    grid(rows).save(a.out / "samples.png")
    print(tables(found))


if __name__ == "__main__":
    main()
