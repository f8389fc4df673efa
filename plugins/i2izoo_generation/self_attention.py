"""Self-attention over an image's features, as SAGAN and BigGAN have it (Zhang et al. 2019, arXiv 1805.08318)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """x + gamma o(v softmax(q k)): every place takes from all others, and at first, gamma being 0, from none.

    Queries and keys have an eighth of the channels, values a half; keys and values are of the places of half the size,
    by maximum, as in the public code of both papers.

    Args:
        channels: of the features, N x C x H x W, both sides even.

    >>> SelfAttention(8)(torch.ones(1, 8, 4, 4)).shape
    torch.Size([1, 8, 4, 4])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner, values = max(1, channels // 8), max(1, channels // 2)
        self.query = nn.Conv2d(channels, inner, 1, bias=False)
        self.key = nn.Conv2d(channels, inner, 1, bias=False)
        self.value = nn.Conv2d(channels, values, 1, bias=False)
        self.output = nn.Conv2d(values, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        query = self.query(x).flatten(2).transpose(1, 2)  # N x HW x C/8
        key = F.max_pool2d(self.key(x), 2).flatten(2).transpose(1, 2)  # N x HW/4 x C/8
        value = F.max_pool2d(self.value(x), 2).flatten(2).transpose(1, 2)
        found = (query @ key.transpose(1, 2)).softmax(dim=-1).to(value.dtype) @ value  # differentiable twice, for R1
        found = found.transpose(1, 2).unflatten(2, x.shape[2:])
        return x + self.gamma.to(x.dtype) * self.output(found)
