"""What `stackgan` learns, with its text encoder, of captions whose words can be counted in the image."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from i2izoo_generation.stackgan import StackGAN
from torch import Tensor

from i2izoo.interfaces import Batch
from i2izoo.testing.training import stepper_of

NUMBERS, COLOURS = ("one floor", "two floors", "three floors"), ("red", "green", "blue")
SIDE = 16


def facade(floors: Tensor, colours: Tensor, lightness: Tensor) -> Tensor:
    """Walls of a colour, N x 3 x 16 x 16, with a dark row of windows for each floor from 0 to 2, from below."""
    images = -torch.ones(len(floors), 3, SIDE, SIDE)
    images[torch.arange(len(floors)), colours] = lightness[:, None, None]
    for floor in range(3):
        top = 12 - 4 * floor
        images[floors >= floor, :, top : top + 2, 2:14] = -1
    return images


def read(images: Tensor) -> tuple[Tensor, Tensor]:
    """Floors and colours: the brightest channel, and the places of windows that are darker than half of the wall."""
    wall = ((images + 1) / 2).clamp_min(0)
    colours = wall.mean((2, 3)).argmax(dim=1)
    light = wall[torch.arange(len(images)), colours][:, :, 3:13].mean(dim=2)
    between = light[:, [0, 1, 6, 7, 10, 11, 14, 15]].mean(dim=1)
    dark = torch.stack([light[:, 12 - 4 * f : 14 - 4 * f].mean(dim=1) < 0.5 * between for f in range(3)], dim=1)
    floors = torch.where((dark[:, 1:] & ~dark[:, :-1]).any(dim=1) | ~dark[:, 0], -1, dark.sum(dim=1) - 1)
    return floors, colours


def draw(rows: int, generator: torch.Generator) -> tuple[Tensor, list[str]]:
    floors, colours = (torch.randint(3, (rows,), generator=generator) for _ in range(2))
    images = facade(floors, colours, torch.rand(rows, generator=generator) * 0.8)
    return images, [f"{NUMBERS[f]}, {COLOURS[c]}" for f, c in zip(floors, colours, strict=True)]


def test_what_was_drawn_can_be_read() -> None:
    floors, colours = torch.arange(9) // 3, torch.arange(9) % 3
    found = read(facade(floors, colours, torch.linspace(0, 0.8, 9)))
    assert torch.equal(found[0], floors)
    assert torch.equal(found[1], colours)


@pytest.mark.learns
@pytest.mark.slow
def test_the_words_of_a_caption_can_be_read_in_the_image(learned: Any, learning_seed: int) -> None:
    steps = 360
    torch.manual_seed(learning_seed)
    judge = {"name": "dcgan", "width": 24, "norm": "none", "conditioning": "concat", "embedding": 16, "init": "kaiming"}
    method = StackGAN(
        size=SIDE, latent=12, text_encoder={"name": "cnn_rnn", "length": 16, "channels": [24] * 3, "characters": 48},
        generator={
            "name": "stackgan", "conditioning": 8, "low_size": 8, "middle": 4, "width": 6, "residual_blocks": 1,
            "init": "kaiming",
        },
        first_discriminator=judge, discriminator=judge, gan_loss={"name": "vanilla", "r1": 0.1}, text_share=0.25,
        first_share=0.5, image_width=8, divergence_weight=0.005, learning_rate=2.5e-3, text_learning_rate=3e-3,
        betas=[0.5, 0.99],
    )  # fmt: skip
    stepper, generator = stepper_of(method), torch.Generator().manual_seed(learning_seed)
    for step in range(steps):
        images, texts = draw(32, generator)
        torch.manual_seed(learning_seed * steps + step)
        stepper.run([Batch({"image": images}, step, step / steps, texts=texts)])
    method.eval()

    floors, colours = torch.arange(126) % 3, torch.arange(126) // 3 % 3
    asked = [f"{NUMBERS[f]}, {COLOURS[c]}" for f, c in zip(floors, colours, strict=True)]
    with torch.no_grad():
        found = read(method.generate(to="image", seeds=list(range(126)), size=(SIDE, SIDE), text=asked))
    learned(
        "share of colours that were asked for", (found[1] == colours).float().mean().item(), above=0.5, untrained=1 / 3
    )
    learned(
        "share of floors that were asked for", (found[0] == floors).float().mean().item(), above=0.5, untrained=1 / 3
    )
