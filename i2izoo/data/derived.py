"""Datasets that make what is translated out of the images that it is to become."""

from __future__ import annotations

import copy
import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from i2izoo.contracts.config import check_options, fixed_options
from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.registry import registry
from i2izoo.data.open import open_dataset, spec_of
from i2izoo.data.renamed import own_name
from i2izoo.errors import DataError, listing
from i2izoo.nn.random import derive_seed


class DerivedDataset(Dataset):
    """Base of paired datasets of which only the images of the target have to be there: the source is made of them.

    A subclass has the options `root` (the images: whatever `open_dataset` takes, with options of its own) and
    `domains` (source and target), calls `open_images`, and implements `made_of`.

    Attributes:
        source: name of the domain that is made.
        target: name of the domain that is there.
        images: the dataset that has it.
        making: how the source is made, in a few words, for the card.
    """

    kind: Literal["paired"] = "paired"
    wraps = "root"
    making: ClassVar[str]
    source: str
    target: str
    images: Dataset

    @classmethod
    def around(cls, images: Dataset, **options: Any) -> Self:
        """The data set that is made of one that is open; the `root` on record is what opens that one again."""
        found = check_options(cls, {**options, "root": spec_of(images)})
        made = cls.__new__(cls)
        made.config = found
        cls.__init__(made, **{**found, **fixed_options(cls), "root": images})
        return made

    def open_images(self, root: str | Mapping[str, Any] | Dataset, domains: list[str], beside: bool = False) -> None:
        """Open `root`: three channels of the target, and of the source where `beside` and the data has it, too.

        Raises:
            DataError: domains of one name, no such data, or it has no domain of the target's name.
        """
        if len(domains) != 2 or domains[0] == domains[1]:
            raise DataError(f"the domains are source and target, of different names; found {domains}.")
        self.domains = self.source, self.target = domains[0], domains[1]
        if isinstance(root, Dataset) or (root in registry("datasets") if isinstance(root, str) else "name" in root):
            self.images = open_dataset(root, defaults={"channels": {self.target: 3}})
        else:
            files = {"root": root} if isinstance(root, str) else dict(root)
            paired = beside and _has(self.source, **files)
            found = [self.source, self.target] if paired else [self.target]
            self.images = open_dataset(files, kind="paired" if paired else "single", domains=found, channels=3)
        if self.target not in self.images.domains:
            raise DataError(
                f"the data has no domain {self.target!r} to take colour images from; it has "
                f"{listing(self.images.domains)}: name one of them as the target (--to, or the last of domains)."
            )

    @abstractmethod
    def made_of(self, found: dict[str, Tensor], index: int, seed: int | None) -> dict[str, Tensor]:
        """Source and target of item `index`: of the images of `self.images`, at the size that they have here.

        Args:
            found: domain -> C x H x W in [-1, 1].
            index: of the item.
            seed: all randomness is a function of it; None, in validation: of the index.
        """

    @property
    def recipe(self) -> dict[str, Any]:
        """The options that change the source in validation, for the hash of a protocol."""
        return {}

    @property
    def title(self) -> str:
        """What it is, for the card."""
        root = self.config["root"]
        name = root.get("name") or Path(root["root"]).name if isinstance(root, dict) else Path(root).name
        return f"{name}, {self.making}"

    def __len__(self) -> int:
        return self.images.count(self.target)

    def name(self, index: int) -> str:
        return self.images.name(index)

    def sample(self, index: int, seed: int | None) -> dict[str, Tensor]:
        return self.made_of(self.images.sample(index, seed), index, seed)

    @property
    def classes(self) -> Sequence[str]:  # type: ignore[override]
        return self.images.classes

    def label(self, index: int) -> int | None:
        return self.images.label(index)

    def text(self, index: int) -> str | None:
        return self.images.text(index)

    def order(self, generator: torch.Generator) -> Sequence[int] | None:
        return self.images.order(generator)

    def at(self, progress: float) -> DerivedDataset:
        images = self.images.at(progress)
        if images is self.images:
            return self
        other = copy.copy(self)
        other.images = images
        return other

    def option(self, name: str) -> Any:
        own = name in self.config and name != self.wraps
        return self.config[name] if own else self.images.option(name)

    def with_options(self, **changes: Any) -> Self:
        own = {name: value for name, value in changes.items() if name in self.config}
        inside = {name: value for name, value in changes.items() if name not in self.config}
        images = self.images.with_options(**inside) if inside else self.images
        return self.around(images, **{**self.config, **own})


def making_seed(index: int, seed: int | None, key: str) -> int:
    """The seed of how a source is made: of the sample's, apart from that of its crop, or in validation of the index."""
    return derive_seed("validation", index, key) if seed is None else derive_seed(seed, key)


def _has(
    domain: str,
    root: str | os.PathLike[str],
    sides: list[str] | None = None,
    split: str = "",
    rename: Mapping[str, str] | None = None,
    **_: Any,
) -> bool:
    """Has the data in files images of a domain?"""
    root = Path(root)
    domain = own_name(rename or {}, domain)
    if sides is not None:
        return domain in sides
    return root.suffix.lower() == ".csv" or any((place / domain).is_dir() for place in (root, root / (split or "")))
