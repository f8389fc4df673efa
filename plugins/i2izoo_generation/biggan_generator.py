"""The generator of BigGAN (Brock, Donahue and Simonyan, ICLR 2019, arXiv 1809.11096, appendix B)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2izoo.contracts.ranges import Channels, Length, Side
from i2izoo.errors import ConfigError
from i2izoo.interfaces import LatentGenerator
from i2izoo.nn.init import init_weights
from i2izoo.nn.spectral import add_spectral_norm
from i2izoo_generation.dcgan import Condition
from i2izoo_generation.levels import PowerSide, doubled, levels_of
from i2izoo_generation.self_attention import SelfAttention

MULTIPLES = {64: [16, 16, 8, 4, 2], 128: [16, 16, 8, 4, 2, 1], 256: [16, 16, 8, 8, 4, 2, 1]}
"""Side of the images -> channels at 4 x 4 and behind each block, in widths (table 4 and 5; the authors' code)."""


class ConditionalBatchNorm(nn.Module):
    """Batch norm whose gain, 1 + W c, and bias are linear in what the generator is told, N x `told`, of each image.

    de Vries et al. 2017, arXiv 1707.00683, in the form of the authors' code.
    """

    def __init__(self, channels: int, told: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Linear(told, channels, bias=False)
        self.bias = nn.Linear(told, channels, bias=False)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        gain, bias = (layer(told)[:, :, None, None].to(x.dtype) for layer in (self.gain, self.bias))
        return self.norm(x) * (1 + gain) + bias


class UpBlock(nn.Module):
    """Norm, ReLU, doubling, convolution, norm, ReLU, convolution, and a 1 x 1 convolution around them (figure 15b)."""

    def __init__(self, before: int, after: int, told: int) -> None:
        super().__init__()
        self.norm0 = ConditionalBatchNorm(before, told)
        self.conv0 = nn.Conv2d(before, after, 3, padding=1)
        self.norm1 = ConditionalBatchNorm(after, told)
        self.conv1 = nn.Conv2d(after, after, 3, padding=1)
        self.skip = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        inner = self.conv0(doubled(F.relu(self.norm0(x, told))))
        inner = self.conv1(F.relu(self.norm1(inner, told)))
        return inner + doubled(self.skip(x))  # which is the skip of the doubled x, at a quarter of the cost


class BigGANGenerator(LatentGenerator):
    """A part of z makes 4 x 4 features, and residual blocks double them; each block is told the class and a part of z.

    The class is embedded once for all blocks. All convolutions and linear layers but that embedding have a spectral
    norm and begin orthogonal.

    Args:
        latent: length of z, of which each block has an equal part, and the first layer what is left.
        condition: length of the vector that says what to make; 0: none, then blocks are told z alone.
        out_channels: channels of the image.
        size: side of the image, a power of two.
        width: channels before the image, which are multiplied towards 4 x 4; 96 in the paper.
        multiples: channels at 4 x 4 and behind each block, in widths. None: the paper's at 64, 128 and 256, and 4
            everywhere below 64, as the authors' code has it for 32.
        attention: sides of features that have self-attention; those that do not come are passed over.
        embedding: length to which a condition is embedded.

    >>> BigGANGenerator(size=32, width=1, condition=10)(torch.zeros(2, 120), torch.eye(10)[:2]).shape
    torch.Size([2, 3, 32, 32])
    """

    tiny_options: ClassVar[dict[str, Any]] = {"latent": 4, "size": 16, "width": 2, "attention": [8]}
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {
        "conditional": {"condition": 3, "embedding": 4, "multiples": [4, 2, 1]},
    }

    def __init__(
        self,
        *,
        latent: Length = 120,
        condition: Condition = 0,
        out_channels: Channels = 3,
        size: PowerSide = 128,
        width: Channels = 96,
        multiples: list[Channels] | None = None,
        attention: list[Side] = [64],
        embedding: Length = 128,
    ) -> None:
        super().__init__()
        blocks = levels_of(size)
        self.chunk = latent // (blocks + 1)
        if not self.chunk:
            raise ConfigError(f"each of {blocks + 1} places takes a part of the latent; found a length of {latent}.")
        widths = [width * multiple for multiple in multiples_for(size, multiples, blocks + 1, MULTIPLES)]
        told = self.chunk + (embedding if condition else 0)
        self.embedding = nn.Linear(condition, embedding, bias=False) if condition else None
        self.project = nn.Linear(latent - blocks * self.chunk, 16 * widths[0])
        self.blocks = nn.ModuleList(UpBlock(before, after, told) for before, after in pairwise(widths))
        self.attention = nn.ModuleDict(
            {str(place): SelfAttention(widths[place + 1]) for place in range(blocks) if 8 * 2**place in attention}
        )
        self.norm = nn.BatchNorm2d(widths[-1])
        self.head = nn.Conv2d(widths[-1], out_channels, 3, padding=1)
        init_weights(self, "orthogonal", 1.0)
        nn.init.ones_(self.norm.weight)
        for module in (self.project, self.blocks, self.attention, self.head):
            add_spectral_norm(module)

    def forward(self, latent: Tensor, *conditions: Tensor) -> Tensor:
        first = latent.shape[1] - self.chunk * len(self.blocks)
        z, *chunks = latent.split([first, *[self.chunk] * len(self.blocks)], dim=1)
        embedded = [] if self.embedding is None else [self.embedding(condition) for condition in conditions]
        x = self.project(z).view(len(z), -1, 4, 4)
        for place, (block, chunk) in enumerate(zip(self.blocks, chunks, strict=True)):
            x = block(x, torch.cat([*embedded, chunk], dim=1))
            if str(place) in self.attention:
                x = self.attention[str(place)](x)
        return self.head(F.relu(self.norm(x))).tanh()


def multiples_for(size: int, given: list[int] | None, count: int, known: dict[int, list[int]]) -> list[int]:
    """What a network of a size multiplies its width by: what is given, or of the paper, or 4 for small images.

    Raises:
        ConfigError: others are given than the network has places for, or none for a size that the paper has not.
    """
    found = given or known.get(size) or ([4] * count if size < 64 else None)
    if found is None:
        raise ConfigError(f"the paper has no channels for {size} x {size}; give {count} multiples.")
    if len(found) != count:
        raise ConfigError(f"at {size} x {size} there are {count} multiples; found {found}.")
    return found
