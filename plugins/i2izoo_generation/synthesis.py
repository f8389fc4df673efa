"""Synthesis networks: from w, one for each layer, and noise to an image; that of StyleGAN2 (arXiv 1912.04958)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from i2izoo.contracts.styles import Noise, StyleSynthesis
from i2izoo.errors import ConfigError
from i2izoo_generation.equalised import EqualisedLinear, lrelu
from i2izoo_generation.modulated import modulated_convolution
from i2izoo_generation.upfirdn import separable, upsample2d


def widths(size: int, base: int, most: int) -> dict[int, int]:
    """Resolution -> channels, of 4 to `size`: `base` / resolution, and no more than `most`.

    >>> widths(32, 256, 48)
    {4: 48, 8: 32, 16: 16, 32: 8}
    """
    if size < 4 or size & (size - 1):
        raise ConfigError(f"size is a power of two from 4; found {size}.")
    return {2**k: max(1, min(base // 2**k, most)) for k in range(2, size.bit_length())}


class Synthesis(StyleSynthesis):
    """From a learned 4 x 4 on, with 2 w for each resolution."""

    def keep_noise(self) -> None:
        """Draw the constant noise."""
        for place, side in enumerate(self.sides):
            self.register_buffer(f"noise{place}", nn.init.normal_(torch.empty(side, side)))

    def constant_noise(self) -> list[Tensor]:
        return [self.get_buffer(f"noise{place}") for place in range(len(self.sides))]

    def noises(self, w: Tensor, noise: Noise) -> Sequence[Tensor | None]:
        """The noise of each layer that takes some.

        Raises:
            ConfigError: it is none of these.
        """
        if noise == "none":
            return [None] * len(self.sides)
        if noise == "constant":
            return self.constant_noise()
        if noise == "random":
            return [torch.randn(len(w), 1, side, side, device=w.device, dtype=w.dtype) for side in self.sides]
        if isinstance(noise, str) or len(noise) != len(self.sides):
            raise ConfigError(
                f"noise is 'random', 'constant', 'none', or {len(self.sides)} tensors, one for each layer; found "
                f"{repr(noise) if isinstance(noise, str) else len(noise)}."
            )
        return noise


class StyledConvolution(nn.Module):
    """Modulated convolution, noise, bias, LeakyReLU: N x before x H x W to N x after x H x W.

    Args:
        before, after: channels.
        style: length of w.
        up: double the size.
    """

    kernel: Tensor

    def __init__(self, before: int, after: int, style: int, up: bool) -> None:
        super().__init__()
        self.style = EqualisedLinear(style, before, bias=1.0)
        self.weight = nn.Parameter(nn.init.normal_(torch.empty(after, before, 3, 3)))
        self.bias = nn.Parameter(torch.zeros(after))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.up = up
        self.register_buffer("kernel", separable(), persistent=False)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        with torch.autocast(w.device.type, enabled=False):
            style = self.style(w)
        x = modulated_convolution(x, self.weight, style, up=self.kernel if self.up else None)
        if noise is not None:
            x = x + (self.noise_strength * noise).to(x.dtype)
        return lrelu(x + self.bias.to(x.dtype)[:, None, None])


class ToImage(nn.Module):
    """A modulated 1 x 1 convolution without demodulation, and a bias: features to the channels of an image."""

    def __init__(self, before: int, channels: int, style: int) -> None:
        super().__init__()
        self.style = EqualisedLinear(style, before, bias=1.0)
        self.weight = nn.Parameter(nn.init.normal_(torch.empty(channels, before, 1, 1)))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.scale = before**-0.5

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        with torch.autocast(w.device.type, enabled=False):
            style = self.style(w) * self.scale
        x = modulated_convolution(x, self.weight, style, demodulate=False)
        return x.to(self.bias.dtype) + self.bias[:, None, None]


class SynthesisBlock(nn.Module):
    """All that is done at one resolution: one styled convolution at 4 x 4, two at others, and an image to add."""

    def __init__(self, before: int, after: int, channels: int, style: int) -> None:
        super().__init__()
        layers = [StyledConvolution(before, after, style, up=True)] if before else []
        self.layers = nn.ModuleList([*layers, StyledConvolution(after, after, style, up=False)])
        self.to_image = ToImage(after, channels, style)


class SkipSynthesis(Synthesis):
    """That of StyleGAN2: each resolution adds to the image that the one before has given (its figure 7b).

    Each styled convolution has its own w; what makes an image of a resolution's features shares the w of the next
    resolution's first, as in the authors' code.

    Args:
        size: side of the image, a power of two from 4.
        channels: of the image.
        style: length of w.
        base: channels at a resolution are `base` divided by it ...
        most: ... but no more than this.
    """

    kernel: Tensor

    def __init__(self, *, size: int, channels: int, style: int, base: int, most: int) -> None:
        super().__init__()
        features = widths(size, base, most)
        self.start = nn.Parameter(nn.init.normal_(torch.empty(features[4], 4, 4)))
        self.blocks = nn.ModuleDict(
            {
                str(side): SynthesisBlock(features.get(side // 2, 0), width, channels, style)
                for side, width in features.items()
            }
        )
        self.layers = 2 * len(features)
        self.sides = [4, *(side for side in features if side > 4 for _ in range(2))]
        self.keep_noise()
        self.register_buffer("kernel", separable(), persistent=False)

    def stages(self, w: Tensor, noise: Noise = "random") -> Iterator[tuple[int, Tensor, Tensor]]:
        noises, place = self.noises(w, noise), 0
        x = self.start.expand(len(w), *self.start.shape)
        image: Tensor | None = None
        for side, block in self.blocks.items():
            assert isinstance(block, SynthesisBlock)  # for the type checker
            for layer in block.layers:
                x = layer(x, w[:, place], noises[place])
                place += 1
            added = block.to_image(x, w[:, place])
            image = added if image is None else upsample2d(image, self.kernel) + added
            yield int(side), x, image

    def affine(self, layer: int) -> Tensor:
        """Of the last layer, which only makes the image, that of its 1 x 1 convolution."""
        styles = {name: each for name, each in self.named_parameters() if name.endswith("style.weight")}
        last = list(styles.values())[-1]
        return [*(each for name, each in styles.items() if ".layers." in name), last][layer]
