"""A generator that finds colours alone: the lightness of its output is that of its input, whatever its weights are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from i2izoo.contracts.ranges import Channels
from i2izoo.contracts.registry import complete_spec, registry
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Generator, Part
from i2izoo.nn.colour import linear_to_srgb, luminance, normalise_lab, recolour, signed_to_lab


class KeepLightness(Generator):
    """Any generator inside CIE L*a*b*: it sees L* and gives a* and b*, and L* is the input's own.

    For colouring without pairs, by `cut`, `fastcut` or `cyclegan`: what is drawn in L* (edges, texture, houses that are
    not there) cannot be invented. Images outside are grey or RGB; a colour image counts by its L* alone. So an identity
    loss, of G(y) and y, asks it to colour the grey copies of the colour images, which are pairs that cost nothing.

    Discriminators see RGB, as viewers do: colours alone, without the lightness that they lie on, could be right
    anywhere. Colours that sRGB cannot show at their L* are made paler until it can, in training as in translation.

    Of one output channel, the way from colour to grey, it has nothing to learn and no weights: it is the grey image of
    the same L*.

    Args:
        in_channels: 1 or 3, of the image, of which L* counts.
        out_channels: 3; or 1, the way back.
        generator: any generator; it sees L* / 50 - 1 and two planes, which are a* / 110 and b* / 110 of images whose
            features are asked for, and 0 otherwise.

    Raises:
        ConfigError: other numbers of channels.

    >>> G = KeepLightness(generator={"name": "resnet_6blocks", "width": 4}, in_channels=1)
    >>> grey = torch.rand(1, 1, 16, 16) * 2 - 1
    >>> back = KeepLightness(out_channels=1)
    >>> G(grey).shape, bool((back(G(grey)) - grey).abs().max() < 1e-3)
    (torch.Size([1, 3, 16, 16]), True)
    """

    tiny_options: ClassVar[dict[str, Any]] = {"generator": {"name": "resnet_9blocks", "width": 4, "blocks": 1}}

    def __init__(
        self,
        *,
        in_channels: Channels = 3,
        out_channels: Channels = 3,
        generator: Part[Generator] = "resnet_9blocks",
    ) -> None:
        super().__init__()
        if in_channels not in (1, 3) or out_channels not in (1, 3):
            raise ConfigError(
                "keep_lightness is between grey and RGB images, of 1 and 3 channels; "
                f"found in_channels={in_channels} and out_channels={out_channels}."
            )
        inner = registry("generators").build(generator, Generator, in_channels=3, out_channels=2)
        self.config["generator"] = complete_spec(generator, inner, without=["in_channels", "out_channels"])
        self.generator = inner if out_channels == 3 else None
        if out_channels == 3:
            self.size_multiple, self.min_size = inner.size_multiple, inner.min_size

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        """N x in x H x W in [-1, 1] to RGB, or grey, of the same L*; `conditions` are those of the generator inside."""
        if self.generator is None:
            return (linear_to_srgb(luminance(image)) * 2 - 1).to(image.dtype)
        lightness = normalise_lab(signed_to_lab(image))[:, :1]
        seen = torch.cat([lightness, torch.zeros_like(lightness).expand(-1, 2, -1, -1)], dim=1)
        return recolour(image, self.generator(seen.to(image.dtype), *conditions)).to(image.dtype)

    def features(self, image: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """Outputs of the named layers of the generator inside, of an image with its colours (CUT compares them).

        Raises:
            ConfigError: it has no features to give.
        """
        give = getattr(self.generator, "features", None)
        if not callable(give):
            raise ConfigError(
                f"keep_lightness has features where its generator has, and {type(self.generator).__name__} has no "
                "method features(image, names); take 'resnet_9blocks', or give it one."
            )
        found: dict[str, Tensor] = give(normalise_lab(signed_to_lab(image)).to(image.dtype), names)
        return found

    def example_inputs(self, batch: int = 2, size: int | None = None) -> tuple[Tensor, ...]:
        image, *_ = super().example_inputs(batch, size)
        conditions = () if self.generator is None else self.generator.example_inputs(batch, image.shape[-1])[1:]
        return (image, *conditions)
