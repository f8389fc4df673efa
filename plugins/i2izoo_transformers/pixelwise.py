"""Transformer blocks over the pixels of a feature map, as UVCGAN's generator has them (arXiv 2203.02557)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PixelwiseViT(nn.Module):
    """Each pixel is a token that attends to all others: N x C x H x W to N x C x H x W, of any size.

    Where a pixel lies is sin(W (y, x) + b) of coordinates in [-1, 1] with learned W and b, beside its features.

    Args:
        channels: C.
        extra: further channels that only come in, such as a latent's.
        dim: length of a token.
        depth: blocks.
        heads: of attention; divide `dim`.
        hidden: width inside of the MLPs.
        embedding: length of the position embedding.
        rezero: see `Block`.
    """

    def __init__(
        self, *, channels: int, extra: int, dim: int, depth: int, heads: int, hidden: int, embedding: int, rezero: bool
    ) -> None:
        super().__init__()
        self.position = nn.Linear(2, embedding)
        self.input = nn.Linear(embedding + channels + extra, dim)
        self.blocks = nn.Sequential(*(Block(dim, heads, hidden, rezero) for _ in range(depth)))
        self.output = nn.Linear(dim, channels)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        sides = (torch.linspace(-1, 1, side).to(self.position.weight) for side in (height, width))
        where = torch.stack(torch.meshgrid(*sides, indexing="ij"), dim=-1).view(1, -1, 2)
        position = self.position(where).sin().expand(len(x), -1, -1)
        tokens = self.input(torch.cat([position.to(x.dtype), x.flatten(2).transpose(1, 2)], dim=2))
        return self.output(self.blocks(tokens)).transpose(1, 2).unflatten(2, (height, width))


class Block(nn.Module):
    """x + a attention(norm(x)), then x + a MLP(norm(x)), with one a for both: N x tokens x dim.

    Args:
        dim: length of a token.
        heads: of attention.
        hidden: width inside of the MLP.
        rezero: a is learned and begins at 0, so that the block begins as the identity (Bachlechner et al. 2020, arXiv
            2003.04887); False: a is 1.
    """

    def __init__(self, dim: int, heads: int, hidden: int, rezero: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))
        self.alpha = nn.Parameter(torch.zeros(1)) if rezero else 1.0

    def forward(self, x: Tensor) -> Tensor:
        attended = self.norm1(x)
        attended, _ = self.attention(attended, attended, attended, need_weights=False)
        x = x + self.alpha * attended
        return x + self.alpha * self.mlp(self.norm2(x))
