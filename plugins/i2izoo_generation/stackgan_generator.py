"""StackGAN's two stages as one generator of latents."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn

from i2izoo.contracts.ranges import Blocks, Channels, Gain, Length, Range
from i2izoo.errors import ConfigError
from i2izoo.interfaces import LatentGenerator
from i2izoo.nn.init import Init, init_weights
from i2izoo_generation.dcgan import Condition
from i2izoo_generation.levels import PowerSide
from i2izoo_generation.stackgan_stages import StageOne, StageTwo


class StackGANGenerator(LatentGenerator):
    """A first stage draws a small image of a latent and a text, and a second one, told the text again, enlarges it.

    The latent is z, and behind it the noise of the conditioning augmentation, which both stages share, each with an
    augmentation of its own. Without a condition the augmented one is that noise itself, a draw from the prior N(0, I).

    Args:
        latent: length of z and the noise together; 100 + 128 in the paper.
        condition: length of the embedding of a text; 0: there is none, but for the noise.
        out_channels: channels of the image.
        size: side of the image, a power of two.
        low_size: side of the first stage's image, a power of two below it.
        middle: side to which the second stage halves that one, for its residual blocks; a power of two.
        conditioning: length of the augmented condition, and of its noise.
        width: channels of the convolutions: 8 x width at 4 x 4, halved each time the side is doubled, and 4 x width in
            the second stage's middle; 192 in settings of the authors' code.
        residual_blocks: of the second stage.
        detail: the second stage adds to the small image, enlarged, and begins with adding nothing, as a step of a
            Laplacian pyramid (Denton et al. 2015, arXiv 1506.05751); in the paper it makes an image anew.
        init: initialisation of the weights.
        init_gain: its standard deviation or gain.

    >>> generator = StackGANGenerator(latent=12, condition=5, conditioning=4, size=32, low_size=16, width=4)
    >>> generator(torch.zeros(2, 12), torch.zeros(2, 5)).shape
    torch.Size([2, 3, 32, 32])
    """

    stage: Tensor
    """1: it gives the first stage's image; 2: the second one's. Kept with the weights."""

    tiny_options: ClassVar[dict[str, Any]] = {
        "latent": 4, "conditioning": 2, "size": 16, "low_size": 8, "middle": 2, "width": 4,
        "residual_blocks": 1, "init_gain": 0.2,
    }  # fmt: skip
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {
        "conditional": {"condition": 3}, "detail": {"condition": 3, "detail": True},
    }  # fmt: skip

    def __init__(
        self,
        *,
        latent: Length = 228,
        condition: Condition = 0,
        out_channels: Channels = 3,
        size: PowerSide = 256,
        low_size: PowerSide = 64,
        middle: Annotated[int, Range(1, 4096)] = 16,
        conditioning: Annotated[int, Range(1, 65535)] = 128,
        width: Channels = 192,
        residual_blocks: Blocks = 4,
        detail: bool = False,
        init: Init = "normal",
        init_gain: Gain = 0.02,
    ) -> None:
        super().__init__()
        if latent <= conditioning:
            raise ConfigError(
                f"the latent is z and, behind it, {conditioning} numbers of noise of the conditioning augmentation, "
                f"and its length is {latent}; give a longer latent, or a smaller generator.conditioning."
            )
        if size <= low_size:
            raise ConfigError(
                f"the second stage enlarges what the first one makes; found low_size {low_size} for images of {size}."
            )
        if low_size % middle or (low_size // middle).bit_count() != 1:
            raise ConfigError(f"the second stage halves {low_size} x {low_size} down to its middle; found {middle}.")
        self.low_size, self.parts = low_size, [latent - conditioning, conditioning]
        told = {"condition": condition, "conditioning": conditioning, "out_channels": out_channels, "width": width}
        self.first = StageOne(latent=latent, size=low_size, **told)
        self.second = StageTwo(
            low_size=low_size, middle=middle, size=size, residual_blocks=residual_blocks, detail=detail, **told
        )
        self.register_buffer("stage", torch.tensor(2))
        init_weights(self, init, init_gain)
        if detail:
            nn.init.zeros_(self.second.image[0].get_parameter("weight"))

    def forward(self, latent: Tensor, *conditions: Tensor) -> Tensor:
        """See the interface; in stage 1 the side is `low_size`. The condition may be left out."""
        z, noise = latent.split(self.parts, dim=1)
        image = self.first(z, noise, *conditions)
        return image if int(self.stage) == 1 else self.second(image, noise, *conditions)

    def divergence(self, condition: Tensor) -> Tensor:
        """Of the augmentation of the stage that it is in; see `ConditioningAugmentation`."""
        augmentation = (self.first if int(self.stage) == 1 else self.second).augmentation
        assert augmentation is not None  # it has a condition
        return augmentation.divergence(condition)
