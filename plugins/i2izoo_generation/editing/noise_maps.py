"""Noise that is optimised and shall stay noise (Karras et al. 2020, arXiv 1912.04958, appendix D)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

LEAST_SIDE = 8
"""Of the coarsest level of the pyramid."""


def autocorrelation(noise: Sequence[Tensor]) -> Tensor:
    """How much the noise of each layer, N x 1 x side x side, resembles itself one pixel further: a sum of squares.

    For each map and each level of its pyramid the squared mean of n(x, y) n(x - 1, y), and of n(x, y) n(x, y - 1). A
    level halves the one before: the mean of four pixels, doubled, so that independent pixels keep their variance (the
    authors' code leaves the doubling out). Edges touch the opposite ones.

    >>> autocorrelation([torch.ones(1, 1, 8, 8)])
    tensor(2.)
    """
    terms = []
    for level in noise:
        while True:
            for axis in (2, 3):
                terms.append((level * level.roll(1, axis)).mean(dim=(1, 2, 3)).square().sum())
            if level.shape[-1] <= LEAST_SIDE:
                break
            level = 2 * F.avg_pool2d(level, 2)
    return torch.stack(terms).sum()


@torch.no_grad()
def normalise(noise: Sequence[Tensor]) -> None:
    """Give each map the mean 0 and the mean square 1, in place."""
    for each in noise:
        each -= each.mean(dim=(1, 2, 3), keepdim=True)
        each *= each.square().mean(dim=(1, 2, 3), keepdim=True).rsqrt()
