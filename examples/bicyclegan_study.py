"""BicycleGAN's study (Zhu et al. 2017, arXiv 1711.11586): which loss, which encoder, where z enters, how long it is.

python examples/bicyclegan_study.py --data ./facades --out out/bicyclegan --steps 400

Realism is the distance of translations to real photographs and what a segmenter reads in them, diversity the distance
of samples of one label map, and the reconstruction loss the mean absolute difference of B and G(A, E(B)). All runs have
one budget. Written are study.json, tables.md, figure.svg and samples.png. A second call goes on where the first was
stopped; more --steps or --seeds add to what is there. Without --data all is tiny and drawn, and takes seconds.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

import torch
from study import add_scores, cell, parse, table, write

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.images.writing import grid
from i2izoo.sweeps.spec import folder_of

BICYCLE = "BicycleGAN"
RUNS: dict[str, dict[str, Any]] = {  # beside the common options below; the encoder is a ResNet, z has 8 numbers
    "pix2pix + noise": {"method": "cgan", "gan_loss": "lsgan", "conditional": False, "reconstruction_weight": 10},
    "cVAE-GAN": {"method": "cvae_gan"},
    "cLR-GAN": {"method": "clr_gan"},
    BICYCLE: {"method": "bicyclegan"},
    "CNN encoder": {"method": "bicyclegan", "encoder": "cnn_encoder"},
    "z at the input": {"method": "bicyclegan", "generator.latent_at": "input"},
    "CNN encoder and z at the input": {
        "method": "bicyclegan", "encoder": "cnn_encoder", "generator.latent_at": "input",
    },
    "z of 2": {"method": "bicyclegan", "latent": 2},
    "z of 256": {"method": "bicyclegan", "latent": 256},
}  # fmt: skip

DIVERSITY = ("perceptual_diversity", "pixel_diversity")
REALISM = ("fid", "kid", "fcn_score.pixel_accuracy", "fcn_score.class_iou", *DIVERSITY, "reconstruction")
TABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # title: its rows and columns
    "Methods": (("pix2pix + noise", "cVAE-GAN", "cLR-GAN", BICYCLE), REALISM),
    "Encoders, and where z enters": (
        (BICYCLE, "z at the input", "CNN encoder", "CNN encoder and z at the input"), ("reconstruction", *DIVERSITY),
    ),
    "Length of z": (("z of 2", BICYCLE, "z of 256"), REALISM),
}  # fmt: skip
PAPER = {  # table 1 of the paper, maps to satellite photographs at 256 x 256: share of fooled people (%), LPIPS
    "pix2pix + noise": "27.93 / 0.013",
    "cVAE-GAN": "24.93 / 0.096",
    "cLR-GAN": "29.23 / 0.090",
    BICYCLE: "34.33 / 0.110",
}
DIGITS = {"fid": 1, "pixel_diversity": 1}
LITE = {"features": "efficientnet_lite0"}


def spec(a: argparse.Namespace) -> dict[str, Any]:
    """The sweep. Sides and widths are small: the paper has 256 pixels and a width of 64."""
    halvings = a.size.bit_length() - 1
    unet = {"name": "unet_256", "depth": halvings - 1, "width": a.width, "max_width": 4 * a.width, "norm": "instance",
            "dropout": 0.0, "latent_at": "all", "upsample": "bilinear"}  # fmt: skip
    encoders = {
        "resnet_encoder": {"name": "resnet_encoder", "width": a.width, "blocks": max(1, halvings - 4)},
        "cnn_encoder": {"name": "cnn_encoder", "width": a.width, "layers": max(2, halvings - 3)},
    }  # both end at 8 x 8, as the paper's
    runs = []
    for name in a.only:
        run = {"name": name, **RUNS[name]}
        if run["method"] != "cgan":
            run["encoder"] = encoders[run.get("encoder", "resnet_encoder")]
        runs.append(run)
    length = {"steps": a.steps} if a.minutes is None else {"minutes": a.minutes}
    return {
        "to": "photo", "size": a.size, "samples": a.samples, "limit": a.limit,
        "metrics": [{"name": name, **options} for name, options in a.metrics.items()],
        "runs": runs, "seeds": list(range(a.seeds)),
        "options": {
            "generator": unet, "discriminator": {"name": "multiscale", "width": a.width, "layers": 2},
            "latent": 8, "init": "xavier", "init_gain": 1.0, "learning_rate": a.learning_rate,
            "batch_size": a.batch, "load_size": round(a.size * 286 / 256), "crop_size": a.size, "ema": 0.99,
            "channels_last": True, "sample_every": 0, "tensorboard": False, "checkpoint_every": 200, "keep_last": 1,
            **length,
        },
    }  # fmt: skip


def study(a: argparse.Namespace) -> dict[str, Any]:
    """Train and measure: settings, and for each run the figures of each seed."""
    found = i2izoo.sweep(spec(a), a.data, out=a.out, progress=True)
    results = {result.model: result for result in found.comparison.results} if found.comparison else {}
    images = i2izoo.open_dataset(a.data, split="val", crop_size=a.size)
    pairs = [images.sample(index, None) for index in range(min(len(images), a.limit or len(images)))]
    runs: dict[str, dict[str, list[float]]] = {}
    for row in found.rows:
        figures = runs.setdefault(row.name, {})
        for name in (name for name in row.runs if name not in row.problems):
            add_scores(figures, results[name].scores)
            model = i2izoo.load(a.out / "runs" / folder_of(name) / "model")
            if hasattr(model.method, "encoder"):
                figures.setdefault("reconstruction", []).append(reconstruction(model, pairs))
    real = {label: s.reference for label, s in next(iter(results.values())).scores.items() if s.reference is not None}
    photos = torch.stack([pair["photo"] for pair in pairs])[None]
    for name in (name for name in DIVERSITY if name in a.metrics):
        diversity = registry("metrics").build({"name": name, **a.metrics[name]})
        diversity.prepare(torch.device("cpu"))
        real[name] = diversity.update(samples=photos).item()
    names = ("size", "width", "batch", "steps", "minutes", "seeds", "samples", "learning_rate")
    settings = {**{name: getattr(a, name) for name in names}, "images": len(pairs)}
    return {"settings": settings, "real photographs": real, "runs": runs}


@torch.inference_mode()
def reconstruction(model: i2izoo.Translator, pairs: list[dict[str, torch.Tensor]]) -> float:
    """Mean of |B - G(A, E(B))| over pairs (A, B), of values in [-1, 1]."""
    return statistics.mean((model(p["label"], style=p["photo"]) - p["photo"]).abs().mean().item() for p in pairs)


def tables(found: dict[str, Any]) -> str:
    """Markdown: for each question a table of means over seeds, ± half of their 95 % interval."""
    parts = []
    for title, (rows, metrics) in TABLES.items():
        runs = {run: figures for run in rows if (figures := found["runs"].get(run))}
        shown = [m for m in metrics if any(m in figures for figures in runs.values())]
        paper = ["paper: fooled (%) / LPIPS"] if title == "Methods" else []
        if title == "Methods":
            runs["*real photographs*"] = {m: [value] for m, value in found["real photographs"].items()}
        lines = [
            [run, *(cell(figures.get(m), DIGITS.get(m, 3)) for m in shown), *(PAPER.get(run, "-") for _ in paper)]
            for run, figures in runs.items()
        ]
        parts += [f"### {title}", table(["Run", *(f"`{m}`" for m in shown), *paper], lines)] if shown else []
    return "\n\n".join(parts)


def figure(found: dict[str, Any], path: Path) -> None:
    """Realism against diversity: a dot for each seed, the mean of each run with its name."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(7, 4), layout="constrained")
    axes = drawn.subplots()
    realism = "fid" if any("fid" in figures for figures in found["runs"].values()) else "kid"
    for run, figures in found["runs"].items():
        if realism not in figures:
            continue
        x, y = figures["perceptual_diversity"], figures[realism]
        dots = axes.plot(x, y, ".", alpha=0.4)[0]
        axes.plot(statistics.mean(x), statistics.mean(y), "o", color=dots.get_color())
        axes.annotate(f" {run}", (statistics.mean(x), statistics.mean(y)), fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel="diversity of samples → more", ylabel=f"{realism.upper()} → better upwards")
    drawn.savefig(path)


