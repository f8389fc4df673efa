"""The Vision Transformer as a discriminator: a logit for each patch, and one for the image."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from i2izoo.contracts.ranges import Channels, Count, Layers, Length, Side
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Discriminator
from i2izoo_transformers.trunk import Statistics, Trunk


class ViTDiscriminator(Discriminator):
    """Each patch, having attended to all others, is judged, and the class token judges the image.

    The trunk is that of Dosovitskiy et al., ICLR 2021, arXiv 2010.11929, by timm; logits of patches are what PatchGAN
    has, of the class token what a discriminator of whole images has. A loss takes the mean over the patches and adds
    the two. Told what an image should show, the class token judges that, too, by a projection (Miyato and Koyama 2018,
    arXiv 1802.05637). Its attention is computed in steps, so that "wgangp" and R1 have their second derivatives.

    Args:
        in_channels: channels of what it judges; condition and image together where it is conditional.
        condition: length of the vector that says what the image should show; 0: there is none.
        judges: "both", or "patches" or the "image" alone.
        model: a Vision Transformer of timm's, whose sizes hold where no others are given.
        dim: length of a token.
        depth: blocks.
        heads: of attention; divide `dim`.
        patch: side of a patch in pixels; 4 or so for images of 32 x 32.
        positions: side of the images that there is a learned position for each patch of; those of others are
            interpolated.
        weights: a file of timm's weights of `model` to start from; a saved model has its weights and asks for none.
        statistics: what pixels are normalised with: "half" is [-1, 1] as it is; None: what suits the weights.

    >>> import torch
    >>> judge = ViTDiscriminator(dim=8, depth=1, heads=2, patch=8)
    >>> [logits.shape for logits in judge(torch.zeros(2, 3, 32, 32))]
    [torch.Size([2, 1, 4, 4]), torch.Size([2, 1])]
    """

    tiny_options: ClassVar[dict[str, Any]] = {"dim": 8, "depth": 2, "heads": 2, "patch": 8, "positions": 32}
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {
        "with a condition": {"condition": 3},
        "patches": {"judges": "patches"},
    }

    def __init__(
        self,
        *,
        in_channels: Channels = 3,
        condition: Count = 0,
        judges: Literal["both", "patches", "image"] = "both",
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
        if condition and judges == "patches":
            raise ConfigError("a condition is judged by the class token; set judges to 'both' or 'image'.")
        self.trunk = Trunk(
            model=model, in_channels=in_channels, dim=dim, depth=depth, heads=heads, patch=patch, positions=positions,
            weights=weights, statistics=statistics, explicit=True,
        )  # fmt: skip
        self.config |= {"weights": "", "statistics": self.trunk.statistics}
        self.min_size = self.trunk.patch
        self.patches = None if judges == "image" else nn.Conv2d(self.trunk.dim, 1, 1)
        self.image = None if judges == "patches" else nn.Linear(self.trunk.dim, 1)
        self.projection = nn.Linear(condition, self.trunk.dim, bias=False) if condition else None

    def forward(self, image: Tensor, *conditions: Tensor) -> list[Tensor]:
        told, patches = self.trunk(image)
        logits = [] if self.patches is None else [self.patches(patches)]
        if self.image is None:
            return logits
        of_image = self.image(told)
        if self.projection is not None:
            of_image = of_image + (self.projection(conditions[0]) * told).sum(dim=1, keepdim=True)
        return [*logits, of_image]
