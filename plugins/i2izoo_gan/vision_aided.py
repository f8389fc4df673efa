"""A discriminator that also looks through a network of another training (Kumari, Zhang, Shechtman and Zhu, "Ensembling
off-the-shelf models for GAN training", CVPR 2022, arXiv 2112.09130)."""

from __future__ import annotations

import warnings
from typing import Annotated, Any, ClassVar

from torch import Tensor, nn

from i2izoo.contracts.frozen import frozen
from i2izoo.contracts.ranges import Channels, Items, Range
from i2izoo.contracts.registry import complete_spec, registry
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Discriminator, FeatureExtractor, Part
from i2izoo.nn.spectral import add_spectral_norm

Index = Annotated[int, Range(-64, 63)]


class VisionAided(Discriminator):
    """An ordinary discriminator, and beside it small heads on the feature maps of a frozen extractor.

    Its logits are those of `discriminator`, then a map of each head, so any adversarial loss adds them up as equals
    (eq. 3). A head is a 3 x 3 convolution, LeakyReLU and a 1 x 1 convolution with spectral norm, as the heads of the
    authors' code on the levels of a network, without their subsampling. The extractor resizes and normalises images
    itself, and the generator's gradient passes through it; its weights are not trained and not saved.

    Of a conditional discriminator, which is shown source and image, the extractor sees the image alone. Images that
    are neither grey nor RGB, such as planes of classes, are left to `discriminator`; a warning says so once.

    Args:
        in_channels: channels of what it judges; condition and image together where it is conditional.
        extractor: any feature extractor; one without maps has a single one, of 1 x 1, which are its features.
        maps: which of its maps have a head, counted from the finest, 0, or from the coarsest, -1.
        channels: of these maps; None: found out, which loads the extractor. A saved model has them, so opening it to
            translate does not.
        width: channels inside of each head.
        discriminator: any discriminator, of what all of it judges.

    >>> import torch
    >>> options = {"extractor": {"name": "pixels", "size": 4}, "maps": [-1], "width": 8}
    >>> judge = VisionAided(**options, discriminator={"name": "patchgan", "width": 4})
    >>> [tuple(logits.shape) for logits in judge(torch.zeros(2, 3, 64, 64))]
    [(2, 1, 6, 6), (2, 1, 1, 1)]
    """

    tiny_options: ClassVar[dict[str, Any]] = {
        "extractor": {"name": "pixels", "size": 4},
        "maps": [-1],
        "width": 4,
        "discriminator": {"name": "patchgan", "width": 4, "layers": 2},
    }

    def __init__(
        self,
        *,
        in_channels: Channels = 3,
        extractor: Part[FeatureExtractor] = "efficientnet_lite0",
        maps: Annotated[list[Index], Items(1, 64)] = [-3, -2, -1],
        channels: Annotated[list[Channels], Items(1, 64)] | None = None,
        width: Channels = 256,
        discriminator: Part[Discriminator] = "patchgan",
    ) -> None:
        super().__init__()
        self.discriminator = registry("discriminators").build(discriminator, Discriminator, in_channels=in_channels)
        self.config["discriminator"] = complete_spec(discriminator, self.discriminator, without=["in_channels"])
        self.extractor, self.config["extractor"] = frozen(extractor)
        self.maps, self.min_size = maps, self.discriminator.min_size
        if channels is None:
            channels = self._chosen(self.extractor.map_channels())
        if len(channels) != len(maps):
            raise ConfigError(f"channels has a number for each of maps, {maps}; found {channels}.")
        self.config["channels"] = channels
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Conv2d(each, width, 3, 1, 1), nn.LeakyReLU(0.2), nn.Conv2d(width, 1, 1))
            for each in channels
        )
        add_spectral_norm(self.heads)
        self.warned = False

    def forward(self, image: Tensor) -> list[Tensor]:
        logits: list[Tensor] = self.discriminator(image)
        image = image[:, self.condition_channels :]
        if image.shape[1] not in (1, 3):
            self._warn(image.shape[1])
            return logits
        found = self._chosen(self.extractor.maps(image))
        if [each.shape[1] for each in found] != self.config["channels"]:
            raise ConfigError(
                f"the maps {self.maps} of the extractor {self.extractor.name!r} have "
                f"{[each.shape[1] for each in found]} channels, and the heads are for {self.config['channels']}."
            )
        return logits + [head(each) for head, each in zip(self.heads, found, strict=True)]

    def _chosen(self, of_all: list[Any]) -> list[Any]:
        """What belongs to the maps that have a head, of a list of what belongs to all."""
        try:
            return [of_all[index] for index in self.maps]
        except IndexError:
            raise ConfigError(
                f"the extractor {self.extractor.name!r} has {len(of_all)} maps, and maps={self.maps} asks for others."
            ) from None

    def _warn(self, channels: int) -> None:
        if not self.warned:
            warnings.warn(
                f"vision_aided judges images of {channels} channels by patches alone: the extractor "
                f"{self.extractor.name!r} sees grey or RGB images.",
                stacklevel=3,
            )
        self.warned = True
