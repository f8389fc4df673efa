"""DiffAugment: differentiable augmentation of all that a discriminator sees (Zhao et al. 2020, arXiv 2006.10738)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from i2izoo.interfaces import Augmentation

TRANSLATION = 1 / 8
"""Of a side: the furthest shift."""

CUTOUT = 1 / 2
"""Of a side: the side of the square that is cut out."""


class DiffAugment(Augmentation):
    """Colour, translation and cutout, at full strength from the first step on (section 3.3 and appendix B).

    - colour: brightness shifts by U(-0.5, 0.5), saturation is scaled by U(0, 2), contrast by U(0.5, 1.5);
    - translation: by whole pixels, up to 1/8 of the side each way; what comes in is 0;
    - cutout: a square of half the side, its centre anywhere in the image, becomes 0.

    Every row has draws of its own. Of a conditional discriminator the condition (the source of a pair) is translated
    and cut as the image is, for it lies on it pixel by pixel, but keeps its colours: it is not what is judged, and
    would tell which colours the image had before. Saturation is the distance from the mean of the channels, and colours
    are those of grey or RGB images: 2 channels (the a and b of Lab) or more than 3 (planes of classes, bands) are
    moved and cut alone.

    Args:
        policy: which of "colour", "translation" and "cutout"; always in this order.

    >>> image = torch.rand(2, 3, 32, 32) * 2 - 1
    >>> DiffAugment()(image).shape, torch.equal(DiffAugment(policy=[])(image), image)
    (torch.Size([2, 3, 32, 32]), True)
    """

    tiny_options: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        *,
        policy: list[Literal["colour", "translation", "cutout"]] = ["colour", "translation", "cutout"],
    ) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, image: Tensor, condition_channels: int = 0) -> Tensor:
        if "colour" in self.policy and image.shape[1] - condition_channels in (1, 3):
            condition, judged = image[:, :condition_channels], image[:, condition_channels:]
            image = torch.cat([condition, contrast(saturation(brightness(judged)))], dim=1)
        if "translation" in self.policy:
            image = translated(image)
        if "cutout" in self.policy:
            image = cut(image)
        return image


def _uniform(image: Tensor) -> Tensor:
    """N x 1 x 1 x 1, from U(0, 1)."""
    return torch.rand(len(image), 1, 1, 1, device=image.device, dtype=image.dtype)


def brightness(image: Tensor) -> Tensor:
    return image + (_uniform(image) - 0.5)


def saturation(image: Tensor) -> Tensor:
    grey = image.mean(dim=1, keepdim=True)
    return grey + (image - grey) * (2 * _uniform(image))


def contrast(image: Tensor) -> Tensor:
    mean = image.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (image - mean) * (0.5 + _uniform(image))


def translated(image: Tensor) -> Tensor:
    """Each row by a whole number of pixels of its own, down and right; 0 comes in from outside."""
    for dim in (2, 3):
        side = image.shape[dim]
        furthest = int(side * TRANSLATION + 0.5)
        shift = torch.randint(-furthest, furthest + 1, (len(image), 1), device=image.device)
        origin = torch.arange(side, device=image.device) - shift  # N x side: where each pixel comes from
        inside = (origin >= 0) & (origin < side)
        image = image.take_along_dim(_along(origin.clamp(0, side - 1), dim), dim) * _along(inside, dim)
    return image


def cut(image: Tensor) -> Tensor:
    """Each row with a square of its own set to 0; where it hangs over the edge, less is cut."""
    lost = image.new_ones((), dtype=torch.bool)
    for dim in (2, 3):
        side = image.shape[dim]
        length = int(side * CUTOUT + 0.5)
        centre = torch.randint(0, side + (1 - length % 2), (len(image), 1), device=image.device)
        from_start = torch.arange(side, device=image.device) - (centre - length // 2)  # N x side
        lost = lost & _along((from_start >= 0) & (from_start < length), dim)
    return image * ~lost


def _along(values: Tensor, dim: int) -> Tensor:
    """N x side to N x 1 x side x 1, or N x 1 x 1 x side for dim 3."""
    return values[:, None, :, None] if dim == 2 else values[:, None, None, :]
