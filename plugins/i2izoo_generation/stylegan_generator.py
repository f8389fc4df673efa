"""The generators of StyleGAN and StyleGAN2: a mapping network and a synthesis network."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from torch import Tensor

from i2izoo.contracts.ranges import Channels, Count, Layers, Length, Number, Side
from i2izoo.contracts.styles import StyleGenerator
from i2izoo_generation.mapping import MappingNetwork
from i2izoo_generation.stylegan1 import AdaINSynthesis
from i2izoo_generation.synthesis import SkipSynthesis


class StyleGAN2Generator(StyleGenerator):
    """z becomes w, and w, once for each layer, an image (Karras et al. 2020, arXiv 1912.04958).

    What edits images works on the two networks by themselves: `generator.mapping`, and `generator.synthesis`, whose
    `stages` gives features and images of all resolutions.

    Args:
        latent: length of z.
        condition: length of the vector that says what to make; 0: there is none.
        out_channels: channels of the image.
        size: its side, a power of two from 4, in the papers up to 1024.
        style: length of w.
        mapping_layers: of the mapping network; 8 in the papers, 2 in the authors' later code for small images.
        channel_base: channels at a resolution are this divided by it; the paper's 32768 for 1024 x 1024, and 16384 for
            256 x 256.
        channel_max: no more channels than this.
        architecture: of the synthesis network: "skip", that of StyleGAN2, or "adain", that of the original StyleGAN
            (Karras et al. 2019, arXiv 1812.04948).

    >>> import torch
    >>> generator = StyleGAN2Generator(latent=8, size=16, style=8, channel_base=64)
    >>> w = generator.styles(torch.zeros(2, 8))
    >>> w.shape, generator.synthesis(w).shape
    (torch.Size([2, 6, 8]), torch.Size([2, 3, 16, 16]))
    """

    tiny_options: ClassVar[dict[str, Any]] = {
        "latent": 4, "size": 16, "style": 8, "channel_base": 64, "channel_max": 8, "mapping_layers": 2,
    }  # fmt: skip
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {
        "with a condition": {"condition": 3},
        "of StyleGAN": {"architecture": "adain"},
    }

    mapping: MappingNetwork

    def __init__(
        self,
        *,
        latent: Length = 512,
        condition: Count = 0,
        out_channels: Channels = 3,
        size: Side = 256,
        style: Length = 512,
        mapping_layers: Layers = 8,
        channel_base: Number = 16384,
        channel_max: Channels = 512,
        architecture: Literal["skip", "adain"] = "skip",
    ) -> None:
        super().__init__()
        kind = SkipSynthesis if architecture == "skip" else AdaINSynthesis
        self.mapping = MappingNetwork(latent=latent, condition=condition, width=style, layers=mapping_layers)
        self.synthesis = kind(size=size, channels=out_channels, style=style, base=channel_base, most=channel_max)

    def forward(self, latent: Tensor, *conditions: Tensor) -> Tensor:
        w = self.styles(latent, *conditions)
        return self.synthesis(w) if self.training else self.synthesis(w, "constant").clamp(-1, 1)

    def styles(self, latent: Tensor, *conditions: Tensor) -> Tensor:
        """Map z, N x latent, to one w for all layers, N x layers x style; in training the average of w follows."""
        w = self.mapping(latent, *conditions)
        if self.training:
            self.mapping.track(w)
        return w[:, None].expand(-1, self.synthesis.layers, -1)
