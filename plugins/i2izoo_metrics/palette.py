"""Label maps as metrics read them: pixels whose colour is no class's do not count."""

from __future__ import annotations

from torch import Tensor

from i2izoo.nn.label_maps import UNDECIDED, nearest_classes

CMP = [
    [0, 0, 222], [0, 48, 255], [0, 127, 255], [0, 206, 255], [35, 254, 226], [113, 253, 148],
    [192, 254, 63], [255, 240, 0], [255, 159, 0], [255, 80, 0], [246, 0, 0], [174, 0, 0],
]  # fmt: skip
"""The twelve classes of the CMP Facade Database (Tylecek and Sara, GCPR 2013), in the colours of the pix2pix data:
background, wall, window, door, cornice, sill, balcony, blind, decoration, moulding, pillar, shop."""

IGNORED = UNDECIDED
"""Class of a pixel whose colour is none of the palette's."""

NO_LABEL_MAP = 0.75
"""Share of pixels in no class's colour above which images are no label maps. JPEG maps of facades have up to 0.5 at
64 x 64, which edges make; photos have 0.99 and more."""


def to_classes(label: Tensor, palette: list[list[int]], tolerance: float) -> Tensor:
    """N x 3 x H x W in [-1, 1] to classes N x H x W, int64: the place of the nearest colour in the palette.

    Args:
        label: label maps as images.
        palette: RGB colours in 8 bits; class k has the k-th.
        tolerance: pixels further than this from every colour (Euclidean, in 8-bit units) are `IGNORED`; JPEG and
            resizing leave such pixels along the edges of regions.

    >>> import torch
    >>> label = torch.tensor([[0, 0, 222], [3, 44, 255], [200, 200, 200]]).T.reshape(1, 3, 1, 3) / 127.5 - 1
    >>> to_classes(label, CMP, tolerance=32)
    tensor([[[ 0,  1, -1]]])
    """
    classes, sure = nearest_classes(label, palette, tolerance)
    return classes.masked_fill(~sure, IGNORED)
