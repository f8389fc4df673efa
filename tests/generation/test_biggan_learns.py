"""What `biggan` learns: which bar belongs to a class."""

from __future__ import annotations

from typing import Any

import torch
from i2izoo_generation.biggan import BigGAN
from rings_and_bars import bars, trained


def test_a_class_can_be_read_from_the_image(learned: Any, learning_seed: int) -> None:
    network = {"name": "biggan", "width": 8, "attention": [8]}
    method = trained(
        BigGAN, learning_seed, 200, lambda draw: bars(32, draw), latent=8, classes=["a", "b", "c", "d"],
        generator={**network, "embedding": 8}, discriminator=network, learning_rate=5e-3,
        discriminator_learning_rate=5e-3, betas=[0.0, 0.99], discriminator_steps=1,
    )  # fmt: skip
    asked = torch.arange(128) % 4
    with torch.no_grad():
        images = method.generate(to="image", seeds=list(range(128)), size=(8, 8), label=asked)
    brightest = images.view(128, 8, 4, 2).mean((1, 3)).argmax(dim=1)
    right = (brightest == asked).float().mean().item()
    learned("share of the class that was asked for", right, above=0.6, untrained=0.25)
