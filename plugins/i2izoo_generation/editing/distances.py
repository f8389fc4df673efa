"""How far an image is from another one, for projections: the best of what is at hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch.nn.functional as F
from torch import Tensor

from i2izoo.contracts.annotations import PartSpec
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, MetricError
from i2izoo.files.weights import weights_in
from i2izoo.interfaces import ReconstructionLoss

Distance: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Two images N x C x H x W in [-1, 1] to a scalar."""

PREFERRED = ("lpips", "perceptual", "l2")
"""Losses between images, from the best; of the first two the weights may be missing."""

SEEN = 256
"""Images with a larger side are first reduced to this."""


def open_distance(spec: PartSpec | None, target: Tensor) -> tuple[str, Distance]:
    """The distance that a loss between images is, with its name; it looks at images of 256 pixels at most.

    Args:
        spec: any reconstruction loss, by name or with options; None: LPIPS where its weights are on this machine,
            otherwise the features of an extractor whose weights are, otherwise squared differences of pixels.
        target: the image in question, 1 x C x H x W.

    Raises:
        UnknownNameError: there is no such loss.
        ConfigError: it is none between images.
        MetricError: its weights cannot be had.
    """
    found = None
    for name in PREFERRED if spec is None else ():
        if name in registry("losses") and (found := _at_hand(name, target)):
            return name, _reduced(found)
    loss = registry("losses").build(spec or "l2", ReconstructionLoss)
    return spec if isinstance(spec, str) else str((spec or {}).get("name")), _reduced(loss)


def _at_hand(name: str, target: Tensor) -> ReconstructionLoss | None:
    """The loss, if it can look at such an image with what is on this machine."""
    loss = registry("losses").build(name, ReconstructionLoss)
    image = reduced(target).cpu().float()
    try:
        with weights_in(None, fetch=False):
            loss(image, image)
    except (MetricError, ConfigError):
        return None
    return loss


def _reduced(loss: ReconstructionLoss) -> Distance:
    return lambda made, wanted: loss(reduced(made), reduced(wanted))


def reduced(image: Tensor) -> Tensor:
    """The image with sides of 256 at most, by the mean over areas.

    >>> import torch
    >>> reduced(torch.zeros(1, 3, 1024, 512)).shape
    torch.Size([1, 3, 256, 128])
    """
    largest = max(image.shape[-2:])
    if largest <= SEEN:
        return image
    return F.interpolate(image, [max(1, round(side * SEEN / largest)) for side in image.shape[-2:]], mode="area")
