"""Extend an image beyond its edges, as Palette does (Saharia et al., SIGGRAPH 2022, arXiv 2111.05826)."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from i2izoo.data.derived import making_seed
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Image, Method, Part
from i2izoo_tasks.common import DRAWN, TINY, DamagedDataset
from i2izoo_tasks.filling import Filling, check_mask, hide
from i2izoo_tasks.masks import border


class Uncropping(Filling):
    """An image to a larger one that it is a part of, or to one whose missing parts are filled in.

    Args:
        base: the method that learns, with options of its own: any paired one that has the options `domains`,
            `in_channels` and `out_channels`.
        domains: the parts and the whole images; in data with domains, the second is the one that is taken.
        fill: what the base sees in place of unknown pixels: "noise" from N(0, 1), as the paper does, or "grey".
        mask_channel: a fourth channel marks the unknown pixels; None: yes unless the base knows masks.

    >>> import torch
    >>> method = Uncropping(**Uncropping.tiny_options)
    >>> method(torch.ones(1, 4, 20, 9), to="image", left=7, bottom=4).shape
    torch.Size([1, 3, 24, 16])
    """

    dataset: dict[str, Any] | None = {"name": "uncropping"}  # noqa: RUF012
    required_options: ClassVar[str] = "extend=0.5"
    tiny_options: ClassVar[dict[str, Any]] = TINY
    wanted = (
        "say how far it goes on, in pixels by left=, right=, top= and bottom=, or by extend=0.5, in shares of its "
        "sides at every side; or give mask= or alpha for what it has already"
    )

    def __init__(
        self,
        *,
        base: Part[Method] = "pix2pix",
        domains: list[str] = ["cropped", "image"],
        fill: Literal["noise", "grey"] = "noise",
        mask_channel: bool | None = None,
    ) -> None:
        super().__init__()
        self.build_filling(base, domains, fill, mask_channel)
        self.dataset = {"name": "uncropping", "domains": domains}

    def forward(
        self,
        image: Tensor,
        *,
        to: str,
        seeds: list[int] | None = None,
        mask: Image | None = None,
        left: int = 0,
        right: int = 0,
        top: int = 0,
        bottom: int = 0,
        extend: float = 0.0,
        **options: Any,
    ) -> Tensor:
        """As `translate`, at any size, with unknown pixels added at the sides: N x 3 x larger H x larger W.

        Args:
            image, to, seeds, mask, options: see `translate`.
            left, right, top, bottom: pixels to add.
            extend: instead, shares of width and height to add at every side: 0.5 doubles both.

        Raises:
            ConfigError: a negative number, or both pixels and shares.
        """
        margins = _margins(image, [left, right, top, bottom], extend)
        check_mask(image, mask)
        if any(margins):
            image = nn.functional.pad(image, margins, value=-1.0)
            mask = None if mask is None else nn.functional.pad(mask, margins, value=1.0)
        return super().forward(image, to=to, seeds=seeds, mask=mask, **options)


def _margins(image: Tensor, pixels: list[int], extend: float) -> list[int]:
    """Pixels to add at the left, right, top and bottom."""
    if not math.isfinite(extend):
        raise ConfigError(f"extend is a share of width and height, such as 0.5; found {extend}.")
    if min(*pixels, extend) < 0:
        raise ConfigError(f"an image can only become larger; found {pixels} pixels and extend={extend}.")
    if extend and any(pixels):
        raise ConfigError("left, right, top and bottom are pixels, extend is shares of the sides; give one of both.")
    if not all(isinstance(p, int) for p in pixels):
        raise ConfigError(f"left, right, top and bottom are whole pixels; found {pixels}.")
    height, width = image.shape[-2:]
    return [round(extend * width)] * 2 + [round(extend * height)] * 2 if extend else pixels


class UncroppingDataset(DamagedDataset):
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
    tiny_options: ClassVar[dict[str, Any]] = {"root": DRAWN, "domains": ["cropped", "photo"]}

    def __init__(
        self,
        *,
        root: str | dict[str, Any],
        domains: list[str] = ["cropped", "image"],
    ) -> None:
        self.open_images(root, domains)

    def damage(self, image: Tensor, index: int, seed: int | None) -> Tensor:
        height, width = image.shape[-2:]
        return hide(image, border(height, width, making_seed(index, seed, "border")))
