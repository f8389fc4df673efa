"""What a dataset must offer to the trainer and the evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

from torch import Tensor

from i2izoo.contracts.config import Configurable


class Dataset(Configurable, ABC):
    """Images of named domains, indexable, with jitter that is a function of a seed.

    Attributes:
        domains: names of the domains, e.g. `("photo", "label")`.
        kind: "paired" (item i of every domain shows the same thing), "unpaired" or "single" (one domain).
    """

    domains: tuple[str, ...]
    kind: Literal["paired", "unpaired", "single"]

    @abstractmethod
    def __len__(self) -> int:
        """Number of items in an epoch: pairs, or the size of the largest domain."""

    @abstractmethod
    def sample(self, index: int, seed: int | None) -> dict[str, Tensor]:
        """Item `index` as domain -> C x H x W in [-1, 1].

        Args:
            index: 0 <= index < len(self).
            seed: all randomness (crop, flip, which image of the other domain) is a function of it; None: no
                jitter at all, for validation.
        """

    @abstractmethod
    def name(self, index: int) -> str:
        """A name for item `index`, for file names and messages."""

    def count(self, domain: str) -> int:
        """Number of images of a domain, which are in the first so many items; unpaired domains may differ."""
        return len(self)
