"""Does an unpaired figure after a few steps find the seeds that keep light light? With the paired truth beside it.

    python examples/screen_seeds_study.py --data ./facades --out out/screening

CycleGAN between the label maps and the photographs of the facades, from several seeds. What each gives for the
held-out images is kept as it trains, so that figures can be added without training again; called again, the script
goes on where it was. Without --data it does all of it in seconds, tiny and on drawn facades.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

import i2izoo
from i2izoo.files.writing import write_tensors
from i2izoo.images.writing import resize
from i2izoo.training.validation import undisturbed

METHOD = {
    "name": "cyclegan",
    "generator": {"name": "unet_128", "width": 24, "max_width": 96, "depth": 6, "norm": "instance", "dropout": 0.0},
    "discriminator": {"name": "multiscale", "width": 32, "norm": "none"},
    "identity_weight": 0.0,
}
TRAINING = {"batch_size": 4, "load_size": 72, "crop_size": 64}
CHECKS = (20, 40, 60, 80, 120, 160, 240, 320, 480)


def translations(trainer: i2izoo.Trainer, held_out: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of the held-out images to both domains, as 8-bit images; the training goes on as if there had been none."""
    found = {}
    with undisturbed(trainer.method, 0):
        for to, source in trainer.model.directions.items():
            images = torch.stack(trainer.model(list(held_out[source]), to=to, batch_size=20))
            found[to] = ((images + 1) * 127.5).round().clamp(0, 255).byte()
    return found


def train(seed: int, until: int, data: object, held_out: dict[str, Tensor], out: Path, steps: int) -> None:
    """Train one seed up to a step, keeping its translations at each of `CHECKS`."""
    folder = out / f"seed-{seed}"
    if (folder / f"{until}.safetensors").is_file():
        return
    trainer = i2izoo.Trainer(
        METHOD,
        data,
        to="photo",
        steps=steps,
        seed=seed,
        out=folder,
        resume="auto",
        keep_last=1,
        progress=False,
        **TRAINING,
    )
    while trainer.step < until:
        trainer.train_step()
        if trainer.step in CHECKS:
            write_tensors(folder / f"{trainer.step}.safetensors", translations(trainer, held_out))
            trainer.save()
    trainer.loader.close()
    print(f"seed {seed}: {until} steps", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the facades, with train and val")
    parser.add_argument("--out", type=Path, default=Path("out/screening"))
    parser.add_argument("--seeds", type=int, default=10)
    words = parser.parse_args()
    data = {"name": "facades", "root": words.data}
    val = i2izoo.open_dataset({**data, "split": "val"})
    items = [val.sample(index, None) for index in range(len(val))]
    held_out = {
        domain: torch.stack([resize(item[domain], (64, 64)) for item in items]) for domain in ("label", "photo")
    }
    for until in (80, 240, 480):
        for seed in range(words.seeds):
            train(seed, until, data, held_out, words.out, CHECKS[-1])


if __name__ == "__main__":
    main()
