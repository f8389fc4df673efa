"""Undo JPEG, as Palette does (Saharia et al., SIGGRAPH 2022, arXiv 2111.05826)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from i2izoo.contracts.ranges import Range
from i2izoo.contracts.task import BaseInTask
from i2izoo.data.derived import making_seed
from i2izoo.interfaces import Batch, Method, Part, Update
from i2izoo_tasks.common import DRAWN, TINY, DamagedDataset
from i2izoo_tasks.degradations import compress


class JPEGRestoration(BaseInTask):
    """An image before JPEG from one after it: the base learns from pairs that are made of the images.

    Args:
        base: the method that learns, with options of its own: any paired one that has the options `domains`,
            `in_channels` and `out_channels`.
        domains: the compressed and the original images; in data with domains, the second is the one that is taken.
        quality: of JPEG, 1 to 100, in training; None: drawn from 5 to 30, the stronger the compression the more often
            (probability proportional to exp(-quality / 10)).

    >>> JPEGRestoration(**JPEGRestoration.tiny_options)(torch.zeros(1, 3, 20, 9), to="image").shape
    torch.Size([1, 3, 20, 9])
    """

    dataset: dict[str, Any] | None = {"name": "jpeg_restoration"}  # noqa: RUF012  (an instance has its own)
    tiny_options: ClassVar[dict[str, Any]] = TINY

    def __init__(
        self,
        *,
        base: Part[Method] = "pix2pix",
        domains: list[str] = ["compressed", "image"],
        quality: Annotated[int, Range(1, 100)] | None = None,
    ) -> None:
        super().__init__()
        self.build(base, domains, in_channels=3)
        self.dataset = {"name": "jpeg_restoration", "domains": domains, "quality": quality}

    @property
    def channels(self) -> dict[str, int]:
        return {self.source: 3, self.target: 3}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        yield from self.base.training_step(batch)

    def translate(self, image: Tensor, *, to: str, seeds: list[int], **options: Any) -> Tensor:
        """N x 3 x H x W to the same; `options` are those of the base method."""
        return self.base.translate(image, to=to, seeds=seeds, **options)


QUALITIES = np.arange(5, 31)
"""Of JPEG in training."""


def draw_quality(seed: int) -> int:
    """A JPEG quality from 5 to 30, of probability proportional to exp(-quality / 10) (Palette, appendix).

    >>> 5 <= draw_quality(0) <= 30
    True
    """
    weights = np.exp(-QUALITIES / 10)
    return int(np.random.default_rng(seed).choice(QUALITIES, p=weights / weights.sum()))


def compressed(image: Tensor, quality: int) -> Tensor:
    """3 x H x W in [-1, 1] after JPEG of a quality from 1 to 100."""
    array = compress(rearrange((image + 1) / 2, "c h w -> h w c").numpy(), quality)
    return torch.from_numpy(np.ascontiguousarray(rearrange(array, "h w c -> c h w"))) * 2 - 1


class JPEGRestorationDataset(DamagedDataset):
    """Pairs of an image after strong JPEG compression and before it, of which only the latter have to be there.

    Args:
        root: the whole images: a folder, the name of a dataset, or `{"root": ..., option: value}`; see `open_dataset`.
        domains: names of the compressed images and of the others; the second is taken of data that has domains.
        quality: of JPEG, 1 to 100: the paper evaluates at 5, 10 and 20. None: drawn from 5 to 30 with probability
            proportional to exp(-quality / 10), in validation by the item's index.

    Raises:
        DataError: a quality that there is not; the data has no domain of the second name, or cannot be used.

    >>> drawn = {"name": "synthetic-facades", "count": 4, "size": 32}
    >>> data = JPEGRestorationDataset(root=drawn, domains=["compressed", "photo"], quality=5)
    >>> {domain: tuple(image.shape) for domain, image in data.sample(0, seed=1).items()}
    {'compressed': (3, 32, 32), 'photo': (3, 32, 32)}
    """

    making = "compressed as JPEG"
    tiny_options: ClassVar[dict[str, Any]] = {"root": DRAWN, "domains": ["compressed", "photo"]}

    def __init__(
        self,
        *,
        root: str | dict[str, Any],
        domains: list[str] = ["compressed", "image"],
        quality: Annotated[int, Range(1, 100)] | None = None,
    ) -> None:
        self.open_images(root, domains)

    @property
    def recipe(self) -> dict[str, Any]:
        return {"quality": self.config["quality"]}

    def damage(self, image: Tensor, index: int, seed: int | None) -> Tensor:
        fixed = self.config["quality"]
        return compressed(image, draw_quality(making_seed(index, seed, "quality")) if fixed is None else fixed)
