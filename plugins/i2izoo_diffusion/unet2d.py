"""The denoising U-Net of DDPM (Ho et al., NeurIPS 2020), as diffusers has it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from i2izoo.contracts.ranges import Channels, Items, Layers, Range
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Generator


class UNet2D(Generator):
    """diffusers' `UNet2DModel`: residual blocks and self-attention over levels of halving resolution, told the time.

    What a method conditions on (a source image, a flag) is concatenated to the noisy image by the method.

    Args:
        in_channels: channels of all that is concatenated.
        out_channels: channels of what it predicts.
        channels: channels of each level, from the full resolution down.
        attention: levels with self-attention, counted from 0; the innermost block always has it.
        layers: residual blocks for each level on the way down (one more on the way up).
        dropout: in the residual blocks.
        norm_groups: groups of the normalisation; divides every entry of `channels`.
        head_channels: channels of an attention head.
        guidance_embedding: it is told a guidance weight beside the time, which distillation teaches it to obey (Meng
            et al., arXiv 2210.03142, section 3.1). A new one ignores the weight.

    >>> network = UNet2D(in_channels=7, channels=[8, 16], attention=[1], norm_groups=4)
    >>> network(torch.zeros(2, 7, 16, 24), torch.tensor([0.0, 999.0])).shape
    torch.Size([2, 3, 16, 24])
    """

    tiny_options: ClassVar[dict[str, Any]] = {
        "channels": [8, 16], "attention": [1], "layers": 1, "norm_groups": 4, "head_channels": 8,
    }  # fmt: skip

    def __init__(
        self,
        *,
        in_channels: Channels = 3,
        out_channels: Channels = 3,
        channels: Annotated[list[Channels], Items(1, 16)] = [128, 128, 256, 256, 512, 512],
        attention: list[Annotated[int, Range(0, 15)]] = [4],
        layers: Layers = 2,
        dropout: Annotated[float, Range(0, 1, without="high")] = 0.0,
        norm_groups: Channels = 32,
        head_channels: Channels = 8,
        guidance_embedding: bool = False,
    ) -> None:
        from diffusers.models import UNet2DModel

        super().__init__()
        if any(c % norm_groups for c in channels):
            raise ConfigError(f"channels are multiples of norm_groups ({norm_groups}), one a level; found {channels}.")
        if wrong := [level for level in attention if level >= len(channels)]:
            raise ConfigError(f"attention names levels from 0 to {len(channels) - 1}; found {wrong[0]}.")
        down = ["AttnDownBlock2D" if level in attention else "DownBlock2D" for level in range(len(channels))]
        self.net = UNet2DModel(
            in_channels=in_channels, out_channels=out_channels, block_out_channels=tuple(channels),
            down_block_types=tuple(down), up_block_types=tuple(d.replace("Down", "Up") for d in reversed(down)),
            layers_per_block=layers, dropout=dropout, norm_num_groups=norm_groups, attention_head_dim=head_channels,
            class_embed_type="timestep" if guidance_embedding else None,
        )  # fmt: skip
        self.guidance_embedding = guidance_embedding
        if guidance_embedding:
            last = self.net.class_embedding.linear_2
            torch.nn.init.zeros_(last.weight)
            torch.nn.init.zeros_(last.bias)
        self.size_multiple = self.min_size = 2 ** (len(channels) - 1)

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        """N x in_channels x H x W and the time N (0 to 1000, fractions allowed) to N x out_channels x H x W.

        With `guidance_embedding` the guidance weight N follows the time.
        """
        if not self.guidance_embedding:
            (time,) = conditions
            return self.net(image, time, return_dict=False)[0]
        time, weight = conditions
        # the weight goes in as a time does, thousandfold: a sinusoid and two layers (LCM, arXiv 2310.04378)
        return self.net(image, time, class_labels=1000 * weight, return_dict=False)[0]

    def example_inputs(self, batch: int = 2, size: int | None = None) -> tuple[Tensor, ...]:
        weights = (torch.linspace(1, 5, batch),) if self.guidance_embedding else ()
        return (*super().example_inputs(batch, size), torch.linspace(0, 999, batch), *weights)
