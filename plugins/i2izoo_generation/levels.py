"""Sides of images by level, 4 x 2^level: networks that double them, and training that grows through them.

Karras et al., "Progressive growing of GANs for improved quality, stability, and variation", ICLR 2018, arXiv
1710.10196.
"""

from __future__ import annotations

import math
from typing import Annotated, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from i2izoo.contracts.ranges import Range
from i2izoo.errors import ConfigError

PowerSide: TypeAlias = Annotated[int, Range(8, 4096)]
"""Side of an image in pixels, a power of two."""


def levels_of(size: int) -> int:
    """How often 4 x 4 is doubled to get to a side.

    Raises:
        ConfigError: it is no power of two from 8 on.

    >>> levels_of(8), levels_of(64)
    (1, 4)
    """
    levels = size.bit_length() - 3
    if size != 4 * 2**levels or levels < 1:
        raise ConfigError(f"the side of the images is a power of two from 8 on, such as 64; found {size}.")
    return levels


def level_at(progress: float, levels: int, share: float) -> float:
    """The level of training when a share `progress` of it is done (section 2 and appendix A).

    It begins with level 1, 8 x 8. Each level is trained alone for as long as the next one then fades in, and within
    `share` of the training the last one is reached. Between two whole numbers is how far the upper one has faded in.

    >>> [level_at(progress, 3, 0.8) for progress in (0, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9)]
    [1.0, 1.0, 1.5, 2.0, 2.0, 2.5, 3.0, 3.0]
    """
    if progress >= share:
        return float(levels)
    phase = progress / share * 2 * (levels - 1)
    whole = int(phase / 2)
    return whole + max(1.0, round(phase - 2 * whole, 9))


def fade(below: Tensor, above: Tensor, level: float) -> Tensor:
    """What a network makes of two levels while the upper one fades in (figure 2): (1 - a) below + a above."""
    return torch.lerp(below, above, level - math.floor(level)) if level % 1 else above


def doubled(image: Tensor) -> Tensor:
    """N x C x H x W to N x C x 2H x 2W: every pixel four times."""
    return F.interpolate(image, scale_factor=2, mode="nearest")


def halved(image: Tensor) -> Tensor:
    """N x C x H x W to N x C x H/2 x W/2: means of four pixels."""
    return F.avg_pool2d(image, 2)


def at_level(image: Tensor, level: float, levels: int) -> Tensor:
    """Real images, N x C x H x W of the last level, as they are at another: as blurred as what is generated then.

    >>> at_level(torch.zeros(1, 3, 32, 32), 1.5, 3).shape
    torch.Size([1, 3, 16, 16])
    """
    for _ in range(levels - math.ceil(level)):
        image = halved(image)
    return fade(doubled(halved(image)), image, level) if level % 1 else image
