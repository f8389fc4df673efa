"""The synthesis network of the original StyleGAN (Karras et al. 2019, arXiv 1812.04948, figure 1b)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2izoo.contracts.styles import Noise
from i2izoo_generation.equalised import EqualisedConv2d, EqualisedLinear, lrelu
from i2izoo_generation.synthesis import Synthesis, widths
from i2izoo_generation.upfirdn import separable, upfirdn2d


def adaptive_instance_norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Instance norm, then a scale and a shift of each channel (Huang and Belongie 2017, arXiv 1703.06868): eq. 1.

    Args:
        x: N x C x H x W.
        scale, shift: N x C.

    >>> adaptive_instance_norm(torch.tensor([-1.0, 1.0]).view(1, 1, 1, 2), torch.tensor([[2.0]]), torch.tensor([[1.0]]))
    tensor([[[[-1.,  3.]]]])
    """
    full = x.to(scale.dtype)  # the statistics of many pixels, in float32
    normal = F.instance_norm(full, eps=1e-8)
    return (normal * scale[:, :, None, None] + shift[:, :, None, None]).to(x.dtype)


class AdaINLayer(nn.Module):
    """What follows a convolution: noise of a strength for each channel, bias, LeakyReLU, and AdaIN by w."""

    def __init__(self, channels: int, style: int) -> None:
        super().__init__()
        self.noise_strength = nn.Parameter(torch.zeros(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.style = EqualisedLinear(style, 2 * channels)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        if noise is not None:
            x = x + (self.noise_strength[:, None, None] * noise).to(x.dtype)
        x = lrelu(x + self.bias.to(x.dtype)[:, None, None])
        with torch.autocast(w.device.type, enabled=False):
            scale, shift = self.style(w).chunk(2, dim=1)
        return adaptive_instance_norm(x, scale + 1, shift)


class AdaINSynthesis(Synthesis):
    """A learned constant, and at each resolution twice: convolution, noise, AdaIN; the last features become the image.

    The size is doubled by repeating pixels, and smoothed by [1, 2, 1] behind the convolution. Options are those of
    `SkipSynthesis`.
    """

    kernel: Tensor

    def __init__(self, *, size: int, channels: int, style: int, base: int, most: int) -> None:
        super().__init__()
        features = widths(size, base, most)
        self.start = nn.Parameter(torch.ones(features[4], 4, 4))
        self.sides = [side for side in features for _ in range(2)]
        self.layers = len(self.sides)
        before = [features[4], *(features[side] for side in self.sides)][: self.layers]
        self.convolutions = nn.ModuleList(
            EqualisedConv2d(i, features[side], 3, activated=False)
            for i, side in zip(before[1:], self.sides[1:], strict=True)
        )
        self.adain = nn.ModuleList(AdaINLayer(features[side], style) for side in self.sides)
        self.to_image = EqualisedConv2d(features[size], channels, 1, activated=False)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.keep_noise()
        self.register_buffer("kernel", separable((1.0, 2.0, 1.0)), persistent=False)

    def stages(self, w: Tensor, noise: Noise = "random") -> Iterator[tuple[int, Tensor, Tensor | None]]:
        noises = self.noises(w, noise)
        x = self.start.expand(len(w), *self.start.shape)
        for place, side in enumerate(self.sides):
            grows = place > 1 and place % 2 == 0
            if grows:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            if place:
                x = self.convolutions[place - 1](x)
            if grows:
                x = upfirdn2d(x, self.kernel, padding=(1, 1))
            x = self.adain[place](x, w[:, place], noises[place])
            if place % 2:
                last = place == self.layers - 1
                yield side, x, self.to_image(x).to(self.bias.dtype) + self.bias[:, None, None] if last else None

    def affine(self, layer: int) -> Tensor:
        return self.get_parameter(f"adain.{layer}.style.weight")
