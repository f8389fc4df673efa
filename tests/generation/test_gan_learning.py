"""What `gan` learns, on images of which all is known: where a dot may lie, and which bar belongs to a class."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from i2izoo_generation.gan import GAN
from rings_and_bars import MODES, SCATTERED, bars, dots, places_of, ring, shares, trained


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
        GAN, learning_seed, 1000, lambda draw: (ring(64, draw), None), latent=4, generator=network,
        discriminator={**network, "norm": "none"}, gan_loss=gan_loss, learning_rate=3e-3, betas=[0.5, 0.99],
    )  # fmt: skip
    with torch.no_grad():
        found = shares(method.generate(to="image", seeds=list(range(512)), size=(8, 8)))
    learned("share of the rarest mode", found.min().item(), above=0.01, untrained=0)
    learned("share near a mode", found.sum().item(), above=0.28, untrained=SCATTERED)


@pytest.mark.parametrize("conditioning", ["projection", pytest.param("concat", marks=pytest.mark.slow)])
def test_a_class_can_be_read_from_the_image(conditioning: str, learned: Any, learning_seed: int) -> None:
    network = {"name": "dcgan", "width": 16, "init": "kaiming"}
    method = trained(
        GAN, learning_seed, 200, lambda draw: bars(64, draw), latent=8, classes=["a", "b", "c", "d"], generator=network,
        discriminator={**network, "norm": "none", "conditioning": conditioning}, learning_rate=2e-3, betas=[0.5, 0.99],
    )  # fmt: skip
    asked = torch.arange(128) % 4
    with torch.no_grad():
        images = method.generate(to="image", seeds=list(range(128)), size=(8, 8), label=asked)
    brightest = images.view(128, 8, 4, 2).mean((1, 3)).argmax(dim=1)
    right = (brightest == asked).float().mean().item()
    learned("share of the class that was asked for", right, above=0.8, untrained=0.25)
