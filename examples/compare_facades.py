"""The facades study: CVAE, CGAN, Pix2Pix with two losses, CycleGAN and DDIM in one table, beside the study's figures.

python examples/compare_facades.py --data ./facades --out out/study --minutes 50

Models that come with the package are taken as they are; the others are trained for the budget, from the study's 2,400
crops. All are measured at the size they learned at, on images that they learned from and on images held out.
Written are study.md, and SPLIT-SIZE/report.html for each split and size. A second call goes on where the first was
stopped, and trains and measures nothing twice. Without --data all is tiny, on drawn facades, and takes seconds.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any, Literal

import torch

import i2izoo
from i2izoo.contracts.dataset import Dataset
from i2izoo.evaluation.result import Comparison, Result

SPLITS = {"train": "learned from", "val": "held out"}
METRICS = "psnr,ssim,fid,kid,lpips,fid[segmenter],kid[segmenter],fcn_score"

# model: (method, bundled entry, PSNR and SSIM in the study)
STUDY = {
    "CVAE": ("cvae", "cvae-facades", 14.387, 0.300),
    "CGAN": ("cgan", "cgan-facades", 7.492, 0.124),
    "Pix2Pix BCE + L1": ("pix2pix", "pix2pix-facades", 13.675, 0.228),
    "Pix2Pix L2 + L1": ("pix2pix", "pix2pix-l2-facades", 23.725, 0.588),
    "CycleGAN": ("cyclegan", "cyclegan-facades", 9.812, 0.055),
    "DDIM": ("ddim", "ddim-facades", 2.346, -0.004),
}


def options(name: str, size: int, width: int) -> dict[str, Any]:
    """The options of a model that is trained here: small networks for images of size x size."""
    unet = {"name": "unet_256", "depth": size.bit_length() - 1, "width": width, "norm": "instance", "dropout": 0.0}
    patchgan = {"name": "patchgan", "width": width, "norm": "instance", "layers": 3 if size > 32 else 2}
    pix2pix: dict[str, Any] = {"generator": unet | {"max_width": 8 * width}, "discriminator": patchgan}
    methods: dict[str, dict[str, Any]] = {
        "CVAE": {
            "generator": unet | {"latent_at": "all", "max_width": 4 * width},
            "encoder": {"name": "resnet_encoder", "width": width, "blocks": 3},
            "posterior": "target", "reduction": "mean", "beta": 0.001,
        },
        "CGAN": {"generator": unet | {"latent_at": "input", "max_width": 4 * width}, "discriminator": patchgan},
        # "BCE" and "L2" are how the discriminator's answers are scored: binary cross-entropy, as in the paper, or
        # squared distance, as in LSGAN. The L1 distance to the photograph has the weight 100 in both.
        "Pix2Pix BCE + L1": pix2pix | {"gan_loss": "vanilla"},
        "Pix2Pix L2 + L1": pix2pix | {"gan_loss": "lsgan"},
        "CycleGAN": {
            "generator": {"name": "resnet_6blocks", "width": width}, "discriminator": patchgan, "identity_weight": 0.0,
        },
        "DDIM": {
            "generator": {
                "name": "unet2d", "channels": [width, 2 * width, 3 * width, 4 * width], "attention": [3], "layers": 1,
                "norm_groups": 8,
            },
            "prediction": "v_prediction", "sampling_steps": 20, "learning_rate": 3e-4,
        },
    }  # fmt: skip
    return methods[name]


class SixCrops(Dataset):
    """The study's augmentation: six crops of each image, drawn once and kept, so that 400 images are 2,400.

    Args:
        data: a dataset with a split "train": `{"name": ..., option: value}`.
        kind: "paired" or "unpaired".
        size: side of the crops in pixels; images are resized to 300/256 of it first.
    """

    title = "six fixed crops of each image"

    def __init__(self, *, data: dict[str, Any], kind: Literal["paired", "unpaired"], size: int) -> None:
        self.images = i2izoo.open_dataset(
            data, split="train", kind=kind, load_size=round(size * 300 / 256), crop_size=size
        )
        self.domains, self.kind = self.images.domains, kind

    def option(self, name: str) -> Any:
        return self.images.option(name)

    def __len__(self) -> int:
        return 6 * len(self.images)

    def sample(self, index: int, seed: int | None) -> dict[str, torch.Tensor]:
        return self.images.sample(index % len(self.images), None if seed is None else index)

    def name(self, index: int) -> str:
        return self.images.name(index % len(self.images))


def train(name: str, arguments: argparse.Namespace) -> Path:
    """Train a model for the budget, or go on with it; returns its folder."""
    run = arguments.out / "runs" / name
    if (run / "model").exists():
        return run / "model"
    size = min(arguments.size, 64) if name == "DDIM" else arguments.size
    data = SixCrops(data=arguments.data, kind="unpaired" if name == "CycleGAN" else "paired", size=size)

    def trainer(steps: int, **where: Any) -> i2izoo.Trainer:
        torch.manual_seed(0)  # the first weights
        model = i2izoo.create(STUDY[name][0], domains=["label", "photo"], **options(name, size, arguments.width))
        third = steps // 3
        return i2izoo.Trainer(
            model, data, steps=steps - third, decay_steps=third, batch_size=4 if name in ("CVAE", "DDIM") else 1,
            ema=0.999, checkpoint_every=max(1, steps // 12), keep_last=12, sample_every=max(1, steps // 12), **where,
        )  # fmt: skip

    if (run / "run.json").exists():  # it was begun with a budget, and keeps it
        begun = json.loads((run / "run.json").read_text(encoding="utf-8"))["training"]
        steps = begun["steps"] + begun["decay_steps"]
    else:
        steps = arguments.steps or round(60 * arguments.minutes * steps_per_second(trainer(100, progress=False)))
    print(f"{name}: {steps} steps at {size} x {size}", flush=True)
    trainer(steps, out=run, resume="auto").fit()
    return run / "model"


def steps_per_second(trainer: i2izoo.Trainer) -> float:
    """Measured on a trainer that is then thrown away."""
    trainer.train_step()
    start = time.perf_counter()
    for _ in range(10):
        trainer.train_step()
    trainer.loader.close()
    return 10 / (time.perf_counter() - start)


def compare(arguments: argparse.Namespace) -> dict[str, list[Comparison]]:
    """Split -> comparisons of the models that learned at one size, for each size, the largest first."""
    bundled = [] if arguments.train_all else i2izoo.list_models(pretrained=True)
    models = {
        name: i2izoo.load(STUDY[name][1] if STUDY[name][1] in bundled else train(name, arguments))
        for name in arguments.models
    }
    sizes = {name: model.config["provenance"]["crop_size"] for name, model in models.items()}
    return {
        split: [
            i2izoo.compare(
                {name: model for name, model in models.items() if sizes[name] == size},
                arguments.data, metrics=arguments.metrics.split(","), to="photo", split=split, size=size,
                limit=arguments.limit, out=arguments.out / f"{split}-{size}", costs=False, progress=True,
            )
            for size in sorted(set(sizes.values()), reverse=True)
        ]
        for split in SPLITS
    }  # fmt: skip


def table(comparisons: dict[str, list[Comparison]]) -> str:
    """Markdown: PSNR and SSIM beside the study's; then every other metric, learned from / held out."""
    learned, held_out = ({r.model: r for c in comparisons[split] for r in c.results} for split in SPLITS)
    labels = list(dict.fromkeys(label for r in held_out.values() for label in r.scores))
    lines = [
        "| Model | side (px) | PSNR (dB), learned from | held out | gap | in the study "
        "| SSIM, learned from | held out | gap | in the study |",
        "|---|" + "---:|" * 9,
    ]
    for name, (_, _, *reported) in STUDY.items():
        if name not in held_out:
            lines.append(f"| {name} | - | - | - | - | {reported[0]:.3f} | - | - | - | {reported[1]:.3f} |")
            continue
        cells = [name, str((held_out[name].protocol.size or [0])[0])]
        for metric, figure, digits in zip(("psnr", "ssim"), reported, (2, 3), strict=True):
            seen, unseen = value(learned[name], metric), value(held_out[name], metric)
            gap = None if seen is None or unseen is None else seen - unseen
            cells += [shown(seen, digits), shown(unseen, digits), shown(gap, digits, "+"), f"{figure:.3f}"]
        lines.append(f"| {' | '.join(cells)} |")
    computed = {label for r in held_out.values() for label in labels if value(r, label) is not None}
    others = [label for label in labels if label in computed - {"psnr", "ssim"}]
    if others:
        lines += ["", f"| Model | {' | '.join(f'`{m}`' for m in others)} |", "|---|" + "---:|" * len(others)]
        for name in held_out:
            figures = (" / ".join(shown(value(r[name], m), 3) for r in (learned, held_out)) for m in others)
            lines.append(f"| {name} | {' | '.join(figures)} |")
        for seen, unseen in zip(*comparisons.values(), strict=True):
            size, pair = (seen.protocol.size or [0])[0], (seen.results[0], unseen.results[0])
            figures = (" / ".join(shown(reference(result, m), 3) for result in pair) for m in others)
            lines.append(f"| *real photographs, {size} px* | {' | '.join(figures)} |")
        lines += ["", "Each figure: images learned from / images held out."]
    for label in labels:
        if label not in computed:
            why = dict.fromkeys(r.scores[label].reason or "" for r in held_out.values() if label in r.scores)
            lines += ["", f"`{label}` was not computed: {' '.join(why)}"]
    lines += [f"\n{r.model}: {r.problem}" for r in (*learned.values(), *held_out.values()) if r.problem]
    return "\n".join(lines) + "\n"


