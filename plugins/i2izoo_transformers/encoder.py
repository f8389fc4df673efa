"""The Vision Transformer as an encoder: an image to a distribution over a latent."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from i2izoo.contracts.ranges import Channels, Layers, Length, Side
from i2izoo.interfaces import Encoder
from i2izoo_transformers.trunk import Statistics, Trunk


class ViTEncoder(Encoder):
    """Patches are tokens that attend to each other, and the class token says mean and log variance.

    Dosovitskiy et al., ICLR 2021, arXiv 2010.11929, by timm. Images may have any size: they are padded to whole
    patches, and positions interpolated.

    Args:
        in_channels: channels of the image.
        latent: length of the latent.
        model: a Vision Transformer of timm's, whose sizes hold where no others are given: `vit_tiny_patch16_224`,
            `vit_small_...`, `vit_base_...`, `vit_large_...` are the paper's and smaller ones.
        dim: length of a token.
        depth: blocks.
        heads: of attention; divide `dim`.
        patch: side of a patch in pixels.
        positions: side of the images that there is a learned position for each patch of.
        weights: a file of timm's weights of `model` to start from; a saved model has its weights and asks for none.
        statistics: what pixels are normalised with: "half" is [-1, 1] as it is; None: what suits the weights.

    >>> import torch
    >>> encoder = ViTEncoder(latent=4, dim=8, depth=1, heads=2, patch=8)
    >>> [moment.shape for moment in encoder(torch.zeros(2, 3, 30, 32))]
    [torch.Size([2, 4]), torch.Size([2, 4])]
    """

    tiny_options: ClassVar[dict[str, Any]] = {"dim": 8, "depth": 2, "heads": 2, "patch": 8, "positions": 32}

    def __init__(
        self,
        *,
        in_channels: Channels = 3,
        latent: Length = 8,
        model: str = "vit_tiny_patch16_224",
        dim: Length | None = None,
        depth: Layers | None = None,
        heads: Layers | None = None,
        patch: Side | None = None,
        positions: Side | None = None,
        weights: str = "",
        statistics: Statistics | None = None,
    ) -> None:
        super().__init__()
        self.trunk = Trunk(
            model=model, in_channels=in_channels, dim=dim, depth=depth, heads=heads, patch=patch, positions=positions,
            weights=weights, statistics=statistics,
        )  # fmt: skip
        self.config |= {"weights": "", "statistics": self.trunk.statistics}
        self.mean, self.log_variance = nn.Linear(self.trunk.dim, latent), nn.Linear(self.trunk.dim, latent)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        told, _ = self.trunk(image)
        return self.mean(told), self.log_variance(told)
