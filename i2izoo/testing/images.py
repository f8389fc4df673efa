"""A dataset of noise with any domains, for methods that are tested without data."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from i2izoo.contracts.dataset import Dataset
from i2izoo.nn.random import derive_seed


class RandomImages(Dataset):
    """Uniform noise in [-1, 1] for any domains; item i and its jitter are functions of (i, seed).

    Args:
        channels: domain -> number of channels.
        size: height and width, in pixels.
        kind: what it says that it is.
        count: number of items.
        classes: names of the classes, which the items have in turn; none: they have no labels.

    >>> RandomImages(channels={"grey": 1, "colour": 3}, size=8).sample(0, seed=None)["grey"].shape
    torch.Size([1, 8, 8])
    """

    def __init__(
        self,
        *,
        channels: dict[str, int],
        size: int = 32,
        kind: Literal["paired", "unpaired"] = "paired",
        count: int = 6,
        classes: list[str] = [],
    ) -> None:
        self.domains = tuple(channels)
        self.kind, self.classes = kind, classes
        self._channels, self._size, self._count = channels, size, count

    def __len__(self) -> int:
        return self._count

    def sample(self, index: int, seed: int | None) -> dict[str, Tensor]:
        return {
            domain: torch.rand(
                channels,
                self._size,
                self._size,
                generator=torch.Generator().manual_seed(derive_seed(domain, index, str(seed))),
            )
            * 2
            - 1
            for domain, channels in self._channels.items()
        }

    def label(self, index: int) -> int | None:
        return index % len(self.classes) if self.classes else None

    def text(self, index: int) -> str:
        return self.name(index)

    def name(self, index: int) -> str:
        return f"noise_{index}"
