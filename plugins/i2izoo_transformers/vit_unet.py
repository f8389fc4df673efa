"""The generator of UVCGAN: a U-Net whose innermost level is a Vision Transformer over pixels (arXiv 2203.02557)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn

from i2izoo.contracts.ranges import Channels, Count, Items, Layers, Length
from i2izoo.errors import ConfigError, listing, suggest
from i2izoo.interfaces import Generator
from i2izoo.nn.latent import the_latent, tile
from i2izoo_transformers.pixelwise import PixelwiseViT


class ViTUNet(Generator):
    """Convolutions where images are large, attention between all pixels where they are small; in [-1, 1].

    Torbunov et al., "UVCGAN: UNet Vision Transformer cycle-consistent GAN for unpaired image-to-image translation",
    WACV 2023, section 3.1 and figure 2. A level of the U-Net is two convolutions of 3 x 3 and one of 2 x 2 that halves
    the size; on the way back the size is doubled, and what the level had on the way down stands beside. The authors'
    generator ends in a sigmoid for images in [0, 1], this one in tanh, which is the same for those in [-1, 1] but for a
    factor of 2 in what the last layer learns.

    Args:
        in_channels: channels of the input image.
        out_channels: channels of the output image.
        widths: channels of each level; sides are multiples of 2 ** levels. Of 256 x 256 the transformer sees 16 x 16
            tokens behind the paper's four levels; it is the quadratic in their number that images pay for.
        dim: length of a token.
        depth: transformer blocks; 12 in the paper.
        heads: of attention; divide `dim`.
        mlp: width inside of the MLPs, in parts of `dim`.
        embedding: length of the position embedding.
        rezero: weigh what each block adds by a number that begins at 0.
        latent: length L of the latent vector that `forward` then takes after the image, N x L, which stands beside the
            features of every token; 0: none.

    >>> ViTUNet(widths=[4, 8], dim=8, depth=1, heads=2, embedding=8)(torch.zeros(1, 3, 8, 12)).shape
    torch.Size([1, 3, 8, 12])
    """

    tiny_options: ClassVar[dict[str, Any]] = {"widths": [4, 8], "dim": 8, "depth": 2, "heads": 2, "embedding": 8}
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {
        "with a latent": {"latent": 3},
        "without rezero": {"rezero": False},
    }

    def __init__(
        self,
        *,
        in_channels: Channels = 3,
        out_channels: Channels = 3,
        widths: Annotated[list[Channels], Items(1, 12)] = [48, 96, 192, 384],
        dim: Length = 384,
        depth: Layers = 12,
        heads: Layers = 6,
        mlp: Layers = 4,
        embedding: Length = 384,
        rezero: bool = True,
        latent: Count = 0,
    ) -> None:
        super().__init__()
        if dim % heads:
            raise ConfigError(f"heads divide dim; found heads={heads} and dim={dim}.")
        self.size_multiple = self.min_size = 2 ** len(widths)
        self.latent = latent
        self.input = nn.Sequential(nn.Conv2d(in_channels, widths[0], 3, 1, 1), nn.LeakyReLU())
        steps = list(pairwise([widths[0], *widths]))
        self.encoders = nn.ModuleList(convolutions(before, after, after) for before, after in steps)
        self.down = nn.ModuleList(nn.Conv2d(width, width, 2, 2) for width in widths)
        self.bottleneck = PixelwiseViT(
            channels=widths[-1], extra=latent, dim=dim, depth=depth, heads=heads, hidden=mlp * dim, embedding=embedding,
            rezero=rezero,
        )  # fmt: skip
        self.up = nn.ModuleList(
            nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, 1, 1)) for width in widths
        )
        self.decoders = nn.ModuleList(convolutions(2 * after, after, before) for before, after in steps)
        self.output = nn.Sequential(nn.Conv2d(widths[0], out_channels, 1), nn.Tanh())

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        x, skips = self.input(image), []
        for encoder, down in zip(self.encoders, self.down, strict=True):
            skips.append(encoder(x))
            x = down(skips[-1])
        x = self.bottleneck(tile(x, the_latent(conditions, self.latent)) if self.latent else x)
        for skip, up, decoder in zip(reversed(skips), reversed(self.up), reversed(self.decoders), strict=True):
            x = decoder(torch.cat([up(x), skip], dim=1))
        return self.output(x)

    def features(self, image: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """Outputs of the levels e1 to en on the way down by name, as CUT compares them.

        Raises:
            ConfigError: there is no such level.
        """
        known = [f"e{level}" for level in range(1, len(self.encoders) + 1)]
        if unknown := [name for name in names if name not in known]:
            raise ConfigError(f"no layer {unknown[0]!r}{suggest(unknown[0], known) or '.'} Layers: {listing(known)}.")
        found: dict[str, Tensor] = {}
        x = self.input(image)
        for name, encoder, down in zip(known, self.encoders, self.down, strict=True):
            if len(found) == len(set(names)):
                break
            x = encoder(x)
            if name in names:
                found[name] = x
            x = down(x)
        return found

    def example_inputs(self, batch: int = 2, size: int | None = None) -> tuple[Tensor, ...]:
        images = super().example_inputs(batch, size)
        return (*images, torch.randn(batch, self.latent)) if self.latent else images


def convolutions(before: int, between: int, after: int) -> nn.Module:
    """Instance norm, convolution of 3 x 3, LeakyReLU of torch's own slope 0.01, twice, as in the authors' code."""
    layers = [
        (nn.InstanceNorm2d(width), nn.Conv2d(width, wider, 3, 1, 1), nn.LeakyReLU())
        for width, wider in pairwise((before, between, after))
    ]
    return nn.Sequential(*(layer for three in layers for layer in three))
