"""Which windows stand for an image: as many as are asked for, spread, and together as bright and rough as it is."""

from __future__ import annotations

import torch
from torch import Tensor

from i2izoo.rasters.choosing import choose
from i2izoo.rasters.grid import spans

SIDE, TILES = 16, 9


def windows(image: Tensor, count: int, valid: Tensor | None = None) -> list[Tensor]:
    rows, columns = (spans(side, SIDE, overlap=0) for side in image.shape[-2:])

    def read(top: int, bottom: int, left: int, right: int) -> Tensor | None:
        if valid is not None and not valid[top // SIDE, left // SIDE]:
            return None
        return image[:, top:bottom, left:right]

    return [one.image for one in choose(read, rows, columns, count)]


def drawn(seed: int) -> Tensor:
    """Tiles of any brightness and roughness; a few are far brighter than the others."""
    draw = torch.Generator().manual_seed(seed)
    level = torch.rand(TILES, TILES, generator=draw) ** 3
    rough = torch.rand(TILES, TILES, generator=draw)
    both = [x.repeat_interleave(SIDE, 0).repeat_interleave(SIDE, 1) for x in (level, rough)]
    return (both[0] + 0.2 * both[1] * torch.randn(TILES * SIDE, TILES * SIDE, generator=draw))[None]


def test_together_they_are_as_the_image_is() -> None:
    """In ten images; a draw is several times farther away."""
    for seed in range(10):
        image = drawn(seed)
        chosen = torch.stack(windows(image, 8))
        assert chosen.shape == (8, 1, SIDE, SIDE)
        every = torch.stack(windows(image, TILES * TILES))
        spread = every.mean((1, 2, 3)).std()
        assert abs(chosen.mean() - image.mean()) < 0.1 * spread  # of eight that are drawn: 0.35
        detail = every.diff(dim=-1).abs().mean()
        assert abs(chosen.diff(dim=-1).abs().mean() / detail - 1) < 0.1


def test_all_of_a_small_image_and_only_what_is_valid() -> None:
    image = drawn(0)
    assert len(windows(image[:, : 2 * SIDE, : 3 * SIDE], 8)) == 6
    valid = torch.zeros(TILES, TILES, dtype=torch.bool)
    valid[4, 2:7] = True
    found = windows(image, 8, valid)
    assert len(found) == 5
    assert windows(image, 8, torch.zeros(TILES, TILES, dtype=torch.bool)) == []
    assert len({tuple(one.flatten().tolist()) for one in windows(image, 40)}) == 40
