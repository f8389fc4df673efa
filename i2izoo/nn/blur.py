"""Anti-aliased down- and upsampling by a binomial blur (Zhang, "Making convolutional networks shift-invariant
again", ICML 2019, arXiv 1904.11486), as CUT's networks use it."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def binomial(taps: int) -> Tensor:
    """The normalised 2-D binomial filter, taps x taps.

    >>> binomial(3)[1]
    tensor([0.1250, 0.2500, 0.1250])
    """
    row = torch.ones(1)
    for _ in range(taps - 1):
        row = F.pad(row, (1, 0)) + F.pad(row, (0, 1))
    kernel = row[:, None] * row[None, :]
    return kernel / kernel.sum()


class BlurDown(nn.Module):
    """Blur with [1, 2, 1] and keep every second pixel: N x C x H x W to N x C x H/2 x W/2.

    Args:
        channels: C.
        edges: how the image goes on beyond its edges: "reflect" (CUT) or "replicate" (UNIT).
    """

    kernel: Tensor

    def __init__(self, channels: int, edges: Literal["reflect", "replicate"] = "reflect") -> None:
        super().__init__()
        self.channels, self.edges = channels, edges
        self.register_buffer("kernel", binomial(3).expand(channels, 1, 3, 3).clone(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (1, 1, 1, 1), mode=self.edges)
        return F.conv2d(x, self.kernel.to(x.dtype), stride=2, groups=self.channels)


class BlurUp(nn.Module):
    """Double the size with the filter [1, 3, 3, 1] (replicated edges): N x C x H x W to N x C x 2H x 2W."""

    kernel: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        # four output pixels share one input pixel's mass
        self.register_buffer("kernel", 4 * binomial(4).expand(channels, 1, 4, 4).clone(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (1, 1, 1, 1), mode="replicate")
        return F.conv_transpose2d(x, self.kernel.to(x.dtype), stride=2, padding=3, groups=self.channels)
