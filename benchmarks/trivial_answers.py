"""Two answers that need no learning, as folders of images that `i2izoo compare` takes like any model.

    python benchmarks/trivial_answers.py --data facades --sides photo,label --to photo --size 256 --out trivial
    i2izoo compare pix2pix-facades trivial/mean trivial/nearest --data facades --sides photo,label --to photo --size 256

`mean` gives the mean target of the training split whatever the input is; `nearest` gives the target of the training
pair whose input is nearest in squared distance. A model that does not beat them on a measure has not shown anything by
that measure.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

import i2izoo
from i2izoo.images import writing as images


def split(data: str, name: str, sides: list[str] | None, size: int) -> tuple[list[str], list[dict[str, Tensor]]]:
    """Names and images, C x size x size in [-1, 1], of one split."""
    dataset = i2izoo.open_dataset(data, split=name, sides=sides, kind="paired")
    items = [dataset.sample(i, None) for i in range(len(dataset))]
    resized = [{d: images.resize(image, (size, size)) for d, image in item.items()} for item in items]
    return [dataset.name(i) for i in range(len(dataset))], resized


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="paired data with train/ and val/")
    parser.add_argument("--sides", type=lambda text: text.split(","), help="left and right half, where side by side")
    parser.add_argument("--to", default="photo")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    names, val = split(arguments.data, "val", arguments.sides, arguments.size)
    _, train = split(arguments.data, "train", arguments.sides, arguments.size)
    to = arguments.to
    (source,) = (domain for domain in val[0] if domain != to)

    mean = torch.stack([pair[to] for pair in train]).mean(0)
    inputs = torch.stack([pair[source].flatten() for pair in train])
    for name, pair in zip(names, val, strict=True):
        nearest = int((inputs - pair[source].flatten()).square().sum(1).argmin())
        images.save(mean, arguments.out / "mean" / f"{name}.png")
        images.save(train[nearest][to], arguments.out / "nearest" / f"{name}.png")
    print(f"{len(names)} images each in {arguments.out / 'mean'} and {arguments.out / 'nearest'}")


if __name__ == "__main__":
    main()
