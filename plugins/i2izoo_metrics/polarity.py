"""Which parts of an image are small, its light or its dark ones: two numbers, no network."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from i2izoo.contracts.ranges import Items, Range
from i2izoo.interfaces import FeatureExtractor
from i2izoo_metrics.resizing import Resize, describe, resize, to_levels

SIDE = 64
"""Pixels; what is told apart is large."""


class Polarity(FeatureExtractor):
    """Skewness of the brightness of an image against its surroundings, N x 3 x H x W to N x scales.

    At each scale the image blurred by a Gaussian less the same blurred twice as wide, a band of its details, and of its
    values the skewness, in [-inf, inf]: below 0 where small dark parts (windows) lie on light ground (walls), above 0
    where they are light, about 0 where neither is. Brightness and contrast do not matter, and of what is too fine
    for the scales nothing remains, so images that are still fog compare with photographs. An image and its negative
    have opposite numbers. `fid[polarity]` is what `--screen-seeds` looks at.

    Args:
        scales: standard deviations of the narrow Gaussians, as shares of the side.
        resize: to 64 x 64, see `i2izoo_metrics.resizing`.

    >>> image = torch.ones(1, 3, 64, 64)
    >>> image[..., 20:40, 20:40] = -1.0  # a dark window
    >>> [round(value, 1) for value in Polarity()(image)[0].tolist()]
    [-2.4, -2.7]
    """

    tiny_options: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        *,
        scales: Annotated[list[Annotated[float, Range(0.005, 0.1)]], Items(1, 16)] = [0.0625, 0.0884],
        resize: Resize = "clean",
    ) -> None:
        super().__init__()
        self.scales, self.how, self.preprocessing = scales, resize, describe((SIDE, SIDE), resize)

    def forward(self, image: Tensor) -> Tensor:
        light = resize(to_levels(image), (SIDE, SIDE), self.how).mean(dim=1, keepdim=True)
        light = light / light.std(dim=(1, 2, 3), keepdim=True).clamp(min=1e-3)
        return torch.stack([_skewness(_blur(light, s * SIDE) - _blur(light, 2 * s * SIDE)) for s in self.scales], dim=1)


def _blur(image: Tensor, sigma: float) -> Tensor:
    """By a Gaussian that is cut after three standard deviations; the borders mirror."""
    return gaussian_blur(image, [2 * int(3 * sigma) + 1] * 2, [sigma] * 2)


def _skewness(values: Tensor) -> Tensor:
    """Of each of N x 1 x H x W: the third central moment over that of a standard deviation; 0 where there is none."""
    centred = (values - values.mean(dim=(1, 2, 3), keepdim=True)).flatten(1)
    return centred.pow(3).mean(dim=1) / (centred.square().mean(dim=1).sqrt().pow(3) + 1e-9)
