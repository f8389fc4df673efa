"""A generator of styles as somebody else might write one: no noise, two layers, nothing of StyleGAN's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import torch
from torch import Tensor, nn

from i2izoo.contracts.ranges import Channels, Length, Range
from i2izoo.contracts.styles import Noise, StyleGenerator, StyleMapping, StyleSynthesis


class OwnMapping(StyleMapping):
    def __init__(self, latent: int) -> None:
        super().__init__()
        self.layer = nn.Linear(latent, 5)
        self.register_buffer("average", torch.zeros(5))

    def forward(self, latent: Tensor | None, condition: Tensor | None = None) -> Tensor:
        given = [each for each in (latent, condition) if each is not None]
        return self.layer(torch.cat(given, dim=1)).tanh()


class OwnSynthesis(StyleSynthesis):
    """Two layers: one gives 4 x 4, one adds to it on all sides. It takes no noise."""

    layers, sides = 2, ()

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.coarse, self.fine = nn.Linear(5, channels * 16), nn.Linear(5, channels * size**2)
        self.channels, self.size = channels, size

    def stages(self, w: Tensor, noise: Noise = "random") -> Iterator[tuple[int, Tensor, Tensor | None]]:
        coarse = self.coarse(w[:, 0]).view(-1, self.channels, 4, 4)
        yield 4, coarse, None
        fine = self.fine(w[:, 1]).view(-1, self.channels, self.size, self.size)
        image = (nn.functional.interpolate(coarse, (self.size, self.size)) + fine).tanh()
        yield self.size, image, image


class Styled(StyleGenerator):
    """Of styles, and keeps every rule. Options: latent, condition, out_channels, size."""

    kind: type[StyleSynthesis] = OwnSynthesis

    def __init__(
        self,
        *,
        latent: Length = 4,
        condition: Annotated[int, Range(0, 16)] = 0,
        out_channels: Channels = 3,
        size: Annotated[int, Range(1, 16)] = 8,
    ) -> None:
        super().__init__()
        self.mapping, self.synthesis = OwnMapping(latent + condition), self.kind(out_channels, size)

    def forward(self, latent: Tensor, *conditions: Tensor) -> Tensor:
        w = self.mapping(latent, *conditions)
        return self.synthesis(w[:, None].expand(-1, self.synthesis.layers, -1))
