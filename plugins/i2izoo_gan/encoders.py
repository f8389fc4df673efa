"""The encoders of BicycleGAN (Zhu et al., NIPS 2017, arXiv 1711.11586, section 4): image to distribution over z."""

from __future__ import annotations

import itertools
from typing import Annotated, Any, ClassVar

from torch import Tensor, nn

from i2izoo.contracts.ranges import Channels, Length, Range
from i2izoo.interfaces import Encoder
from i2izoo.nn.norm import Norm, make_norm
from i2izoo.nn.padding import pad_to_valid


class VectorEncoder(Encoder):
    """Layers, the mean over all pixels, and two linear heads: N x in x H x W to mean and log variance, each N x L.

    Smaller images than `min_size` are extended by reflection. At the size that the paper's code is made for, its last
    feature map is 8 x 8, and the mean over it the AvgPool 8 of that code.
    """

    min_size: int

    def finish(self, layers: list[nn.Module], channels: int, latent: int) -> None:
        """Take the layers, whose last gives `channels`, and add the heads."""
        self.layers = nn.Sequential(*layers)
        self.mean, self.log_variance = nn.Linear(channels, latent), nn.Linear(channels, latent)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        features = self.layers(pad_to_valid(image, 1, self.min_size)).mean(dim=(2, 3))
        return self.mean(features), self.log_variance(features)


class ResNetEncoder(VectorEncoder):
    """E_ResNet: Conv 4 x 4 stride 2, then pre-activation residual blocks that halve the size, the paper's best encoder.

    Args:
        in_channels: channels of the image.
        latent: length L of the latent.
        width: channels of the first layer ("nef"); they grow by `width` with each block, to 4 x width.
        blocks: residual blocks: 4 for 256 x 256, 3 for 128 x 128.
        norm: "batch", "instance" or "none".

    >>> import torch
    >>> mean, log_variance = ResNetEncoder(latent=8, width=4)(torch.zeros(2, 3, 64, 64))
    >>> mean.shape, log_variance.shape
    (torch.Size([2, 8]), torch.Size([2, 8]))
    """

    tiny_options: ClassVar[dict[str, Any]] = {"width": 4, "blocks": 2}

    def __init__(
        self,
        *,
        in_channels: Channels = 3,
        latent: Length = 8,
        width: Channels = 64,
        blocks: Annotated[int, Range(1, 12)] = 4,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        self.min_size = 2 ** (blocks + 1)
        widths = [width * min(level, 4) for level in range(1, blocks + 2)]
        layers: list[nn.Module] = [nn.Conv2d(in_channels, width, 4, 2, 1)]
        layers += [DownBlock(before, after, norm) for before, after in itertools.pairwise(widths)]
        self.finish([*layers, nn.LeakyReLU(0.2)], widths[-1], latent)


class CNNEncoder(VectorEncoder):
    """E_CNN: convolutions 4 x 4 stride 2 of 64, 128, 256, 256, 256 channels.

    Args:
        in_channels: channels of the image.
        latent: length L of the latent.
        width: channels of the first layer ("nef"); they double to 4 x width.
        layers: number of convolutions: 5 for 256 x 256, 4 for 128 x 128.
        norm: "batch", "instance" or "none", on all but the first.

    >>> import torch
    >>> CNNEncoder(latent=2, width=4)(torch.zeros(1, 3, 64, 64))[0].shape
    torch.Size([1, 2])
    """

    tiny_options: ClassVar[dict[str, Any]] = {"width": 4, "layers": 2}

    def __init__(
        self,
        *,
        in_channels: Channels = 3,
        latent: Length = 8,
        width: Channels = 64,
        layers: Annotated[int, Range(1, 12)] = 5,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        self.min_size = 2 ** (layers + 1)  # an instance norm of a single pixel leaves nothing
        widths = [width * min(2**level, 4) for level in range(layers)]
        modules: list[nn.Module] = [nn.Conv2d(in_channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for before, after in itertools.pairwise(widths):
            modules += [
                nn.Conv2d(before, after, 4, 2, 1, bias=norm != "batch"),
                make_norm(norm, after),
                nn.LeakyReLU(0.2),
            ]
        self.finish(modules, widths[-1], latent)


class DownBlock(nn.Module):
    """Norm, LeakyReLU, Conv 3 x 3, twice, then AvgPool 2; beside it AvgPool 2 and Conv 1 x 1."""

    def __init__(self, before: int, after: int, norm: Norm) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            make_norm(norm, before),
            nn.LeakyReLU(0.2),
            nn.Conv2d(before, before, 3, 1, 1),
            make_norm(norm, before),
            nn.LeakyReLU(0.2),
            nn.Conv2d(before, after, 3, 1, 1),
            nn.AvgPool2d(2),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(before, after, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.residual(x) + self.shortcut(x)
