"""Which words of a caption can be read back in the image: what a text asked for, counted.

    python benchmarks/caption_words.py stackgan-synthetic-facades

A small network learns to read floors, walls, windows and shops off drawn facades (`synthetic-facades`, train). It then
reads what the model makes of captions of the validation facades, and these facades themselves, which is as well as it
can read. Beside both stands the share of the commonest word, which is chance.
"""

from __future__ import annotations

import argparse
from collections import Counter
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import i2izoo
from i2izoo.contracts.dataset import Dataset

WORDS = ("floors", "colour", "material", "windows", "shops")


def words(caption: str) -> tuple[str, ...]:
    """The words of a caption in the order of WORDS.

    >>> words("four floors, red brick, double windows, no shops")
    ('four floors', 'red', 'brick', 'double windows', 'no shops')
    """
    floors, walls, windows, shops = caption.split(", ")
    return floors, *walls.split(), windows, shops


class Reader(nn.Module):
    """N x 3 x 64 x 64 to the logits of each kind of word."""

    def __init__(self, vocabulary: list[list[str]], width: int = 24) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        channels = [3, width, 2 * width, 4 * width]
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3))
        self.heads = nn.ModuleList(nn.Linear(64 * channels[-1], len(kind)) for kind in vocabulary)

    def forward(self, images: Tensor) -> list[Tensor]:
        features = self.layers(images)
        return [head(features) for head in self.heads]

    def read(self, images: Tensor) -> list[tuple[str, ...]]:
        """The words of images."""
        with torch.no_grad():
            places = [logits.argmax(dim=1).tolist() for logits in self.eval()(images)]
        return [
            tuple(kind[i] for kind, i in zip(self.vocabulary, row, strict=True)) for row in zip(*places, strict=True)
        ]


def learn(data: Dataset, steps: int, seed: int = 0) -> Reader:
    """A reader that has seen the images of a data set with their captions."""
    torch.manual_seed(seed)
    images = torch.stack([data.sample(index, None)["photo"] for index in range(len(data))])
    said = [words(str(data.text(index))) for index in range(len(data))]
    vocabulary = [sorted(set(kind)) for kind in zip(*said, strict=True)]
    truth = torch.tensor([[kind.index(word) for kind, word in zip(vocabulary, row, strict=True)] for row in said])
    reader = Reader(vocabulary).train()
    optimizer = torch.optim.AdamW(reader.parameters(), 2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(len(images), (32,))
        seen = images[rows]
        seen = seen.flip(3) if torch.rand(()) < 0.5 else seen
        logits = reader(seen + 0.02 * torch.randn_like(seen))
        loss = torch.stack([F.cross_entropy(found, truth[rows, kind]) for kind, found in enumerate(logits)]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return reader


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="+")
    parser.add_argument("--captions", type=int, default=400)
    parser.add_argument("--count", type=int, default=2000, help="facades that the reader learns from")
    parser.add_argument("--steps", type=int, default=1200, help="of the reader")
    args = parser.parse_args()
    drawn = {"name": "synthetic-facades", "kind": "single", "domains": ["photo"], "size": 64}
    reader = learn(i2izoo.open_dataset({**drawn, "count": args.count}), args.steps)
    held_out = i2izoo.open_dataset({**drawn, "count": args.captions, "split": "val"})
    captions = [str(held_out.text(index)) for index in range(len(held_out))]
    asked = [words(caption) for caption in captions]

    def shares(images: Tensor) -> list[float]:
        """Of each kind of word, how many are read as they were asked for; last, of floors and colour together."""
        found = reader.read(images)
        each = [sum(f[k] == a[k] for f, a in zip(found, asked, strict=True)) for k in range(len(WORDS))]
        both = sum(f[:2] == a[:2] for f, a in zip(found, asked, strict=True))
        return [count / len(asked) for count in (*each, both)]

    rows = {
        "commonest word": [
            *(Counter(kind).most_common(1)[0][1] / len(asked) for kind in zip(*asked, strict=True)),
            Counter(row[:2] for row in asked).most_common(1)[0][1] / len(asked),
        ],
        "drawn facades": shares(torch.stack([held_out.sample(index, None)["photo"] for index in range(len(asked))])),
    }
    for name in args.model:
        made = i2izoo.load(name).generate(len(asked), text=captions, output="tensor")
        rows[name] = shares(torch.stack(list(made)))
    print(f"{'':24}" + "".join(f"{word:>10}" for word in (*WORDS, "both")))
    for name, row in rows.items():
        print(f"{name[-24:]:24}" + "".join(f"{share:10.3f}" for share in row))


if __name__ == "__main__":
    main()
