"""What the tasks share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import Tensor

from i2izoo.data.derived import DerivedDataset

TINY: dict[str, Any] = {
    "base": {
        "name": "pix2pix",
        "generator": {"name": "unet_256", "width": 4, "depth": 3},
        "discriminator": {"name": "patchgan", "width": 4, "layers": 2, "norm": "batch"},
    },
}
"""Options that make a task small: a tiny pix2pix learns it."""
DRAWN: dict[str, Any] = {"name": "synthetic-facades", "count": 4, "size": 32}
"""A few drawn images."""


class DamagedDataset(DerivedDataset):
    """Base of datasets whose source is the damaged target, whatever else the data has."""

    def made_of(self, found: dict[str, Tensor], index: int, seed: int | None) -> dict[str, Tensor]:
        image = found[self.target]
        return {self.source: self.damage(image, index, seed), self.target: image}

    @abstractmethod
    def damage(self, image: Tensor, index: int, seed: int | None) -> Tensor:
        """The source made of 3 x H x W."""
