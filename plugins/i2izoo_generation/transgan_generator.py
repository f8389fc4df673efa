"""The generator of TransGAN: transformer blocks alone, no convolutions (arXiv 2102.07074)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2izoo.contracts.ranges import Channels, Count, Items, Layers, Length, Range, Side
from i2izoo.errors import ConfigError
from i2izoo.interfaces import LatentGenerator
from i2izoo_generation.levels import PowerSide, levels_of
from i2izoo_generation.transgan_block import Stage, TokenNorm


class TransGANGenerator(LatentGenerator):
    """A latent becomes 8 x 8 tokens, and each stage doubles their side and attends (section 3.1, figure 2).

    The last three doublings shuffle a token's channels into four tokens of a quarter of them, those before interpolate,
    bicubically, and keep the channels. Attention is of all tokens to all on small grids, and within windows on large
    ones. Each token of the last stage is a pixel, by a linear layer and without tanh: in training its values are not
    bounded, and what is generated is cut to [-1, 1].

    Args:
        latent: length of the latent.
        condition: length of the vector that says what to make, which is joined to the latent; 0: none.
        out_channels: channels of the image.
        size: side of the image, a power of two.
        width: channels at 8 x 8; 1024 in the paper.
        depths: blocks of each stage, from 8 x 8 on; None: the paper's, 5, 4 and 2 for 32 x 32, or else 5 and then 4.
        heads: of attention; divide the channels of every stage.
        mlp: width inside of the MLPs, in parts of a stage's channels.
        norm: of tokens, "layer", or "pixel" as the authors' code for 256 x 256.
        window: side of the windows.
        grid_from: side of the first grid that is attended in windows; 64 in the paper.

    >>> TransGANGenerator(latent=8, size=16, width=16)(torch.zeros(2, 8)).shape
    torch.Size([2, 3, 16, 16])
    """

    tiny_options: ClassVar[dict[str, Any]] = {
        "latent": 4, "size": 16, "width": 16, "depths": [1, 1], "heads": 2, "mlp": 2, "window": 8, "grid_from": 16,
    }  # fmt: skip
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {"conditional": {"condition": 3, "norm": "pixel"}}

    def __init__(
        self,
        *,
        latent: Length = 256,
        condition: Count = 0,
        out_channels: Channels = 3,
        size: PowerSide = 32,
        width: Channels = 1024,
        depths: Annotated[list[Layers], Items(1, 16)] | None = None,
        heads: Layers = 4,
        mlp: Annotated[int, Range(1, 64)] = 4,
        norm: TokenNorm = "layer",
        window: Side = 16,
        grid_from: Side = 64,
    ) -> None:
        super().__init__()
        sides = [4 * 2**level for level in range(1, levels_of(size) + 1)]
        if depths is None:
            depths = [5, 4, 2] if size == 32 else [5] + [4] * (len(sides) - 1)
        if len(depths) != len(sides):
            raise ConfigError(f"depths has a number for each of the sides {sides}; found {depths}.")
        shuffles = [place >= len(sides) - 3 for place in range(1, len(sides))]
        widths = [width // 4 ** sum(shuffles[:place]) for place in range(len(sides))]
        if width % 4 ** sum(shuffles):
            raise ConfigError(f"{sum(shuffles)} of the doublings quarter the channels, which width={width} cannot.")
        self.shuffles = shuffles
        self.project = nn.Linear(latent + condition, 64 * width)
        self.stages = nn.ModuleList(
            Stage(dim, side, [side if side < grid_from else min(window, side)] * depth, heads, norm, mlp)
            for dim, side, depth in zip(widths, sides, depths, strict=True)
        )
        self.to_image = nn.Linear(widths[-1], out_channels)
        nn.init.xavier_uniform_(self.to_image.weight)

    def forward(self, latent: Tensor, *conditions: Tensor) -> Tensor:
        """See the interface; in training it is not cut to [-1, 1]."""
        x = self.project(torch.cat([latent, *conditions], dim=1)).unflatten(1, (8, 8, -1)).permute(0, 3, 1, 2)
        x = self.stages[0](x)
        for shuffle, stage in zip(self.shuffles, list(self.stages)[1:], strict=True):
            x = F.pixel_shuffle(x, 2) if shuffle else F.interpolate(x, scale_factor=2, mode="bicubic")
            x = stage(x)
        image = self.to_image(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return image if self.training else image.clamp(-1, 1)
