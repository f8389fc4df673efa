"""Distances of two images by the feature maps that a network has of them, at every depth."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def cosine_distance(first: list[Tensor], second: list[Tensor]) -> Tensor:
    """1 - cos between the features of two images at each place, N; 0 equal, 1 unrelated, 2 opposite.

    The mean over places, then over maps. It is equation (1) of Zhang et al. 2018 (arXiv 1801.03924) without the
    weights that LPIPS has learned for it, and halved.

    Args:
        first: maps N x C x h x w, of any scale: only directions count.
        second: those of the other images.

    >>> x, y = torch.tensor([3.0, 0.0]).view(1, 2, 1, 1), torch.tensor([0.0, 1.0]).view(1, 2, 1, 1)
    >>> cosine_distance([x, x], [x, y])
    tensor([0.5000])
    """
    # squares of differences: 1 - a product of what is nearly equal would lose all digits
    terms = [
        (F.normalize(a.float()) - F.normalize(b.float())).square().sum(1).mean((1, 2)) / 2
        for a, b in zip(first, second, strict=True)
    ]
    return torch.stack(terms).mean(0)


def gram_distance(first: list[Tensor], second: list[Tensor]) -> Tensor:
    """Distance of styles, N: equations (4) and (5) of Gatys, Ecker and Bethge 2015 (arXiv 1508.06576).

    The mean over maps of sum((G - A)^2) / (4 C^2 M^2) with G = F F^T, for C channels of M places.

    >>> flat = torch.ones(1, 1, 2, 2)
    >>> gram_distance([flat], [3 * flat])  # (1 - 9)^2 / 4
    tensor([16.])
    """
    terms = [(_gram(a) - _gram(b)).square().sum((1, 2)) / 4 for a, b in zip(first, second, strict=True)]
    return torch.stack(terms).mean(0)


def _gram(features: Tensor) -> Tensor:
    """F F^T / (C M): the division before the square keeps float32 in range."""
    flat = features.float().flatten(2)
    return flat @ flat.mT / flat[0].numel()
