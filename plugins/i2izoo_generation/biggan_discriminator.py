"""The discriminator of BigGAN (Brock, Donahue and Simonyan, ICLR 2019, arXiv 1809.11096, appendix B)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2izoo.contracts.ranges import Channels, Side
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Discriminator
from i2izoo.nn.init import init_weights
from i2izoo_generation.biggan_generator import multiples_for
from i2izoo_generation.dcgan import Condition
from i2izoo_generation.levels import PowerSide, halved, levels_of
from i2izoo_generation.self_attention import SelfAttention

MULTIPLES = {64: [1, 2, 4, 8, 16], 128: [1, 2, 4, 8, 16, 16], 256: [1, 2, 4, 8, 8, 16, 16]}
"""Side of the images -> channels behind each block, in widths (table 4 and 5; the authors' code)."""


class DownBlock(nn.Module):
    """Two convolutions, each after a ReLU, then half the size, and a way around them (figure 15c).

    The first block of a network sees the image itself: no ReLU comes before it, and its way around halves the image
    first.
    """

    def __init__(self, before: int, after: int, *, halves: bool, first: bool) -> None:
        super().__init__()
        self.halves, self.first = halves, first
        self.conv0 = nn.Conv2d(before, after, 3, padding=1)
        self.conv1 = nn.Conv2d(after, after, 3, padding=1)
        self.skip = nn.Conv2d(before, after, 1) if halves or before != after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        inner = self.conv0(x if self.first else F.relu(x))
        inner = self.conv1(F.relu(inner))
        if self.halves:  # a mean of pixels and a 1 x 1 convolution may change places
            inner, x = halved(inner), halved(x)
        return inner + self.skip(x)


class BigGANDiscriminator(Discriminator):
    """Residual blocks, a sum over all places, and one logit, to which a projection adds what fits the class.

    D(x, y) = psi(phi(x)) + y^T V phi(x) (Miyato and Koyama 2018, arXiv 1802.05637, eq. 3). All layers, V too, have a
    spectral norm, and begin orthogonal.

    Args:
        in_channels: channels of the image.
        size: side of the image, a power of two.
        condition: length of the vector that says what the image should show; 0: none.
        width: channels, which are multiplied from block to block; 96 in the paper.
        multiples: channels behind each block, in widths; all but the last block, or the last two below 64, halve the
            side. None: the paper's at 64, 128 and 256, and 4 everywhere below 64, as the authors' code has it for 32.
        attention: sides of features that have self-attention; those that do not come are passed over.

    >>> [logits.shape for logits in BigGANDiscriminator(size=32, width=2)(torch.zeros(2, 3, 32, 32))]
    [torch.Size([2, 1])]
    """

    defaults: ClassVar[dict[str, Any]] = {"spectral_norm": True}
    tiny_options: ClassVar[dict[str, Any]] = {"size": 16, "width": 2, "attention": [8]}
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {"projection": {"condition": 3, "multiples": [1, 2, 3]}}

    def __init__(
        self,
        *,
        in_channels: Channels = 3,
        size: PowerSide = 128,
        condition: Condition = 0,
        width: Channels = 96,
        multiples: list[Channels] | None = None,
        attention: list[Side] = [64],
    ) -> None:
        super().__init__()
        self.size, self.min_size = size, size
        small = size < 64
        halvings = levels_of(size) - small
        widths = [width * multiple for multiple in multiples_for(size, multiples, halvings + 1 + small, MULTIPLES)]
        self.blocks = nn.ModuleList(
            DownBlock(before, after, halves=place < halvings, first=place == 0)
            for place, (before, after) in enumerate(zip([in_channels, *widths], widths, strict=False))
        )
        self.attention = nn.ModuleDict(
            {
                str(place): SelfAttention(width)
                for place, width in enumerate(widths)
                if place < halvings and size // 2 ** (place + 1) in attention
            }
        )
        self.head = nn.Linear(widths[-1], 1)
        self.projection = nn.Linear(condition, widths[-1], bias=False) if condition else None
        init_weights(self, "orthogonal", 1.0)

    def forward(self, image: Tensor, *conditions: Tensor) -> list[Tensor]:
        if image.shape[-2:] != (self.size, self.size):
            found = f"{image.shape[-1]} x {image.shape[-2]}"
            raise ConfigError(f"this discriminator judges images of side {self.size}, and found {found}; set its size.")
        x = image
        for place, block in enumerate(self.blocks):
            x = block(x)
            if str(place) in self.attention:
                x = self.attention[str(place)](x)
        features = F.relu(x).sum(dim=(2, 3), dtype=torch.promote_types(x.dtype, torch.float32))
        logits = self.head(features)
        if self.projection is not None:
            logits = logits + (self.projection(conditions[0]) * features).sum(dim=1, keepdim=True)
        return [logits]
