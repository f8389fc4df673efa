"""Which figure that wants no pairs finds the seeds that keep light light, after a few steps? With the paired truth.

    python examples/screen_seeds_study.py --data ./facades --out out/screening
    python examples/screen_seeds_study.py --data ./maps --dataset maps --out out/screening-maps

CycleGAN between the label maps and the photographs of the facades, or of the maps, at 64 x 64, from ten seeds. What
each gives for the held-out images is kept as it trains, so a figure can be added without training again (`--tables`);
called again, the script goes on where it was. Without --data it does all of it in seconds, tiny and on drawn facades.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from i2izoo_metrics.palette import CMP, to_classes
from scipy.stats import spearmanr
from torch import Tensor

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.errors import MetricError
from i2izoo.evaluation.measuring import build
from i2izoo.files.writing import read_tensors, write_tensors, write_text
from i2izoo.images.writing import resize
from i2izoo.training.validation import undisturbed


class Pair(NamedTuple):
    """Photographs with label maps: the domains, and two classes that cover much and differ in brightness."""

    photo: str
    label: str
    palette: list[list[int]]
    dark: int
    light: int


PAIRS = {
    "facades": Pair("photo", "label", CMP, dark=2, light=1),  # window, wall
    "maps": Pair("aerial", "map", registry("datasets").get("maps").palettes["map"], dark=1, light=0),  # water, land
}
METRICS = [f"{m}[{f}]" for f in ("polarity", "segmenter", "efficientnet_lite0", "pixels") for m in ("fid", "kid")]
METRICS.remove("fid[pixels]")  # a covariance of 3072 x 3072
NETWORKS = {
    "generator": {"name": "unet_128", "width": 24, "max_width": 96, "depth": 6, "norm": "instance", "dropout": 0.0},
    "discriminator": {"name": "multiscale", "width": 32, "norm": "none"},
}
REFERENCES: dict[tuple[str, str], dict[str, Tensor]] = {}
"""What metrics keep of the real images of a domain."""
TINY = {
    "generator": {"name": "unet_128", "width": 4, "depth": 3, "norm": "instance"},
    "discriminator": {"name": "patchgan", "width": 4, "layers": 2, "norm": "none"},
}


def main() -> None:
    a = parse()
    items = a.held_out
    held_out = {domain: torch.stack([resize(item[domain], (a.size, a.size)) for item in items]) for domain in items[0]}
    if not a.tables:
        for until in a.checks[a.first :]:  # all seeds a little before any seed to the end
            for seed in range(a.seeds):
                train(a, seed, until, held_out)
    whole = torch.stack([item[a.pair.label] for item in items])
    classes = to_classes(whole, a.pair.palette, tolerance=1e9)[:, None].float()
    classes = torch.nn.functional.interpolate(classes, (a.size, a.size))[:, 0].long()
    place = a.out / "screening.json"
    found: dict[str, Any] = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else {}
    for path in sorted(a.out.glob("seed-*/*.safetensors")):
        figures = found.setdefault(path.stem, {}).setdefault(path.parent.name, {})
        if int(path.stem) in a.checks[a.first :]:
            judge(read_tensors(path), held_out, classes, figures, a)
            write_text(place, json.dumps(found, indent=1) + "\n")
    print(tables({step: found[step] for step in map(str, a.checks) if step in found}, a))


def train(a: argparse.Namespace, seed: int, until: int, held_out: dict[str, Tensor]) -> None:
    """Train one seed up to a step, keeping its translations at each of the checks."""
    folder = a.out / f"seed-{seed}"
    if (folder / f"{until}.safetensors").is_file():
        return
    method = {"name": "cyclegan", "identity_weight": 0.0, **a.networks}
    training = {"steps": a.checks[-1], "batch_size": a.batch, "load_size": a.size * 9 // 8, "crop_size": a.size}
    trainer = i2izoo.Trainer(
        method, a.data, to=a.pair.photo, seed=seed, out=folder, resume="auto", keep_last=1, progress=False, **training
    )
    while trainer.step < until:
        trainer.train_step()
        if trainer.step in a.checks:
            write_tensors(folder / f"{trainer.step}.safetensors", translations(trainer, held_out))
            trainer.save()
    trainer.loader.close()
    print(f"seed {seed}: {until} steps", flush=True)


def translations(trainer: i2izoo.Trainer, held_out: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of the held-out images to both domains, in 8 bits; the training goes on as if there had been none."""
    found = {}
    with undisturbed(trainer.method, 0):
        for to, source in trainer.model.directions.items():
            images = torch.stack(trainer.model(list(held_out[source]), to=to, batch_size=20))
            found[to] = ((images + 1) * 127.5).round().clamp(0, 255).byte()
    return found


def judge(
    made: dict[str, Tensor],
    real: dict[str, Tensor],
    classes: Tensor,
    figures: dict[str, Any],
    a: argparse.Namespace,
) -> None:
    """Add what is missing to the figures of one seed at one step."""
    images = {domain: image.float() / 127.5 - 1 for domain, image in made.items()}
    figures.update(truth(images, real, classes, a.pair))
    for domain in (a.pair.photo, a.pair.label):
        if missing := [metric for metric in a.metrics if f"{metric}_{domain}" not in figures]:
            found = distances(missing, images[domain], domain, real[domain])
            figures.update({f"{metric}_{domain}": value for metric, value in found.items()})


