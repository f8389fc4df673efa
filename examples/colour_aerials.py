"""Colours for old aerial photographs, the study repeated small: pix2pix, CycleGAN, CUT and FastCUT, and what is varied.

python examples/colour_aerials.py --data ./aerial --scans ./aerial-historical --out out/aerials

Paired methods learn from grey copies of the colour photographs, unpaired ones from the scans and the colour
photographs. All have one budget, and all are judged on held-out grey copies and on held-out scans. Written after each
run are study.json and tables.md, in the end figure.svg and samples.png. A second call goes on where the first was
stopped, and more --seeds add to what is there. Without --data some of it runs, tiny and drawn, and takes seconds.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from study import add_scores, cell, parse, table, write

import i2izoo
from i2izoo.evaluation.comparison import load_comparison
from i2izoo.evaluation.statistics import student_interval
from i2izoo.images.writing import grid, save
from i2izoo.sweeps.spec import folder_of

DOMAINS = ["grey", "colour"]
GREY = "left grey"
WIDE = "ngf 128 ndf 32"
RUNS: dict[str, dict[str, Any]] = {  # in the order in which they are trained; beside what `method` adds
    "pix2pix": {"name": "pix2pix", "generator": "unet"},
    "pix2pix ResNet": {"name": "pix2pix", "generator": "resnet"},
    "pix2pix Lab": {"name": "colorization", "generator": "unet"},
    f"pix2pix {WIDE}": {"name": "pix2pix", "generator": "unet"},
    "FastCUT": {"name": "fastcut", "gan_loss": "lsgan"},
    "CUT": {"name": "cut", "gan_loss": "lsgan"},
    "CycleGAN": {"name": "cyclegan"},
    "FastCUT vanilla": {"name": "fastcut", "gan_loss": "vanilla"},
    "FastCUT WGAN-GP": {"name": "fastcut", "gan_loss": "wgangp"},
    f"CycleGAN {WIDE}": {"name": "cyclegan"},
    "pix2pix with z at the input": {"name": "cgan", "latent_at": "input"},
    "pix2pix with z at all levels": {"name": "cgan", "latent_at": "all"},
    "pix2pix with z at the bottleneck": {"name": "cgan", "latent_at": "bottleneck"},
    f"FastCUT {WIDE}": {"name": "fastcut", "gan_loss": "lsgan"},
    f"CUT {WIDE}": {"name": "cut", "gan_loss": "lsgan"},
    "CUT vanilla": {"name": "cut", "gan_loss": "vanilla"},
    "CUT WGAN-GP": {"name": "cut", "gan_loss": "wgangp"},
}
STUDY = {  # FID of the study that is repeated: grey copies, old photographs
    "pix2pix": (48.58, 139.49),
    "pix2pix ResNet": (46.96, 132.90),
    "pix2pix Lab": (43.11, 138.11),
    f"pix2pix {WIDE}": (47.80, 145.70),
    "FastCUT": (97.03, 157.04),
    "FastCUT vanilla": (165.26, 176.55),
    "FastCUT WGAN-GP": (234.15, 331.52),
    "CUT": (145.99, 163.55),
    "CycleGAN": (169.50, 144.24),
    f"CycleGAN {WIDE}": (145.09, 128.49),
}
COMPARED = {  # what the study varies: one run against another
    "ResNet, not U-Net": ("pix2pix ResNet", "pix2pix"),
    "a\\*b\\* beside the lightness, not RGB": ("pix2pix Lab", "pix2pix"),
    f"pix2pix of {WIDE}": (f"pix2pix {WIDE}", "pix2pix"),
    f"CycleGAN of {WIDE}": (f"CycleGAN {WIDE}", "CycleGAN"),
    "FastCUT, not CUT": ("FastCUT", "CUT"),
    "FastCUT, not CycleGAN": ("FastCUT", "CycleGAN"),
    "vanilla, not LSGAN, in FastCUT": ("FastCUT vanilla", "FastCUT"),
    "WGAN-GP, not LSGAN, in FastCUT": ("FastCUT WGAN-GP", "FastCUT"),
    "pairs (pix2pix), not FastCUT": ("pix2pix", "FastCUT"),
    "pairs (pix2pix), not CycleGAN": ("pix2pix", "CycleGAN"),
}
INPUTS = {"copies": "Grey copies of colour photographs", "scans": "Scans of 1936 to 1942"}
DIGITS = {"fid": 1, "delta_e2000": 2, "psnr": 2, "inception_score": 2, "pixel_diversity": 2}


def paired(run: str) -> bool:
    """Does it learn from pairs?"""
    return run.startswith("pix2pix")


def method(run: str, a: argparse.Namespace) -> dict[str, Any]:
    """A run's method: networks of `a.width` channels where the study has 64, for crops of `a.crop`."""
    chosen = dict(RUNS[run])
    ngf, ndf = (2 * a.width, a.width // 2) if run.endswith(WIDE) else (a.width, a.width)
    unet = {"name": "unet_256", "width": ngf, "depth": a.crop.bit_length() - 2}
    resnet = {"name": "resnet_6blocks", "width": ngf, "blocks": a.blocks}
    discriminator = {"name": "patchgan", "width": ndf, "layers": 2}
    own: dict[str, Any] = {"generator": resnet, "discriminator": discriminator, "learning_rate": a.learning_rate}
    if "latent_at" in chosen:  # a latent in place of dropout as the noise of pix2pix
        own["generator"] = {**unet, "norm": "instance", "dropout": 0.0, "latent_at": chosen.pop("latent_at")}
        own["reconstruction_weight"] = 100.0
    elif paired(run):
        own["generator"] = unet if chosen.pop("generator") == "unet" else resnet
        own["discriminator"] = {**discriminator, "norm": "batch"}
    elif "cut" in chosen["name"]:
        own |= {"layers": ["down1", "down2", f"block{a.blocks}"], "patches": a.patches, "projection": a.patches}
    if chosen["name"] == "colorization":
        return {**chosen, "domains": DOMAINS, "base": {"name": "pix2pix", **own}}
    return {**chosen, "domains": DOMAINS, **own}


def data(a: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Pairs of the colour photographs and their grey copies; scans and colour photographs, unpaired."""
    both = a.out / "data"
    for split in ("train", "val"):
        (both / split).mkdir(parents=True, exist_ok=True)
        for domain, folder in zip(DOMAINS, (a.scans, a.data), strict=True):
            if not (both / split / domain).exists():
                (both / split / domain).symlink_to((folder / split).resolve(), target_is_directory=True)
    copies = {"name": "colorization", "root": str(a.data), "domains": DOMAINS, "channels": 3}
    return copies, {"root": str(both), "domains": DOMAINS, "kind": "unpaired", "channels": 3}


def study(a: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Train and measure, one run after the other: settings, and input -> run -> metric -> a figure for each seed."""
    copies, scans = data(a)
    names = ("size", "crop", "width", "blocks", "batch", "steps", "learning_rate", "limit")
    settings = {name: getattr(a, name) for name in names}
    done: dict[int, dict[str, Any]] = {}
    for seed in range(a.seeds):
        for run in a.only:
            done.setdefault(seed, {})[run] = trained(a, run, seed, copies if paired(run) else scans)
            yield {"settings": settings, "figures": measured(a, done, copies, scans)}


def trained(a: argparse.Namespace, run: str, seed: int, images: dict[str, Any]) -> Path:
    """Train one run, or go on with it; the folder of its model."""
    folder = a.out / "runs" / folder_of(f"{run},seed={seed}")
    model = folder / "model"
    if not model.exists() or i2izoo.load(model).config["provenance"]["steps"] < a.steps:
        print(f"{run}, seed {seed}", flush=True)
        shutil.rmtree(model, ignore_errors=True)  # of fewer steps
        i2izoo.Trainer(
            method(run, a), images, out=folder, resume="auto", seed=seed, steps=a.steps, batch_size=a.batch,
            load_size=a.size, crop_size=a.crop, precision=a.precision, checkpoint_every=max(1, a.steps // 4),
            keep_last=1, sample_every=0, tensorboard=False, progress=False,
        ).fit()  # fmt: skip
    return model


def measured(
    a: argparse.Namespace, done: dict[int, dict[str, Any]], copies: dict[str, Any], scans: dict[str, Any]
) -> dict[str, dict[str, dict[str, list[float]]]]:
    """The figures of what is trained; what was measured before is not measured again."""
    found: dict[str, dict[str, dict[str, list[float]]]] = {name: {} for name in INPUTS}
    for seed, models in done.items():
        for name, images in (("copies", copies), ("scans", scans)):
            asked = a.metrics if name == "copies" else [m for m in a.metrics if m not in ("delta_e2000", "psnr")]
            comparison = i2izoo.compare(
                {**models, GREY: "copy-input"}, i2izoo.open_dataset(images, split="val"), to="colour", metrics=asked,
                size=a.size, limit=a.limit, out=a.out / "evaluation" / f"{name}-{seed}",
            )  # fmt: skip
            for result in comparison.results:
                add_scores(found[name].setdefault(result.model, {}), result.scores)
        if noisy := {run: model for run, model in models.items() if RUNS[run]["name"] == "cgan"}:
            comparison = i2izoo.compare(
                noisy, i2izoo.open_dataset(copies, split="val"), to="colour", metrics=["pixel_diversity"], samples=2,
                size=a.size, limit=a.limit, out=a.out / "evaluation" / f"diversity-{seed}",
            )  # fmt: skip
            for result in comparison.results:
                add_scores(found["copies"][result.model], result.scores)
    return found


def tables(found: dict[str, Any]) -> str:
    """Markdown: for each kind of input a table of means over seeds, ± half of their 95 % interval."""
    parts = []
    for place, (name, title) in enumerate(INPUTS.items()):
        runs = found["figures"][name]
        metrics = list(dict.fromkeys(m for run in (GREY, *RUNS) for m in runs.get(run, {})))
        rows = [
            [
                run,
                *(cell(runs[run].get(m), DIGITS.get(m, 3)) for m in metrics),
                f"{STUDY[run][place]:.2f}" if run in STUDY else "-",
            ]
            for run in (GREY, *RUNS)
            if run in runs
        ]
        parts += [f"### {title}", table(["Run", *(f"`{m}`" for m in metrics), "the study's FID"], rows)]
    return "\n\n".join([*parts, "### What each change does to FID", findings(found["figures"])])


def findings(figures: dict[str, dict[str, dict[str, list[float]]]]) -> str:
    """Markdown: by how much each change lowers or raises FID in the study and here, and whether that is the same.

    It is where Student's 95 % interval of the difference over seeds is on one side of 0.
    """
    rows = []
    for change, (run, other) in COMPARED.items():
        cells = []
        for place, name in enumerate(INPUTS):
            there = STUDY[run][place] - STUDY[other][place]
            both = [figures[name].get(one, {}).get("fid", []) for one in (run, other)]
            here = [one - two for one, two in zip(*both, strict=False)]
            cells += [f"{there:+.1f}", *verdict(there, here)]
        rows.append([change, *cells])
    head = [f"{name}: {what}" for name in INPUTS for what in ("study", "here", "so")]
    return table(["FID by", *head], rows)


def verdict(there: float, here: list[float]) -> tuple[str, str]:
    """The mean of the differences here with its interval, and whether they say what the study's says.

    >>> verdict(-5.0, [-3.0, -3.2, -2.9]), verdict(-5.0, [1.0]), verdict(-5.0, [])
    (('-3.0 ± 0.4', 'holds'), ('+1.0', 'open: one seed'), ('-', 'not run'))
    """
    if not here:
        return "-", "not run"
    low, high = student_interval(here)
    mean = f"{statistics.mean(here):+.1f}"
    if low is None or high is None:
        return mean, "open: one seed"
    said = "open" if low <= 0 <= high else "holds" if (low < 0) == (there < 0) else "the opposite"
    return f"{mean} ± {(high - low) / 2:.1f}", said


def figure(found: dict[str, Any], path: Path) -> None:
    """The study's FID to the right and this one's upwards, for each kind of input: along a rising line, they agree."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(9, 4), layout="constrained")
    for place, (axes, (name, title)) in enumerate(zip(drawn.subplots(1, 2), INPUTS.items(), strict=True)):
        for run, figures in found["figures"][name].items():
            if run in STUDY and (values := figures.get("fid")):
                x = STUDY[run][place]
                dots = axes.plot([x] * len(values), values, ".", alpha=0.4)[0]
                axes.plot(x, statistics.mean(values), "o", color=dots.get_color())
                axes.annotate(f" {run}", (x, statistics.mean(values)), fontsize=7)
        axes.margins(x=0.4)
        axes.set(title=title, xlabel="FID in the study", ylabel="FID here")
    drawn.savefig(path)


def sheet(a: argparse.Namespace) -> Image.Image:
    """Two grey copies and two scans as each run of the first seed colours them; the true colours last."""
    rows = []
    for name in INPUTS:
        found = load_comparison(a.out / "evaluation" / f"{name}-0")
        images = {result.model: result.images for result in found.results}
        folders = [Path(f) for f in (found.inputs, *(images[run] for run in a.only), found.truths) if f]
        names = found.results[0].names
        for shown in (names[len(names) // 3], names[2 * len(names) // 3]):
            rows.append([Image.open(folder / f"{shown}.png").convert("RGB") for folder in folders])
    return grid(rows)


def drawn(out: Path) -> tuple[Path, Path]:
    """Folders of drawn colour images and of grey ones, with the splits train and val."""
    for split in ("train", "val"):
        images = i2izoo.open_dataset({"name": "synthetic-facades", "count": 4, "size": 32}, split=split)
        for index in range(len(images)):
            photo = images.sample(index, None)["photo"]
            save(photo, out / "colour" / split / f"{index}.png")
            save(photo.mean(0, keepdim=True), out / "scans" / split / f"{index}.png")
    return out / "colour", out / "scans"


ABOUT: dict[str, tuple[type, str]] = {
    "data": (Path, "colour photographs, with train/ and val/; default: drawn, and all tiny"),
    "scans": (Path, "grey photographs, with train/ and val/"),
    "out": (Path, "folder of the study"),
    "steps": (int, "budget of each run"),
    "seeds": (int, "runs of each kind"),
    "size": (int, "side of an image in pixels"),
    "crop": (int, "side of what is learned from at once, a power of two"),
    "width": (int, "channels where the study has 64"),
    "batch": (int, "crops in a step"),
    "learning_rate": (float, "of Adam"),
    "limit": (int, "held-out images of each kind; default: all"),
    "precision": (str, "fp32 or bf16"),
}
USUAL: dict[str, Any] = {
    "out": Path("out/aerials"), "steps": 800, "seeds": 3, "size": 64, "crop": 32, "width": 16, "blocks": 3, "batch": 8,
    "patches": 64, "learning_rate": 1e-3, "limit": None, "precision": "bf16",
    "metrics": ["fid[efficientnet_lite0]", "inception_score[efficientnet_lite0]", "delta_e2000", "psnr"],
}  # fmt: skip
TINY: dict[str, Any] = {
    "out": Path("out/tiny-aerials"), "steps": 1, "seeds": 1, "size": 32, "crop": 16, "width": 2, "blocks": 1,
    "batch": 2, "patches": 4, "limit": 2, "precision": "fp32", "metrics": ["kid[pixels]", "delta_e2000", "psnr"],
    "only": ["pix2pix Lab", "pix2pix with z at the bottleneck", "FastCUT WGAN-GP", "CycleGAN"],
}  # fmt: skip


def settings(words: list[str] | None = None) -> argparse.Namespace:
    """The settings, and the folders of the images, which are drawn where none are named."""
    a = parse(__doc__, USUAL, TINY, ABOUT, RUNS, words)
    if a.data is None:
        a.data, a.scans = drawn(a.out / "drawn")
    return a


def main() -> None:
    a = settings()
    for found in study(a):
        write(a.out, found, tables(found))
        figure(found, a.out / "figure.svg")
    sheet(a).save(a.out / "samples.png")
    print(tables(found))


if __name__ == "__main__":
    main()