def sheet(a: argparse.Namespace, columns: int = 6) -> None:
    """Samples of one label map: a row for each run of the first seed; label map first, photograph last."""
    images = i2izoo.open_dataset(a.data, split="val", crop_size=a.size)
    pair = images.sample(min(4, len(images) - 1), None)
    rows = [
        [pair["label"], *i2izoo.load(folder / "model")(pair["label"], samples=columns, seed=1), pair["photo"]]
        for folder in (a.out / "runs" / folder_of(f"{name},seed=0") for name in a.only)
    ]
    grid(rows).save(a.out / "samples.png")


ABOUT: dict[str, tuple[type, str]] = {
    "data": (str, "facades in the pix2pix layout, with train/ and val/; default: drawn, all tiny"),
    "out": (Path, "folder of the study"),
    "steps": (int, "budget of each run"),
    "minutes": (float, "the same as time"),
    "seeds": (int, "runs of each kind"),
    "size": (int, "side in pixels, a power of two"),
    "width": (int, "channels of the networks at full size"),
    "batch": (int, "pairs in a step"),
    "learning_rate": (float, "of Adam; the paper's 2e-4 is for 400 epochs"),
    "limit": (int, "held-out images"),
    "samples": (int, "of each image"),
}
USUAL: dict[str, Any] = {
    "out": Path("out/bicyclegan"), "steps": 400, "minutes": None, "seeds": 3, "size": 64, "width": 16, "batch": 4,
    "learning_rate": 1e-3, "limit": 100, "samples": 4,
    "metrics": {
        "fid": LITE, "kid": LITE, "perceptual_diversity": LITE, "pixel_diversity": {}, "fcn_score": {"size": 128},
    },
}  # fmt: skip
TINY: dict[str, Any] = {
    "out": Path("out/tiny-bicyclegan"), "steps": 1, "seeds": 1, "size": 32, "width": 2, "limit": 2, "samples": 2,
    "metrics": {
        "kid": {"features": "pixels"},
        "perceptual_diversity": {"features": {"name": "efficientnet_lite0", "side": 32}}, "pixel_diversity": {},
    },
}  # fmt: skip


def settings(words: list[str] | None = None) -> argparse.Namespace:
    """The settings, and the facades, which are drawn where none are named."""
    a = parse(__doc__, USUAL, TINY, ABOUT, RUNS, words)
    drawn = {"name": "synthetic-facades", "count": 4, "size": 64}
    a.data = {"name": "facades", "root": a.data} if a.data else drawn
    return a


def main() -> None:
    a = settings()
    found = study(a)
    write(a.out, found, tables(found))
    figure(found, a.out / "figure.svg")
    sheet(a)
    print(tables(found))


if __name__ == "__main__":
    main()
