"""Does a model repeat what it has learned from? Its images beside their nearest training images, and how near they are.

    python benchmarks/nearest_training_images.py stylegan2-facades --data facades --to photo --out nearest.webp

Distances are between features. Held-out images are the measure: what is not memorised is about as far from the nearest
training image as they are. Printed are the median distances of both, and the share of generated images that are nearer
than the nearest twentieth of the held-out ones, 0.05 where nothing is repeated. The sheet has the generated images that
are nearest of all, and below each its training image.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from i2izoo_metrics.extractors import SharedExtractor, open_extractor
from PIL import Image
from torch import Tensor

import i2izoo
from i2izoo.images.writing import resize, to_pil


def split(data: str, name: str, to: str, size: tuple[int, int]) -> list[Tensor]:
    """The images of a domain, each C x H x W in [-1, 1]."""
    dataset = i2izoo.open_dataset(data, split=name, kind="single", domains=[to])
    return [resize(dataset.sample(index, None)[to], size) for index in range(len(dataset))]


def features(images: list[Tensor], extractor: SharedExtractor, batch: int = 50) -> Tensor:
    """N x D of N images, grey or in colour."""
    return torch.cat([extractor(torch.stack(images[i : i + batch])) for i in range(0, len(images), batch)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", required=True, help="with train/ and val/")
    parser.add_argument("--to", required=True, help="the domain")
    parser.add_argument("--count", type=int, default=500, help="images to generate")
    parser.add_argument("--features", default="efficientnet_lite0")
    parser.add_argument("--shown", type=int, default=8)
    parser.add_argument("--out", type=Path, help="the sheet")
    args = parser.parse_args()

    model = i2izoo.load(args.model)
    made = list(model.generate(args.count, output="tensor"))
    extractor = open_extractor(args.features)
    size = (made[0].shape[-2], made[0].shape[-1])
    train, held_out = (split(args.data, name, args.to, size) for name in ("train", "val"))
    known = features(train, extractor)
    distance, place = torch.cdist(features(made, extractor), known).min(1)
    usual = torch.cdist(features(held_out, extractor), known).min(1).values
    nearer = (distance < usual.quantile(0.05)).double().mean()
    figures = {
        "features": args.features,
        "generated": len(made),
        "held_out": len(held_out),
        "median_distance_generated": round(distance.median().item(), 4),
        "median_distance_held_out": round(usual.median().item(), 4),
        "share_nearer_than_a_twentieth_of_held_out": round(nearer.item(), 4),
    }
    print(json.dumps(figures, indent=1))
    if args.out:
        nearest = distance.argsort()[: args.shown].tolist()
        sheet = Image.new("RGB", (len(nearest) * size[1], 2 * size[0]))
        for column, index in enumerate(nearest):
            sheet.paste(to_pil(made[index]), (column * size[1], 0))
            sheet.paste(to_pil(train[int(place[index])]), (column * size[1], size[0]))
        sheet.save(args.out)


if __name__ == "__main__":
    main()
