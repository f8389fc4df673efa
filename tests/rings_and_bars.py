"""Images of 8 x 8 of which all is known: where a dot may lie, and which bar belongs to a class."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import torch
from i2izoo_generation.gan import GAN
from torch import Tensor

from i2izoo.interfaces import Batch
from i2izoo.testing.training import stepper_of

AnyGAN = TypeVar("AnyGAN", bound=GAN)

GRID = torch.linspace(-7 / 8, 7 / 8, 8)
ANGLES = torch.arange(8) * math.pi / 4
MODES = 0.55 * torch.stack([ANGLES.cos(), ANGLES.sin()], dim=1)
"""Eight places on a ring, x and y in [-1, 1]; 0.42 from one to the next."""

NEAR = 0.15

SCATTERED = 8 * math.pi * NEAR**2 / 1.75**2
"""Share of dots near a mode that lie anywhere in the image."""


def dots(places: Tensor) -> Tensor:
    """A soft dot at each place, N x 1 x 8 x 8 in [-1, 1]."""
    x, y = (torch.exp(-((GRID - place[:, None]) ** 2) / (2 * 0.25**2)) for place in places.T)
    return 2 * (y[:, :, None] * x[:, None, :])[:, None] - 1


def places_of(images: Tensor) -> Tensor:
    """Centre of the light in each image."""
    light = ((images[:, 0] + 1) / 2).clamp_min(0)
    total = light.sum((1, 2)).clamp_min(1e-6)
    return torch.stack([(light.sum(1) * GRID).sum(1), (light.sum(2) * GRID).sum(1)], dim=1) / total[:, None]


def ring(rows: int, draw: torch.Generator) -> Tensor:
    which = torch.randint(8, (rows,), generator=draw)
    return dots(MODES[which] + 0.03 * torch.randn(rows, 2, generator=draw))


def shares(images: Tensor) -> Tensor:
    """Share of the images whose dot lies near each of the modes."""
    distance, mode = torch.cdist(places_of(images), MODES).min(dim=1)
    return torch.bincount(mode[distance < NEAR], minlength=8) / len(images)


def trained(kind: type[AnyGAN], seed: int, steps: int, draw: Any, **options: Any) -> AnyGAN:
    """A GAN after some steps on what `draw` gives; weights, data and its own draws depend on the seed alone."""
    torch.manual_seed(seed)
    method = kind(out_channels=1, size=8, **options)
    stepper, generator = stepper_of(method), torch.Generator().manual_seed(seed)
    for step in range(steps):
        images, labels = draw(generator)
        torch.manual_seed(seed * steps + step)
        stepper.set_rate(min(1.0, 2 - 2 * step / steps))  # falls to 0 in the second half
        stepper.run([Batch({"image": images}, step, step / steps, labels=labels)])
    return method.eval()


def bars(rows: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """A bar two pixels wide on black, as bright as chance has it; its class says which of four it is."""
    labels = torch.randint(4, (rows,), generator=draw)
    images = -torch.ones(rows, 1, 8, 4, 2)
    images[torch.arange(rows), :, :, labels] = torch.rand(rows, 1, 1, 1, generator=draw)
    return images.flatten(3), labels
