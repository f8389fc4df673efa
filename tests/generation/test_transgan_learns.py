"""TransGAN's networks learn: the generator from a discriminator known to teach, the discriminator from images."""

from __future__ import annotations

from typing import Any

import torch
from i2izoo_gan.losses import Hinge
from i2izoo_generation.gan import GAN
from i2izoo_generation.transgan_discriminator import TransGANDiscriminator
from rings_and_bars import bars, trained


def test_the_generator_learns_a_class_by_attention_alone(learned: Any, learning_seed: int) -> None:
    method = trained(
        GAN, learning_seed, 200, lambda draw: bars(32, draw), latent=8, classes=["a", "b", "c", "d"],
        generator={"name": "transgan", "width": 32, "depths": [1], "heads": 2, "mlp": 2},
        discriminator={"name": "dcgan", "width": 16, "init": "kaiming", "norm": "none"},
        learning_rate=2e-3, betas=[0.5, 0.99],
    )  # fmt: skip
    asked = torch.arange(128) % 4
    with torch.no_grad():
        images = method.generate(to="image", seeds=list(range(128)), size=(8, 8), label=asked)
    brightest = images.view(128, 8, 4, 2).mean((1, 3)).argmax(dim=1)
    learned(
        "share of the class that was asked for", (brightest == asked).float().mean().item(), above=0.5, untrained=0.25
    )


def test_the_discriminator_learns_where_a_bar_belongs(learned: Any, learning_seed: int) -> None:
    """Bars in the left half are real, in the right half not: only the places of tokens tell."""
    torch.manual_seed(learning_seed)
    judge = TransGANDiscriminator(
        in_channels=1, size=8, width=32, depths=[1, 1], heads=2, mlp=2, init="xavier", init_gain=1.0
    )
    adam, loss = torch.optim.Adam(judge.parameters(), 3e-3, betas=(0.9, 0.99)), Hinge()
    draw = torch.Generator().manual_seed(learning_seed)
    for _ in range(60):
        images, labels = bars(64, draw)
        adam.zero_grad()
        loss.discriminator(judge(images[labels < 2]), judge(images[labels >= 2])).backward()
        adam.step()
    images, labels = bars(256, draw)
    with torch.no_grad():
        right = ((judge(images)[0][:, 0] > 0) == (labels < 2)).float().mean().item()
    learned("accuracy", right, above=0.8, untrained=0.5)
