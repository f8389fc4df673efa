"""The networks of DCGAN (Radford, Metz and Chintala, ICLR 2016, arXiv 1511.06434).

Convolutions with strides in place of pooling, batch norm but at the image, no hidden layer that is fully connected.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2izoo.contracts.ranges import Channels, Gain, Length, Range
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Discriminator, LatentGenerator
from i2izoo.nn.init import Init, init_weights
from i2izoo.nn.norm import Norm, make_norm
from i2izoo_generation.levels import PowerSide, doubled, fade, halved, levels_of

Kernel: TypeAlias = Literal[4, 5]
Condition: TypeAlias = Annotated[int, Range(0, 65536)]
"""Length of the vector that says what an image shows; 0: there is none."""


class DCGANGenerator(LatentGenerator):
    """A latent is projected to 4 x 4, and transposed convolutions double the side up to the image (figure 1).

    At 64 x 64 the layers have 1024, 512, 256 and 128 channels, as in the paper. Larger images have more layers, of
    8 x `width` channels at most. The projection is normalised unit by unit, as in the authors' code.

    Args:
        latent: length of the latent.
        condition: length of the vector that says what to make; 0: none.
        out_channels: channels of the image.
        size: side of the image, a power of two.
        width: channels before the image; they double towards 4 x 4, to 8 x width.
        kernel: side of the convolutions: 5 in the paper, 4 (with a width of 64) in many implementations since.
        norm: "batch", "instance" or "none", on all layers but the last.
        embedding: length to which a condition is embedded, before it is joined to the latent.
        progressive: have a last layer for each side from 8 x 8 on, so that training can grow through them.
        init: initialisation of the weights.
        init_gain: its standard deviation or gain; 0.02 is the paper's, for its widths.

    >>> DCGANGenerator(size=32, width=4)(torch.zeros(2, 100)).shape
    torch.Size([2, 3, 32, 32])
    """

    tiny_options: ClassVar[dict[str, Any]] = {"latent": 4, "size": 16, "width": 4, "init_gain": 0.2}
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {"conditional": {"condition": 3, "embedding": 4, "kernel": 4}}
    level: Tensor | float

    def __init__(
        self,
        *,
        latent: Length = 100,
        condition: Condition = 0,
        out_channels: Channels = 3,
        size: PowerSide = 64,
        width: Channels = 128,
        kernel: Kernel = 5,
        norm: Norm = "batch",
        embedding: Length = 128,
        progressive: bool = False,
        init: Init = "normal",
        init_gain: Gain = 0.02,
    ) -> None:
        super().__init__()
        levels = levels_of(size)
        widths = [width * min(2**level, 8) for level in reversed(range(levels))]
        self.embedding = nn.Linear(condition, embedding) if condition else None
        bias = norm == "none"
        self.project = nn.Linear(latent + (embedding if condition else 0), 16 * widths[0], bias=bias)
        self.project_norm = nn.BatchNorm1d(16 * widths[0]) if norm == "batch" else make_norm(norm, widths[0])
        self.blocks = nn.ModuleList(
            nn.Sequential(_doubling(before, after, kernel, bias), make_norm(norm, after), nn.ReLU())
            for before, after in pairwise(widths)
        )
        self.heads = nn.ModuleList(
            _doubling(before, out_channels, kernel, bias=False) for before in (widths if progressive else widths[-1:])
        )
        _set_level(self, levels, progressive)
        init_weights(self, init, init_gain)

    def forward(self, latent: Tensor, *conditions: Tensor) -> Tensor:
        """See the interface; below the last `level` the side is that of the level."""
        x = latent if self.embedding is None else torch.cat([latent, *map(self.embedding, conditions)], dim=1)
        x = self.project(x)
        if isinstance(self.project_norm, nn.BatchNorm1d):
            if self.training and len(x) < 2:
                raise ConfigError(
                    "batch norm has no statistics of a single latent; train with a batch_size of at least 2, or with "
                    "generator.norm=instance."
                )
            x = self.project_norm(x).view(len(x), -1, 4, 4)
        else:
            x = self.project_norm(x.view(len(x), -1, 4, 4))
        before = x = F.relu(x)

        level = float(self.level)
        top = math.ceil(level)
        for block in list(self.blocks)[: top - 1]:
            before, x = x, block(x)
        image = self._head(top)(x).tanh()
        return fade(doubled(self._head(top - 1)(before).tanh()), image, level) if level < top else image

    def _head(self, level: int) -> nn.Module:
        return self.heads[level - 1 if len(self.heads) > 1 else 0]


class DCGANDiscriminator(Discriminator):
    """The generator's mirror: convolutions halve the side down to 4 x 4, and a linear layer gives one logit.

    Told what an image should show, it judges that, too: by a projection, the inner product of features and embedded
    condition (Miyato and Koyama 2018, arXiv 1802.05637), or by the embedded condition beside the features at 4 x 4
    (Reed et al. 2016, arXiv 1605.05396, section 4.1).

    Args:
        in_channels: channels of the image.
        size: side of the image, a power of two.
        condition: length of the vector that says what the image should show; 0: none.
        conditioning: "projection" or "concat", where there is a condition.
        width: channels of the first layer; they double to 8 x width.
        kernel: side of the convolutions: 5 in the paper, 4 (with a width of 64) in many implementations since.
        norm: "batch", "instance" or "none", on all convolutions but the first; "none" for the loss "wgangp".
        embedding: length to which a condition is embedded, where it is concatenated.
        progressive: have a first layer for each side from 8 x 8 on, so that training can grow through them.
        init: initialisation of the weights.
        init_gain: its standard deviation or gain; 0.02 is the paper's, for its widths.

    >>> [logits.shape for logits in DCGANDiscriminator(size=32, width=4)(torch.zeros(2, 3, 32, 32))]
    [torch.Size([2, 1])]
    """

    tiny_options: ClassVar[dict[str, Any]] = {"size": 16, "width": 4, "init_gain": 0.2}
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {
        "projection": {"condition": 3, "kernel": 4},
        "concat": {"condition": 3, "conditioning": "concat", "embedding": 4},
    }
    level: Tensor | float

    def __init__(
        self,
        *,
        in_channels: Channels = 3,
        size: PowerSide = 64,
        condition: Condition = 0,
        conditioning: Literal["projection", "concat"] = "projection",
        width: Channels = 128,
        kernel: Kernel = 5,
        norm: Norm = "batch",
        embedding: Length = 128,
        progressive: bool = False,
        init: Init = "normal",
        init_gain: Gain = 0.02,
    ) -> None:
        super().__init__()
        levels = levels_of(size)
        self.conditioning = conditioning if condition else None
        widths = [width * min(2**level, 8) for level in range(levels)]
        last, bias = widths[-1], norm == "none"
        self.stems = nn.ModuleList(
            nn.Sequential(_halving(in_channels, after, kernel, bias=False), nn.LeakyReLU(0.2))
            for after in (widths if progressive else widths[:1])
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(_halving(before, after, kernel, bias), make_norm(norm, after), nn.LeakyReLU(0.2))
            for before, after in pairwise(widths)
        )
        if self.conditioning == "projection":
            self.projection = nn.Linear(condition, 16 * last, bias=False)
        elif self.conditioning == "concat":
            self.embedding = nn.Linear(condition, embedding)
            joined = nn.Conv2d(last + embedding, last, 1, bias=bias)
            self.joined = nn.Sequential(joined, make_norm(norm, last), nn.LeakyReLU(0.2))
        self.head = nn.Linear(16 * last, 1, bias=False)
        _set_level(self, levels, progressive)
        init_weights(self, init, init_gain)

    def forward(self, image: Tensor, *conditions: Tensor) -> list[Tensor]:
        """See the interface; below the last `level` the side is that of the level."""
        level, levels = float(self.level), len(self.blocks) + 1
        top = math.ceil(level)
        if image.shape[-2:] != (side := 4 * 2**top, side):
            found = f"{image.shape[-1]} x {image.shape[-2]}"
            raise ConfigError(f"this discriminator judges images of {side} x {side}, and found {found}; set its size.")
        x = self.stems[levels - top](image)
        for place, block in enumerate(list(self.blocks)[levels - top :]):
            x = block(x)
            if place == 0 and level < top:
                x = fade(self.stems[levels - top + 1](halved(image)), x, level)
        if self.conditioning == "concat":
            told = self.embedding(conditions[0])[:, :, None, None].expand(-1, -1, 4, 4)
            x = self.joined(torch.cat([x, told], dim=1))
        features = x.flatten(1)
        logits = self.head(features)
        if self.conditioning == "projection":
            logits = logits + (self.projection(conditions[0]) * features).sum(dim=1, keepdim=True)
        return [logits]


def _doubling(before: int, after: int, kernel: int, bias: bool) -> nn.Module:
    return nn.ConvTranspose2d(before, after, kernel, 2, (kernel - 1) // 2, kernel % 2, bias=bias)


def _halving(before: int, after: int, kernel: int, bias: bool) -> nn.Module:
    return nn.Conv2d(before, after, kernel, 2, (kernel - 1) // 2, bias=bias)


def _set_level(network: nn.Module, levels: int, progressive: bool) -> None:
    """Work at the last level; one that grows keeps it beside its weights, so that it is saved with them."""
    if progressive:
        network.register_buffer("level", torch.tensor(float(levels)))
    else:
        network.level = float(levels)  # type: ignore[assignment]
