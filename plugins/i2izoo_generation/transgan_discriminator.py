"""The discriminator of TransGAN: tokens of patches of several sizes (arXiv 2102.07074)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2izoo.contracts.ranges import Channels, Count, Gain, Items, Layers, Range, Side
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Discriminator
from i2izoo.nn.init import Init, init_weights
from i2izoo_generation.levels import PowerSide
from i2izoo_generation.transgan_block import Stage, TokenNorm, TransformerBlock, token_norm


class TransGANDiscriminator(Discriminator):
    """Patches become tokens and attend; their grid is halved, and patches of twice the side stand beside (figure 2).

    At the end a class token attends to all, and a linear layer makes it a logit. On a large grid all blocks but the
    last work in windows. Of the channels 3/4 are those of the smallest patches, and the others share the rest, as in
    the authors' code. Told what an image should show, the class token judges that by a projection (Miyato and Koyama
    2018, arXiv 1802.05637).

    Args:
        in_channels: channels of the image.
        size: side of the image, a power of two.
        condition: length of the vector that says what the image should show; 0: none.
        patch: side of the smallest patches: 2 for 32 x 32, 4 for 256 x 256.
        width: channels at the end; 384 in the paper. A multiple of 4 times the number of patches' sizes less one.
        depths: blocks of each size of patches, as many as there are: [3, 3] for 32 x 32, and in the authors' code
            [3, 3, 4] for 256 x 256.
        heads: of attention; divide the channels of every stage.
        mlp: width inside of the MLPs, in parts of a stage's channels.
        norm: of tokens, "layer" or "pixel".
        window: side of the windows.
        grid_from: side of the first grid that is attended in windows; 64 in the paper.
        init: initialisation of the linear layers; "xavier" with a gain of 1 is what narrow networks want.
        init_gain: its standard deviation or gain; 0.02 is the authors' code's, for its widths.

    >>> [logits.shape for logits in TransGANDiscriminator(size=16, width=16)(torch.zeros(2, 3, 16, 16))]
    [torch.Size([2, 1])]
    """

    tiny_options: ClassVar[dict[str, Any]] = {
        "size": 16, "width": 16, "depths": [2, 1], "heads": 2, "mlp": 2, "window": 4, "grid_from": 8,
    }  # fmt: skip
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {
        "conditional": {"condition": 3},
        "three sizes": {"depths": [1, 1, 1], "norm": "pixel"},
    }

    def __init__(
        self,
        *,
        in_channels: Channels = 3,
        size: PowerSide = 32,
        condition: Count = 0,
        patch: Annotated[int, Range(1, 256)] = 2,
        width: Channels = 384,
        depths: Annotated[list[Layers], Items(1, 8)] = [3, 3],
        heads: Layers = 4,
        mlp: Annotated[int, Range(1, 64)] = 4,
        norm: TokenNorm = "layer",
        window: Side = 16,
        grid_from: Side = 64,
        init: Init = "normal",
        init_gain: Gain = 0.02,
    ) -> None:
        super().__init__()
        scales = len(depths)
        largest = patch * 2 ** (scales - 1)
        if size % largest or width % (4 * max(1, scales - 1)):
            raise ConfigError(
                f"patches of {patch} to {largest} divide the side, and {4 * max(1, scales - 1)} the width; found "
                f"size={size} and width={width}."
            )
        self.size = self.min_size = size
        rest = width // 4 // max(1, scales - 1)
        parts = [width if scales == 1 else width - (scales - 1) * rest] + [rest] * (scales - 1)
        self.from_image = nn.ModuleList(
            nn.Conv2d(in_channels, part, patch * 2**scale, patch * 2**scale) for scale, part in enumerate(parts)
        )
        self.stages = nn.ModuleList()
        for scale, depth in enumerate(depths):
            side = size // patch // 2**scale
            small = side if side < grid_from else min(window, side)
            windows = [small] * (depth - 1) + [side]
            self.stages.append(Stage(sum(parts[: scale + 1]), side, windows, heads, norm, mlp))
        self.class_token = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, width), std=0.02))
        self.last = TransformerBlock(width, heads, 0, norm, mlp)
        self.norm, self.head = token_norm(norm, width), nn.Linear(width, 1)
        self.projection = nn.Linear(condition, width, bias=False) if condition else None
        init_weights(self, init, init_gain)
        for layer in self.from_image:
            nn.init.xavier_uniform_(layer.get_parameter("weight"))

    def forward(self, image: Tensor, *conditions: Tensor) -> list[Tensor]:
        if image.shape[-2:] != (self.size, self.size):
            found = f"{image.shape[-1]} x {image.shape[-2]}"
            raise ConfigError(f"this discriminator judges images of side {self.size}, and found {found}; set its size.")
        x = self.stages[0](self.from_image[0](image))
        for from_image, stage in zip(list(self.from_image)[1:], list(self.stages)[1:], strict=True):
            x = stage(torch.cat([F.avg_pool2d(x, 2), from_image(image)], dim=1))
        tokens = torch.cat([self.class_token.expand(len(x), -1, -1), x.flatten(2).transpose(1, 2)], dim=1)
        told = self.norm(self.last(tokens))[:, 0]
        logits = self.head(told)
        if self.projection is not None:
            logits = logits + (self.projection(conditions[0]) * told).sum(dim=1, keepdim=True)
        return [logits]
