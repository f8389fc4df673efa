"""Label maps as images: colours to classes and back."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import torch
from einops import rearrange
from torch import Tensor

from i2izoo.contracts.ranges import Items, Range
from i2izoo.errors import ConfigError

CMP = [
    [0, 0, 222], [0, 48, 255], [0, 127, 255], [0, 206, 255], [35, 254, 226], [113, 253, 148],
    [192, 254, 63], [255, 240, 0], [255, 159, 0], [255, 80, 0], [246, 0, 0], [174, 0, 0],
]  # fmt: skip
"""The twelve classes of the CMP Facade Database (Tylecek and Sara, GCPR 2013), in the colours of the pix2pix data:
background, wall, window, door, cornice, sill, balcony, blind, decoration, moulding, pillar, shop."""

IGNORED = -1
"""Class of a pixel whose colour is none of the palette's."""


NO_LABEL_MAP = 0.75
"""Share of pixels in no class's colour above which images are no label maps. JPEG maps of facades have up to 0.5 at
64 x 64, which edges make; photos have 0.99 and more."""


Palette: TypeAlias = Annotated[list[Annotated[list[Annotated[int, Range(0, 255)]], Items(3)]], Items(2, 4096)]
"""RGB colours in 8 bits, one for each class."""


def check_palette(palette: Palette) -> None:
    """Refuse a palette with a colour twice.

    Raises:
        ConfigError: names the colour.
    """
    twice = [colour for place, colour in enumerate(palette) if colour in palette[:place]]
    if twice:
        raise ConfigError(f"each class of a palette has a colour of its own; {twice[0]} is there twice.")


def to_classes(label: Tensor, palette: list[list[int]], tolerance: float) -> Tensor:
    """N x 3 x H x W in [-1, 1] to classes N x H x W, int64: the place of the nearest colour in the palette.

    Args:
        label: label maps as images.
        palette: RGB colours in 8 bits; class k has the k-th.
        tolerance: pixels further than this from every colour (Euclidean, in 8-bit units) are `IGNORED`; JPEG and
            resizing leave such pixels along the edges of regions.

    >>> label = torch.tensor([[0, 0, 222], [3, 44, 255], [200, 200, 200]]).T.reshape(1, 3, 1, 3) / 127.5 - 1
    >>> to_classes(label, CMP, tolerance=32)
    tensor([[[ 0,  1, -1]]])
    """
    colours = torch.tensor(palette, dtype=torch.float32, device=label.device)
    pixels = (rearrange(label.float(), "n c h w -> n (h w) c") + 1) * 127.5
    distance = torch.cdist(pixels, colours, compute_mode="donot_use_mm_for_euclid_dist")
    nearest, classes = distance.min(dim=-1)
    classes = classes.masked_fill(nearest > tolerance, IGNORED)
    return rearrange(classes, "n (h w) -> n h w", h=label.shape[-2])


def to_colours(classes: Tensor, palette: list[list[int]]) -> Tensor:
    """Classes N x H x W to images N x 3 x H x W in [-1, 1].

    >>> to_colours(torch.tensor([[[0, 11]]]), CMP).add(1).mul(127.5).round().int().flatten(2)
    tensor([[[  0, 174],
             [  0,   0],
             [222,   0]]], dtype=torch.int32)
    """
    colours = torch.tensor(palette, dtype=torch.float32, device=classes.device) / 127.5 - 1
    return rearrange(colours[classes], "n h w c -> n c h w")