def truth(images: dict[str, Tensor], real: dict[str, Tensor], classes: Tensor, pair: Pair) -> dict[str, float]:
    """What pairs say: whether the classes that are light are those that are light in the photographs."""
    there = [k for k in range(len(pair.palette)) if (classes == k).any()]
    found, true = (contrasts(one[pair.photo], classes, there) for one in (images, real))
    area = torch.stack([(classes == k).float().mean() for k in there])
    error = (images[pair.photo] - real[pair.photo]).square().mean(dim=(1, 2, 3))
    labels = to_classes(images[pair.label], pair.palette, tolerance=1e9)
    light = images[pair.photo].mean(dim=1)
    return {
        "contrast_correlation": torch.corrcoef(torch.stack([found, true]))[0, 1].item(),
        "right_sign_share": area[found.sign() == true.sign()].sum().item(),
        "dark_less_light": (light[classes == pair.dark].mean() - light[classes == pair.light].mean()).item(),
        "psnr": (10 * torch.log10(4 / error)).mean().item(),
        "label_accuracy": (labels == classes).float().mean().item(),
    }


def contrasts(photos: Tensor, classes: Tensor, there: list[int]) -> Tensor:
    """Mean brightness of each class, less that of all."""
    light = photos.mean(dim=1)
    return torch.stack([light[classes == k].mean() for k in there]) - light.mean()


def distances(metrics: list[str], made: Tensor, domain: str, real: Tensor) -> dict[str, float | None]:
    """What each metric says of translations to a domain; None where it cannot be computed here."""
    found: dict[str, float | None] = dict.fromkeys(metrics)
    measures: dict[str, Any] = build(metrics, 0)
    for metric, measure in list(measures.items()):
        try:
            measure.prepare(torch.device("cpu"))
        except MetricError as error:
            print(f"{metric} is not computed: {error}")
            del measures[metric]
    known = [metric for metric in measures if (metric, domain) in REFERENCES]
    for metric in known:
        measures[metric].load_reference_state(REFERENCES[metric, domain])
    for one in real.split(20):
        for metric in measures.keys() - set(known):
            measures[metric].add_reference(one)
    for one in made.split(20):  # all look at each batch once
        for measure in measures.values():
            measure.update(prediction=one)
    for metric, measure in measures.items():
        REFERENCES[metric, domain] = measure.reference_state()
        found[metric] = measure.compute().value
    return found


def tables(found: dict[str, Any], a: argparse.Namespace) -> str:
    """Markdown: seeds with truth and figures at each step, then how well each figure agrees with the truth."""
    parts = []
    names = [f"{m}_{d}" for m in a.metrics for d in (a.pair.photo, a.pair.label)]
    for step, seeds in found.items():
        seeds = {seed: figures for seed, figures in seeds.items() if figures}
        shown = [n for n in names if all(f.get(n) is not None for f in seeds.values())]
        rows = ["contrast_correlation", "right_sign_share", "dark_less_light", "psnr", "label_accuracy", *shown]
        lines = [f"| after {step} steps | {' | '.join(seeds)} | rank correlation | chosen |"]
        lines.append("|---|" + "---:|" * (len(seeds) + 2))
        for row in rows:
            values = [figures[row] for figures in seeds.values()]
            cells = " | ".join(f"{value:.3f}" for value in values)
            lines.append(f"| {row} | {cells} | {agreement(row, seeds) if row in shown else ' | '} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def agreement(name: str, seeds: dict[str, Any]) -> str:
    """Spearman's correlation of a figure, lower being better, with dark less light; and the seed that it chooses."""
    values = [figures[name] for figures in seeds.values()]
    dark = [figures["dark_less_light"] for figures in seeds.values()]
    rho = spearmanr(values, dark).statistic if len(values) > 2 else statistics.mean(values)
    best = min(seeds, key=lambda seed: seeds[seed][name])
    return f"{rho:+.2f} | {best.removeprefix('seed-')}"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder with train and val; default: drawn facades, all tiny")
    parser.add_argument("--dataset", choices=PAIRS, default="facades", help="what is in it (facades)")
    parser.add_argument("--out", type=Path, help="folder of the study (out/screening)")
    parser.add_argument("--seeds", type=int, help="how many (10)")
    parser.add_argument("--checks", help="steps at which translations are kept (20,40,60,80,120,160,240,320,480)")
    parser.add_argument("--first", type=int, help="place of the first check that is judged (3)")
    parser.add_argument("--metrics", help=f"what is tried ({','.join(METRICS)})")
    parser.add_argument("--tables", action="store_true", help="train nothing; judge what is there")
    a = parser.parse_args()
    tiny = a.data is None
    out = Path(tempfile.mkdtemp()) if tiny else Path("out/screening")
    a.networks, a.batch, a.size = (TINY, 1, 32) if tiny else (NETWORKS, 4, 64)
    a.out, a.seeds = a.out or out, a.seeds or (2 if tiny else 10)
    a.checks = tuple(map(int, (a.checks or ("1,2" if tiny else "20,40,60,80,120,160,240,320,480")).split(",")))
    a.first = (0 if tiny else 3) if a.first is None else a.first
    a.metrics = a.metrics.split(",") if a.metrics else METRICS[:2] if tiny else METRICS
    a.data = {"name": "synthetic-facades", "count": 8, "size": 48} if tiny else {"name": a.dataset, "root": a.data}
    a.pair = PAIRS[a.dataset]
    val = i2izoo.open_dataset({**a.data, "split": "val"})
    a.held_out = [val.sample(index, None) for index in range(len(val))]
    return a


if __name__ == "__main__":
    main()
