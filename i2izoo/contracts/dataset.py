"""What a data set must offer to the trainer and the evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from i2izoo.contracts.config import Configurable
from i2izoo.contracts.ranges import Palette
from i2izoo.errors import DataError, listing

GIVEN = MappingProxyType(
    {
        "domains": None, "split": None, "kind": None, "sides": None, "load_size": None, "crop_size": None, "flip": True,
        "channels": None, "seed": 0, "limit": None, "jitter_until": None,
        "label_maps": None,
    }
)  # fmt: skip
"""The options that every caller may give a data set, with the values that say nothing; see `Dataset`."""


class Dataset(Configurable, ABC):
    """Images of named domains, indexable, with jitter that is a function of a seed.

    A class declares in its constructor those of the following options that it has, and is given no others: what a
    method or its recipe would like (its kind of data, a crop) is left out where there is no such option, and what a
    user asked for is refused. Under a name of the registry it then works with `--data NAME`.

    * domains (list[str]), kind ("paired", "unpaired" or "single"): what the method learns from;
    * split (str): "train" for the training, "val" or "test" for what is held out;
    * sides (list[str]): domains of the left and the right half of side-by-side images;
    * load_size, crop_size (int): sides in pixels before and after the random crop;
    * flip (bool): mirror half of the training samples;
    * jitter_until (float): share of the training after which images are no longer cropped at random;
    * channels (int or dict[str, int]): of all images, or by domain;
    * label_maps (dict of palettes by domain): these are label maps, whose colours resizing must not mix;
    * seed (int): of the images of a procedural data set; limit (int): use only the first so many items.

    Attributes:
        domains: names of the domains, e.g. `("photo", "label")`.
        kind: "paired" (item i of every domain shows the same thing), "unpaired" or "single" (one domain).
        classes: names of the classes, if its images have labels.
        palettes: RGB colours of the classes of domains that are label maps, where they are known.
        wraps: the option that says which data set this one is made of, as `open_dataset` takes it; that one is given
            the options which this one does not declare. None: it wraps none.
    """

    wraps: ClassVar[str | None] = None
    classes: Sequence[str] = ()
    palettes: Mapping[str, Palette] = MappingProxyType({})
    domains: tuple[str, ...]
    kind: Literal["paired", "unpaired", "single"]

    @abstractmethod
    def __len__(self) -> int:
        """Number of items in an epoch: pairs, or the size of the largest domain."""

    @abstractmethod
    def sample(self, index: int, seed: int | None) -> dict[str, Tensor]:
        """Item `index` as domain -> C x H x W in [-1, 1].

        Further tensors under other names (a mask) reach the method in `Batch.extras`. Several threads may call it at
        once.

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

    def label(self, index: int) -> int | None:
        """Number in `classes` of the class of item `index`; None where there are no classes."""
        return None

    def text(self, index: int) -> str | None:
        """A text that describes item `index`; None where there are no texts."""
        return None

    def order(self, generator: torch.Generator) -> Sequence[int] | None:
        """The order in which an epoch of training visits the items, which follows from `generator` alone.

        A permutation of all of them. None: any is as good as another, and the loader draws one.
        """
        return None

    def at(self, progress: float) -> Dataset:
        """The data set as it is when a share of the training, in [0, 1), is done: itself, unless it changes on the way.

        A function of `progress` alone, and cheap: the loader calls it for each batch.
        """
        return self

    def option(self, name: str) -> Any:
        """The value of an option, None if there is no such option; a data set that wraps another asks that one."""
        return self.config.get(name)

    def with_options(self, **changes: Any) -> Self:
        """The same data with other options, as a new data set; this one stays as it is."""
        return type(self)(**{**self.config, **changes})


def check_methods(data: Dataset) -> None:
    """Refuse a data set that hides a method of `Dataset` behind a value, such as `self.count = 4`.

    Raises:
        DataError: it does; the message names them.
    """
    hidden = [
        name
        for name in ("count", "name", "label", "text", "order", "at", "option")
        if not callable(getattr(data, name))
    ]
    if hidden:
        raise DataError(
            f"the data set {type(data).__name__} sets the attributes {listing(hidden)}, which hide the methods of "
            "Dataset of those names; name the attributes otherwise."
        )
