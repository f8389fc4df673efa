"""What `gan` learns, on images of which all is known: where a dot may lie, and which bar belongs to a class."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from i2izoo_generation.gan import GAN
from torch import Tensor

from i2izoo.interfaces import Batch
from i2izoo.testing.training import stepper_of

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


def trained(seed: int, steps: int, draw: Any, **options: Any) -> GAN:
    """`gan` after some steps on what `draw` gives; weights, data and its own draws depend on the seed alone."""
    torch.manual_seed(seed)
    method = GAN(out_channels=1, size=8, **options)
    stepper, generator = stepper_of(method), torch.Generator().manual_seed(seed)
    for step in range(steps):
        images, labels = draw(generator)
        torch.manual_seed(seed * steps + step)
        stepper.set_rate(min(1.0, 2 - 2 * step / steps))  # falls to 0 in the second half
        stepper.run([Batch({"image": images}, step, step / steps, labels=labels)])
    return method.eval()


def test_places_can_be_read() -> None:
    assert (places_of(dots(MODES)) - MODES).abs().max() < 0.02
    assert shares(ring(400, torch.Generator().manual_seed(0))).min() > 0.08  # of 0.125 that are expected


@pytest.mark.parametrize(
    "gan_loss",
    ["vanilla", *(pytest.param(name, marks=pytest.mark.slow) for name in ("lsgan", "hinge", "wgangp"))],
)
def test_all_modes_of_a_ring_are_found(gan_loss: str, learned: Any, learning_seed: int) -> None:
    network = {"name": "dcgan", "width": 48, "init": "kaiming"}
    method = trained(
        learning_seed, 1000, lambda draw: (ring(64, draw), None), latent=4, generator=network,
        discriminator={**network, "norm": "none"}, gan_loss=gan_loss, learning_rate=3e-3, betas=[0.5, 0.99],
    )  # fmt: skip
    with torch.no_grad():
        found = shares(method.generate(to="image", seeds=list(range(512)), size=(8, 8)))
    learned("share of the rarest mode", found.min().item(), above=0.01, untrained=0)
    learned("share near a mode", found.sum().item(), above=0.28, untrained=SCATTERED)


def bars(rows: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """A bar two pixels wide on black, as bright as chance has it; its class says which of four it is."""
    labels = torch.randint(4, (rows,), generator=draw)
    images = -torch.ones(rows, 1, 8, 4, 2)
    images[torch.arange(rows), :, :, labels] = torch.rand(rows, 1, 1, 1, generator=draw)
    return images.flatten(3), labels


@pytest.mark.parametrize("conditioning", ["projection", pytest.param("concat", marks=pytest.mark.slow)])
def test_a_class_can_be_read_from_the_image(conditioning: str, learned: Any, learning_seed: int) -> None:
    network = {"name": "dcgan", "width": 16, "init": "kaiming"}
    method = trained(
        learning_seed, 200, lambda draw: bars(64, draw), latent=8, classes=["a", "b", "c", "d"], generator=network,
        discriminator={**network, "norm": "none", "conditioning": conditioning}, learning_rate=2e-3, betas=[0.5, 0.99],
    )  # fmt: skip
    asked = torch.arange(128) % 4
    with torch.no_grad():
        images = method.generate(to="image", seeds=list(range(128)), size=(8, 8), label=asked)
    brightest = images.view(128, 8, 4, 2).mean((1, 3)).argmax(dim=1)
    right = (brightest == asked).float().mean().item()
    learned("share of the class that was asked for", right, above=0.8, untrained=0.25)
