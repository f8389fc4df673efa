"""Attention in windows of a grid of tokens, with a bias for where two tokens lie to each other.

"Grid self-attention" of TransGAN (Jiang, Chang and Wang, NeurIPS 2021, arXiv 2102.07074, section 3.2), and the relative
position encoding that it has from Swin and others (section 3.3).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from i2izoo.errors import ConfigError


def partition(x: Tensor, window: int) -> Tensor:
    """Cut a grid of tokens, N x H x W x C, into windows: (N H/w W/w) x w^2 x C, in reading order.

    >>> partition(torch.arange(16).view(1, 4, 4, 1), 2)[1].flatten()
    tensor([2, 3, 6, 7])
    """
    count, height, width, channels = x.shape
    x = x.view(count, height // window, window, width // window, window, channels)
    return x.transpose(2, 3).reshape(-1, window**2, channels)


def merge(windows: Tensor, height: int, width: int) -> Tensor:
    """Put the windows of `partition` together again: N x H x W x C.

    >>> grid = torch.arange(16).view(1, 4, 4, 1)
    >>> torch.equal(merge(partition(grid, 2), 4, 4), grid)
    True
    """
    side = round(windows.shape[1] ** 0.5)
    x = windows.view(-1, height // side, width // side, side, side, windows.shape[-1])
    return x.transpose(2, 3).reshape(-1, height, width, windows.shape[-1])


def relative_places(window: int) -> Tensor:
    """For each two tokens of a window the number of the way from one to the other, w^2 x w^2, below (2w - 1)^2.

    >>> relative_places(2)
    tensor([[4, 3, 1, 0],
            [5, 4, 2, 1],
            [7, 6, 4, 3],
            [8, 7, 5, 4]])
    """
    places = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
    rows, columns = places[:, :, None] - places[:, None, :] + window - 1
    return rows * (2 * window - 1) + columns


class WindowAttention(nn.Module):
    """softmax(q k^T / sqrt(d) + b) v of several heads within each window, N x tokens x dim (eq. 2).

    The bias b of two tokens is a learned number for the way from one to the other, for each head. It is computed in
    steps, which has second derivatives, as gradient penalties want.

    Args:
        dim: length of a token.
        heads: divide `dim`.
        window: side of the windows; 0: tokens are no grid, and there is no bias.

    Raises:
        ConfigError: the heads do not divide `dim`.
    """

    places: Tensor

    def __init__(self, dim: int, heads: int, window: int) -> None:
        super().__init__()
        if dim % heads:
            raise ConfigError(f"heads divide the channels of every stage; found heads={heads} and {dim} channels.")
        self.heads, self.window = heads, window
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.output = nn.Linear(dim, dim)
        if window:
            self.bias = nn.Parameter(nn.init.trunc_normal_(torch.empty((2 * window - 1) ** 2, heads), std=0.02))
            self.register_buffer("places", relative_places(window), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        queries, keys, values = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        scores = queries @ keys.transpose(-2, -1) * queries.shape[-1] ** -0.5
        if self.window:
            scores = scores + self.bias[self.places].permute(2, 0, 1).to(scores.dtype)
        return self.output((scores.softmax(dim=-1) @ values).transpose(1, 2).flatten(2))
