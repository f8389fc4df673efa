"""StyleGAN2 finds the modes of a task whose modes are known; in so few steps it may miss one of four."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from i2izoo_generation.stylegan2 import StyleGAN2
from steps import train
from torch import Tensor

SIDE = 8
MODES = torch.tensor([[0.8, -0.8, -0.8], [-0.8, 0.8, -0.8], [-0.8, -0.8, 0.8], [0.8, 0.8, 0.8]])[:, :, None, None]
MODES = MODES * torch.tensor([1.0] * 4 + [0.25] * 4)[:, None].expand(SIDE, SIDE)
"""Images of one of four colours, bright above, dim below; two of them are 0.95 apart (root mean square)."""


def draw(generator: torch.Generator) -> dict[str, Tensor]:
    noise = 0.05 * torch.randn(16, 3, SIDE, SIDE, generator=generator)
    return {"image": MODES[torch.randint(4, (16,), generator=generator)] + noise}


@pytest.mark.learns
def test_it_finds_at_least_three_of_four_modes(learned: Any, learning_seed: int) -> None:
    def build() -> StyleGAN2:
        sizes = {"name": "stylegan2", "channel_base": 1024, "channel_max": 16}
        return StyleGAN2(
            size=SIDE, latent=4, generator={**sizes, "style": 8, "mapping_layers": 1}, discriminator=sizes,
            learning_rate=0.01, r1=0.3, path_length=0.0, mixing=0.0,
        )  # fmt: skip

    method = train(build, draw, steps=200, seed=learning_seed)
    with torch.no_grad():
        made = method.generate(to="image", seeds=list(range(256)), size=(SIDE, SIDE))
    distance, mode = (made[:, None] - MODES).square().mean(dim=(2, 3, 4)).sqrt().min(dim=1)
    near = distance < 0.4
    counts = torch.bincount(mode[near], minlength=4)
    learned("share of images near a mode", near.float().mean().item(), above=0.4, untrained=0)
    learned("images of the second rarest mode, of 256", counts.sort().values[1].item(), above=5, untrained=0)
