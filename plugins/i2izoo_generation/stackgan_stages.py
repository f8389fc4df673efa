"""The two generators of StackGAN (Zhang et al., ICCV 2017, arXiv 1612.03242, figure 2), one for each stage."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2izoo.errors import ConfigError
from i2izoo_generation.conditioning import ConditioningAugmentation
from i2izoo_generation.levels import levels_of


class Stage(nn.Module):
    """What both have: the augmentation of what they are told.

    Args:
        condition: length of an embedding; 0: they are told nothing.
        conditioning: length of what the augmentation makes of it.
    """

    def __init__(self, condition: int, conditioning: int) -> None:
        super().__init__()
        self.augmentation = ConditioningAugmentation(condition, conditioning) if condition else None

    def code(self, noise: Tensor, conditions: tuple[Tensor, ...]) -> Tensor:
        """c of what they are told; told nothing, a draw from the prior to which the divergence drives it."""
        return self.augmentation(*conditions, noise) if self.augmentation and conditions else noise


class StageOne(Stage):
    """z and c to a small image: a linear layer to 4 x 4, then doublings of the side that halve the channels."""

    def __init__(
        self, *, latent: int, condition: int, conditioning: int, out_channels: int, size: int, width: int
    ) -> None:
        super().__init__(condition, conditioning)
        channels = [max(1, 8 * width // 2**level) for level in range(levels_of(size) + 1)]
        self.project = nn.Sequential(
            nn.Linear(latent, 16 * channels[0], bias=False), nn.BatchNorm1d(16 * channels[0]), nn.ReLU()
        )
        self.blocks = nn.Sequential(*(doubling(before, after) for before, after in pairwise(channels)))
        self.image = nn.Sequential(conv3x3(channels[-1], out_channels), nn.Tanh())

    def forward(self, z: Tensor, noise: Tensor, *conditions: Tensor) -> Tensor:
        if self.training and len(z) < 2:
            raise ConfigError("batch norm has no statistics of a single latent; train with a batch_size of at least 2.")
        x = self.project(torch.cat([z, self.code(noise, conditions)], dim=1))
        return self.image(self.blocks(x.view(len(x), -1, 4, 4)))


class StageTwo(Stage):
    """The small image, halved to `middle`, and c beside it go through residual blocks; then the side is doubled up."""

    def __init__(
        self,
        *,
        condition: int,
        conditioning: int,
        out_channels: int,
        low_size: int,
        middle: int,
        size: int,
        width: int,
        residual_blocks: int,
        detail: bool,
    ) -> None:
        super().__init__(condition, conditioning)
        self.detail = detail
        inside, halvings = 4 * width, (low_size // middle).bit_length() - 1
        down = [max(1, inside // 2**level) for level in reversed(range(halvings + 1))]
        self.encoder = nn.Sequential(
            conv3x3(out_channels, down[0]), nn.ReLU(), *(layer for pair in pairwise(down) for layer in halving(*pair))
        )
        self.joint = nn.Sequential(conv3x3(inside + conditioning, inside), nn.BatchNorm2d(inside), nn.ReLU())
        self.residual = nn.Sequential(*(Residual(inside) for _ in range(residual_blocks)))
        channels = [max(1, inside // 2**level) for level in range((size // middle).bit_length())]
        self.blocks = nn.Sequential(*(doubling(before, after) for before, after in pairwise(channels)))
        self.image = nn.Sequential(conv3x3(channels[-1], out_channels), nn.Tanh())

    def forward(self, image: Tensor, noise: Tensor, *conditions: Tensor) -> Tensor:
        x = self.encoder(image)
        code = self.code(noise, conditions).to(x.dtype)[:, :, None, None].expand(-1, -1, *x.shape[-2:])
        x = self.blocks(self.residual(self.joint(torch.cat([x, code], dim=1))))
        if not self.detail:
            return self.image(x)
        layer, squash = self.image
        enlarged = F.interpolate(image.float(), x.shape[-2:], mode="bilinear")
        return squash(layer(x) + enlarged.clamp(-0.999, 0.999).atanh())


class Residual(nn.Module):
    """relu(x + BN(conv(relu(BN(conv(x))))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            conv3x3(channels, channels), nn.BatchNorm2d(channels), nn.ReLU(),
            conv3x3(channels, channels), nn.BatchNorm2d(channels),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.layers(x))


def conv3x3(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=1, bias=False)


def doubling(before: int, after: int) -> nn.Sequential:
    """Nearest neighbours, then a convolution."""
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"), conv3x3(before, after), nn.BatchNorm2d(after), nn.ReLU()
    )


def halving(before: int, after: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()
