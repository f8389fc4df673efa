"""Datasets of Palette's tasks (Saharia et al., SIGGRAPH 2022, arXiv 2111.05826): fill, extend, undo JPEG, or all.

What is unknown of an image is said by alpha: the source of filling is RGBA, whose alpha is 1 where a pixel is known
and -1 where it is not; the colours of unknown pixels are 0 and carry nothing.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from i2izoo.contracts.dataset import Dataset
from i2izoo.data.derived import DerivedDataset, making_seed
from i2izoo.errors import DataError
from i2izoo_tasks.colorization_data import grey_of
from i2izoo_tasks.degradations import compress
from i2izoo_tasks.masks import Kind, Mask, border, draw_mask

Task: TypeAlias = Literal["colorization", "inpainting", "uncropping", "jpeg_restoration"]

QUALITIES = np.arange(5, 31)
"""Of JPEG in training."""


def draw_quality(seed: int) -> int:
    """A JPEG quality from 5 to 30, of probability proportional to exp(-quality / 10) (Palette, appendix).

    >>> 5 <= draw_quality(0) <= 30
    True
    """
    weights = np.exp(-QUALITIES / 10)
    return int(np.random.default_rng(seed).choice(QUALITIES, p=weights / weights.sum()))


def hide(image: Tensor, mask: Mask | None) -> Tensor:
    """3 x H x W with an alpha: 4 x H x W, of which the pixels in the mask are unknown: (0, 0, 0, -1).

    >>> hide(torch.ones(3, 1, 2), np.array([[True, False]])).tolist()
    [[[0.0, 1.0]], [[0.0, 1.0]], [[0.0, 1.0]], [[-1.0, 1.0]]]
    """
    rgba = torch.cat([image, torch.ones_like(image[:1])])
    if mask is not None:
        unknown = torch.from_numpy(mask)
        rgba[:3, unknown] = 0
        rgba[3, unknown] = -1
    return rgba


def compressed(image: Tensor, quality: int) -> Tensor:
    """3 x H x W in [-1, 1] after JPEG of a quality from 1 to 100."""
    array = compress(rearrange((image + 1) / 2, "c h w -> h w c").numpy(), quality)
    return torch.from_numpy(np.ascontiguousarray(rearrange(array, "h w c -> c h w"))) * 2 - 1


class _Restored(DerivedDataset):
    """What the four have in common: only the target counts."""

    def made_of(self, found: dict[str, Tensor], index: int, seed: int | None) -> dict[str, Tensor]:
        image = found[self.target]
        return {self.source: self.damage(image, index, seed), self.target: image}

    @abstractmethod
    def damage(self, image: Tensor, index: int, seed: int | None) -> Tensor:
        """The source made of 3 x H x W."""


class InpaintingDataset(_Restored):
    """Pairs of an image with holes (RGBA) and the whole image (RGB), of which only the whole ones have to be there.

    In training the holes are others each time; in validation they are a function of the item's index.

    Args:
        root: the whole images: a folder, the name of a dataset, or `{"root": ..., option: value}`; see `open_dataset`.
        domains: names of the images with holes and of the whole ones. Where the data has domains (`photo` and
            `label`), the second is the one whose images are taken.
        masks: "mixture" (Palette's: 60 % strokes of a brush, 40 % rectangles), "free_form", "rectangles", or "center",
            see `i2izoo_tasks.masks`.
        coverage: least and greatest share of the image that a hole covers; None: as it comes.

    Raises:
        DataError: the data has no domain of the second name, or cannot be used.

    >>> drawn = {"name": "synthetic-facades", "count": 4, "size": 32}
    >>> data = InpaintingDataset(root=drawn, domains=["masked", "photo"])
    >>> source = data.sample(0, seed=1)["masked"]
    >>> source.shape, source[3].unique().tolist()
    (torch.Size([4, 32, 32]), [-1.0, 1.0])
    """

    making = "with holes"
    tiny_options: ClassVar[dict[str, Any]] = {
        "root": {"name": "synthetic-facades", "count": 4, "size": 32}, "domains": ["masked", "photo"],
    }  # fmt: skip

    def __init__(
        self,
        *,
        root: str | dict[str, Any] | Dataset,
        domains: list[str] = ["masked", "image"],  # noqa: B006  (recorded as a copy, never written)
        masks: Kind = "mixture",
        coverage: list[float] | None = None,
    ) -> None:
        if coverage is not None and not (len(coverage) == 2 and 0 < coverage[0] < coverage[1] < 1):
            raise DataError(f"coverage is a least and a greatest share between 0 and 1; found {coverage}.")
        self.open_images(root, domains)

    @property
    def recipe(self) -> dict[str, Any]:
        return {name: self.config[name] for name in ("masks", "coverage")}

    def damage(self, image: Tensor, index: int, seed: int | None) -> Tensor:
        height, width = image.shape[-2:]
        chosen = making_seed(index, seed, "mask")
        return hide(image, draw_mask(self.config["masks"], height, width, chosen, self.config["coverage"]))


class UncroppingDataset(_Restored):
    """Pairs of a part of an image (RGBA) and the whole image (RGB), of which only the whole ones have to be there.

    Half of the area is unknown, at one side or all around, see `i2izoo_tasks.masks.border`; both images have the size
    of the whole. In validation the place is a function of the item's index.

    Args:
        root: the whole images: a folder, the name of a dataset, or `{"root": ..., option: value}`; see `open_dataset`.
        domains: names of the parts and of the whole images; the second is taken of data that has domains.

    Raises:
        DataError: the data has no domain of the second name, or cannot be used.

    >>> drawn = {"name": "synthetic-facades", "count": 4, "size": 32}
    >>> data = UncroppingDataset(root=drawn, domains=["cropped", "photo"])
    >>> bool((data.sample(0, seed=None)["cropped"][3].mean().abs() < 0.1))
    True
    """

    making = "half of each hidden"
    tiny_options: ClassVar[dict[str, Any]] = {
        "root": {"name": "synthetic-facades", "count": 4, "size": 32}, "domains": ["cropped", "photo"],
    }  # fmt: skip

    def __init__(
        self,
        *,
        root: str | dict[str, Any] | Dataset,
        domains: list[str] = ["cropped", "image"],  # noqa: B006
    ) -> None:
        self.open_images(root, domains)

    def damage(self, image: Tensor, index: int, seed: int | None) -> Tensor:
        height, width = image.shape[-2:]
        return hide(image, border(height, width, making_seed(index, seed, "border")))


class JPEGRestorationDataset(_Restored):
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
    tiny_options: ClassVar[dict[str, Any]] = {
        "root": {"name": "synthetic-facades", "count": 4, "size": 32}, "domains": ["compressed", "photo"],
    }  # fmt: skip

    def __init__(
        self,
        *,
        root: str | dict[str, Any] | Dataset,
        domains: list[str] = ["compressed", "image"],  # noqa: B006
        quality: int | None = None,
    ) -> None:
        if quality is not None and not 1 <= quality <= 100:
            raise DataError(f"quality is that of JPEG, from 1 to 100, or None; found {quality}.")
        self.open_images(root, domains)

    @property
    def recipe(self) -> dict[str, Any]:
        return {"quality": self.config["quality"]}

    def damage(self, image: Tensor, index: int, seed: int | None) -> Tensor:
        fixed = self.config["quality"]
        return compressed(image, draw_quality(making_seed(index, seed, "quality")) if fixed is None else fixed)


class RestorationDataset(_Restored):
    """Several tasks mixed, for one model that does them all: a damaged image (RGBA) and the whole one (RGB).

    Alpha tells the tasks apart as far as they are: only inpainting and uncropping have unknown pixels. The grey
    images of colourisation have three equal channels.

    Args:
        root: the whole images: a folder, the name of a dataset, or `{"root": ..., option: value}`; see `open_dataset`.
        domains: names of the damaged and of the whole images; the second is taken of data that has domains.
        tasks: what is mixed, with equal probability; in validation they take turns.

    Raises:
        DataError: no task; the data has no domain of the second name, or cannot be used.

    >>> drawn = {"name": "synthetic-facades", "count": 4, "size": 32}
    >>> data = RestorationDataset(root=drawn, domains=["damaged", "photo"])
    >>> data.task(0, None), data.task(1, None), data.sample(1, None)["damaged"].shape
    ('colorization', 'inpainting', torch.Size([4, 32, 32]))
    """

    making = "damaged in several ways"
    tiny_options: ClassVar[dict[str, Any]] = {
        "root": {"name": "synthetic-facades", "count": 4, "size": 32}, "domains": ["damaged", "photo"],
    }  # fmt: skip

    def __init__(
        self,
        *,
        root: str | dict[str, Any] | Dataset,
        domains: list[str] = ["damaged", "image"],  # noqa: B006
        tasks: list[Task] = ["colorization", "inpainting", "uncropping", "jpeg_restoration"],  # noqa: B006
    ) -> None:
        if not tasks:
            raise DataError("tasks names at least one task to learn.")
        self.tasks = tasks
        self.open_images(root, domains)

    @property
    def recipe(self) -> dict[str, Any]:
        return {"tasks": self.tasks}

    def task(self, index: int, seed: int | None) -> str:
        """The task of an item."""
        drawn = index if seed is None else int(np.random.default_rng(making_seed(index, seed, "task")).integers(2**62))
        return self.tasks[drawn % len(self.tasks)]

    def damage(self, image: Tensor, index: int, seed: int | None) -> Tensor:
        task, (height, width) = self.task(index, seed), image.shape[-2:]
        if task == "colorization":
            grey = torch.from_numpy(grey_of((image.numpy() + 1) / 2)) * 2 - 1
            return hide(grey.clamp(-1, 1).repeat(3, 1, 1), None)
        if task == "jpeg_restoration":
            return hide(compressed(image, draw_quality(making_seed(index, seed, "quality"))), None)
        if task == "uncropping":
            return hide(image, border(height, width, making_seed(index, seed, "border")))
        return hide(image, draw_mask("mixture", height, width, making_seed(index, seed, "mask")))
