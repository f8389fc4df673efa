"""The residual discriminator of StyleGAN2 (Karras et al. 2020, arXiv 1912.04958)."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn

from i2izoo.contracts.ranges import Channels, Count, Layers, Number, Range, Side
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Discriminator
from i2izoo_generation.equalised import EqualisedConv2d, EqualisedLinear
from i2izoo_generation.mapping import MappingNetwork
from i2izoo_generation.synthesis import widths


def minibatch_deviation(x: Tensor, group: int, features: int = 1) -> Tensor:
    """Add planes that say how much the images of a group differ (Karras et al. 2018, "Progressive growing of GANs",
    section 3): the standard deviation over the group, averaged over pixels and a part of the channels.

    The images of a group are as far apart in the batch as they can be; a batch that no group divides is one of as many
    images as do.

    Args:
        x: N x C x H x W.
        group: images of each group.
        features: planes, each of as many of the channels.

    Returns:
        N x (C + features) x H x W.

    >>> minibatch_deviation(torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1), 2).flatten()
    tensor([-1.,  1.,  1.,  1.])
    """
    count, channels, height, width = x.shape
    size = next(n for n in range(min(group, count), 0, -1) if count % n == 0)
    full = x.to(torch.promote_types(x.dtype, torch.float32))
    grouped = full.reshape(size, -1, features, channels // features, height, width)
    deviation = (grouped.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=(2, 3, 4))  # n x features
    planes = deviation.repeat(size, 1)[:, :, None, None].expand(-1, -1, height, width)
    return torch.cat([x, planes.to(x.dtype)], dim=1)


class ResidualBlock(nn.Module):
    """Two convolutions, the second of which halves the size, and a way around them; both come out with half the
    variance, so that their sum has all of it."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv0 = EqualisedConv2d(before, before, 3)
        self.conv1 = EqualisedConv2d(before, after, 3, down=True)
        self.skip = EqualisedConv2d(before, after, 1, down=True, activated=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(x, math.sqrt(0.5)) + self.conv1(self.conv0(x), math.sqrt(0.5))


class StyleGAN2Discriminator(Discriminator):
    """Residual blocks down to 4 x 4, the deviation over the batch, a convolution and two linear layers.

    With a condition, a mapping network turns it into a vector, and the logit is the product of both (Miyato and Koyama
    2018, arXiv 1802.05637, as the authors' code has it). Its layers have an equalised learning rate and no spectral
    norm; R1 is what bounds its slope.

    Args:
        in_channels: channels of the image.
        size: side of the image, a power of two from 8.
        condition: length of the vector that says what the image should show; 0: there is none.
        channel_base: channels at a resolution are this divided by it; the paper's 32768 for 1024 x 1024, and 16384 for
            256 x 256.
        channel_max: no more channels than this.
        group: images over which the deviation is taken; 1: there is no such plane.
        mapping_layers: of the condition.

    >>> StyleGAN2Discriminator(size=16, channel_base=64)(torch.zeros(2, 3, 16, 16))[0].shape
    torch.Size([2, 1])
    """

    fixed: ClassVar[dict[str, Any]] = {"spectral_norm": False}
    tiny_options: ClassVar[dict[str, Any]] = {"size": 16, "channel_base": 64, "channel_max": 8, "mapping_layers": 2}
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {"with a condition": {"condition": 3}}

    def __init__(
        self,
        *,
        in_channels: Channels = 3,
        size: Side = 256,
        condition: Count = 0,
        channel_base: Number = 16384,
        channel_max: Channels = 512,
        group: Annotated[int, Range(1, 4096)] = 4,
        mapping_layers: Layers = 8,
    ) -> None:
        super().__init__()
        features = widths(size, channel_base, channel_max)
        if size < 8:
            raise ConfigError(f"size is a power of two from 8; found {size}.")
        self.group, self.min_size, self.size = group, size, size
        self.from_image = EqualisedConv2d(in_channels, features[size], 1)
        sides = sorted(features, reverse=True)
        self.blocks = nn.ModuleDict(
            {str(side): ResidualBlock(features[side], features[side // 2]) for side in sides[:-1]}
        )
        last = features[4]
        self.convolution = EqualisedConv2d(last + (group > 1), last, 3)
        self.linear = EqualisedLinear(last * 16, last, activated=True)
        self.output = EqualisedLinear(last, last if condition else 1)
        self.mapping = (
            MappingNetwork(latent=0, condition=condition, width=last, layers=mapping_layers) if condition else None
        )

    def forward(self, image: Tensor, *conditions: Tensor) -> list[Tensor]:
        if image.shape[-2:] != (self.size, self.size):
            found = f"{image.shape[-1]} x {image.shape[-2]}"
            raise ConfigError(f"this discriminator judges images of side {self.size}, and found {found}; set its size.")
        x = self.from_image(image)
        for block in self.blocks.values():
            x = block(x)
        if self.group > 1:
            x = minibatch_deviation(x, self.group)
        x = self.output(self.linear(self.convolution(x).flatten(1)))
        if self.mapping is None:
            return [x]
        told = self.mapping(None, *conditions)
        return [(x * told).sum(dim=1, keepdim=True) / math.sqrt(told.shape[1])]