def value(result: Result, metric: str) -> float | None:
    """A score, if it could be computed."""
    return result.scores[metric].value if metric in result.scores else None


def reference(result: Result, metric: str) -> float | None:
    """The same score of the true images, of metrics that have one."""
    return result.scores[metric].reference if metric in result.scores else None


def shown(number: float | None, digits: int, sign: str = "") -> str:
    return "-" if number is None else f"{number:{sign}.{digits}f}"


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The settings; `words`: of the command line, None: its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="facades in the pix2pix layout, with train/ and val/; default: drawn, all tiny")
    parser.add_argument("--out", type=Path, help="folder for runs, comparisons and table (out/study)")
    parser.add_argument("--minutes", type=float, help="budget of each model that is trained (50)")
    parser.add_argument("--steps", type=int, help="the same in steps")
    parser.add_argument("--size", type=int, help="side of the crops in pixels, a power of two (128; DDIM 64 at most)")
    parser.add_argument("--width", type=int, help="channels of the networks at full size, a multiple of 8 (32)")
    parser.add_argument("--metrics", help=f"separated by commas ({METRICS})")
    parser.add_argument("--limit", type=int, help="measure on the first so many images of each split (100)")
    parser.add_argument("--models", help=f"separated by commas ({', '.join(STUDY)})")
    parser.add_argument("--train-all", action="store_true", help="train what comes with the package, too")
    given = {k: v for k, v in vars(parser.parse_args(words)).items() if v is not None}
    usual: dict[str, Any] = {
        "out": Path("out/study"),
        "minutes": 50.0,
        "steps": None,
        "size": 128,
        "width": 32,
        "limit": 100,
    }
    tiny = {"out": Path("out/tiny-study"), "steps": 2, "size": 32, "width": 8, "limit": 3, "metrics": "psnr,ssim"}
    found = usual | {"metrics": METRICS, "models": ",".join(STUDY)} | ({} if "data" in given else tiny) | given
    drawn = {"name": "synthetic-facades", "count": 4, "size": 64}
    found["data"] = {"name": "facades", "root": given["data"]} if "data" in given else drawn
    found["models"] = [name.strip() for name in found["models"].split(",")]
    if unknown := [name for name in found["models"] if name not in STUDY]:
        parser.error(f"there is no model {unknown[0]!r} in the study; it has {', '.join(STUDY)}")
    return argparse.Namespace(**found)


def main() -> None:
    arguments = parse()
    text = table(compare(arguments))
    (arguments.out / "study.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
