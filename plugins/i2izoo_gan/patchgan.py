"""Patch discriminators of pix2pix (Isola et al., CVPR 2017, arXiv 1611.07004, appendix 6.1.2), and their multi-scale
form of BicycleGAN (Zhu et al., NIPS 2017, arXiv 1711.11586)."""

from __future__ import annotations

import itertools
from typing import Annotated, Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from i2izoo.contracts.ranges import Channels, Range
from i2izoo.interfaces import Discriminator
from i2izoo.nn.blur import BlurDown
from i2izoo.nn.norm import Norm, make_norm


class PatchGAN(Discriminator):
    """C64-C128-C256-C512: logits for overlapping patches. N x in x H x W to one N x 1 x h x w map.

    The field of one logit is 16, 34, 70, 142, 286, 574 pixels for 1 to 6 layers; 256 x 256 gives 30 x 30 with three.

    Args:
        in_channels: channels of what it judges; condition and image together where it is conditional.
        width: channels of the first layer ("ndf"); they double to 8 x width.
        layers: number of stride-2 layers, 1 to 6.
        norm: "batch", "instance" or "none", on all layers but the first and the last.
        antialias: blur before subsampling, as CUT does; the field grows from 70 to 84.

    >>> import torch
    >>> [logits.shape for logits in PatchGAN(in_channels=3, width=4)(torch.zeros(1, 3, 256, 256))]
    [torch.Size([1, 1, 30, 30])]
    """

    tiny_options: ClassVar[dict[str, Any]] = {"width": 4, "layers": 2}

    def __init__(
        self,
        *,
        in_channels: Channels = 3,
        width: Channels = 64,
        layers: Annotated[int, Range(1, 6)] = 3,
        norm: Norm = "instance",
        antialias: bool = False,
    ) -> None:
        super().__init__()
        self.min_size = 3 * 2**layers  # leaves 3 pixels to the last two layers, which take one each
        widths = [width * min(2**level, 8) for level in range(layers + 1)]
        blocks: list[nn.Module] = []
        for level, (before, after) in enumerate(itertools.pairwise([in_channels, *widths])):
            first, strided = level == 0, level < layers
            bias = first or norm != "batch"
            blocks.append(nn.Conv2d(before, after, 4, 2 if strided and not antialias else 1, 1, bias=bias))
            blocks += [] if first else [make_norm(norm, after)]
            blocks.append(nn.LeakyReLU(0.2))
            blocks += [BlurDown(after)] if strided and antialias else []
        blocks.append(nn.Conv2d(widths[-1], 1, 4, 1, 1))
        self.layers = nn.Sequential(*blocks)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [self.layers(image)]


class PixelDiscriminator(Discriminator):
    """1 x 1 convolutions, C64-C128: a logit for every pixel, blind to structure ("PixelGAN").

    Args:
        in_channels: channels of what it judges.
        width: channels of the first layer.
        norm: "batch", "instance" or "none", on the second layer.
    """

    tiny_options: ClassVar[dict[str, Any]] = {"width": 4}

    def __init__(self, *, in_channels: Channels = 3, width: Channels = 64, norm: Norm = "batch") -> None:
        super().__init__()
        bias = norm != "batch"
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, width, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 1, bias=bias),
            make_norm(norm, 2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 1, bias=bias),
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        return [self.layers(image)]


class MultiScalePatchGAN(Discriminator):
    """PatchGANs on the image and on its average-pooled halves; one map of logits for each scale, finest first.

    Args:
        in_channels: channels of what it judges.
        width: channels of the first layer at the finest scale.
        layers: stride-2 layers of each PatchGAN.
        norm: as in `PatchGAN`.
        scales: number of PatchGANs, each at half the size of the one before.
        halve_width: halve the width with each scale (BicycleGAN); UNIT keeps it.
    """

    tiny_options: ClassVar[dict[str, Any]] = {"width": 4, "layers": 2}

    def __init__(
        self,
        *,
        in_channels: Channels = 3,
        width: Channels = 64,
        layers: Annotated[int, Range(1, 6)] = 3,
        norm: Norm = "instance",
        scales: Annotated[int, Range(1, 8)] = 2,
        halve_width: bool = True,
    ) -> None:
        super().__init__()
        widths = [max(1, width // 2**s) if halve_width else width for s in range(scales)]
        self.scales = nn.ModuleList(
            PatchGAN(in_channels=in_channels, width=w, layers=layers, norm=norm) for w in widths
        )
        self.min_size = 3 * 2**layers
        for _ in range(scales - 1):
            self.min_size = 2 * self.min_size - 1  # pooling rounds up

    def forward(self, image: Tensor) -> list[Tensor]:
        logits = []
        for index, scale in enumerate(self.scales):
            if index:
                image = F.avg_pool2d(image, 3, 2, 1, count_include_pad=False)
            logits += scale(image)
        return logits
