"""Datasets that make what is translated out of the images that it is to become."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Literal

from torch import Tensor

from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.registry import registry
from i2izoo.data.open import open_dataset
from i2izoo.errors import DataError, listing
from i2izoo.nn.random import derive_seed


class DerivedDataset(Dataset):
    """Base of paired datasets of which only the images of the target have to be there: the source is made of them.

    A subclass has the options `root` (a folder, the name of a dataset or its `{"name": ...}`), `domains` (source and
    target), `split`, `sides`, `load_size`, `crop_size`, `flip`, `limit` and `cache_bytes`, calls `open_images`, and
    implements `made_of`.

    Attributes:
        source: name of the domain that is made.
        target: name of the domain that is there.
        images: the dataset that has it.
        making: how the source is made, in a few words, for the card.
    """

    kind: Literal["paired"] = "paired"
    making: ClassVar[str]
    source: str
    target: str
    images: Dataset

    def open_images(self, source_beside: bool = False) -> None:
        """Open `root`: three channels of the target, and of the source if the data has images of its own of it.

        Raises:
            DataError: domains of one name, no such data, or it has no domain of the target's name.
        """
        options = {k: self.config[k] for k in ("split", "load_size", "crop_size", "limit", "cache_bytes")}
        root, domains, sides = self.config["root"], self.config["domains"], self.config["sides"]
        if len(domains) != 2 or domains[0] == domains[1]:
            raise DataError(f"the domains are source and target, of different names; found {domains}.")
        self.domains = self.source, self.target = domains[0], domains[1]
        self.load_size, self.crop_size, self.flip = (self.config[k] for k in ("load_size", "crop_size", "flip"))
        if isinstance(root, dict) or root in registry("datasets"):
            spec = {"name": root} if isinstance(root, str) else root
            given = {k: v for k, v in {**options, "channels": {self.target: 3}}.items() if v is not None}
            self.images = open_dataset({**spec, **given}, sides=sides, flip=self.flip)
        else:
            from i2izoo.data.image_dataset import ImageDataset

            beside = source_beside and self._has_source(Path(root))
            self.images = ImageDataset(
                root=root, kind="paired" if beside else "single", sides=sides, flip=self.flip, channels=3,
                domains=[self.source, self.target] if beside else [self.target], **options,
            )  # fmt: skip
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
        return f"{root['name'] if isinstance(root, dict) else Path(root).name}, {self.making}"

    def __len__(self) -> int:
        return self.images.count(self.target)

    def name(self, index: int) -> str:
        return self.images.name(index)

    def sample(self, index: int, seed: int | None) -> dict[str, Tensor]:
        return self.made_of(self.images.sample(index, seed), index, seed)

    def _has_source(self, root: Path) -> bool:
        if (sides := self.config["sides"]) is not None:
            return self.source in sides
        places = (root, root / (self.config["split"] or ""))
        return root.suffix.lower() == ".csv" or any((place / self.source).is_dir() for place in places)


def making_seed(index: int, seed: int | None, key: str) -> int:
    """The seed of how a source is made: of the sample's, apart from that of its crop, or in validation of the index."""
    return derive_seed("validation", index, key) if seed is None else derive_seed(seed, key)
