"""What TransGAN's two networks are made of: transformer blocks on grids of tokens (arXiv 2102.07074)."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from i2izoo_generation.windows import WindowAttention, merge, partition

TokenNorm: TypeAlias = Literal["layer", "pixel"]
"""Of each token: layer norm, or its length divided by its root mean square, without anything that is learned."""


class PixelNorm(nn.Module):
    """x / sqrt(mean(x^2) + 1e-8) over the last dimension (Karras et al. 2018, section 4.2)."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (x.square().mean(dim=-1, keepdim=True) + 1e-8).rsqrt()


def token_norm(kind: TokenNorm, dim: int) -> nn.Module:
    """The norm of tokens of length `dim`."""
    return nn.LayerNorm(dim) if kind == "layer" else PixelNorm()


class TransformerBlock(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x)): N x tokens x dim.

    Args:
        dim: length of a token.
        heads: of attention.
        window: side of the grid that the tokens are; 0: they are none.
        norm: of the tokens.
        mlp: width inside of the MLP, in parts of `dim`.
    """

    def __init__(self, dim: int, heads: int, window: int, norm: TokenNorm, mlp: int = 4) -> None:
        super().__init__()
        self.norm1, self.norm2 = token_norm(norm, dim), token_norm(norm, dim)
        self.attention = WindowAttention(dim, heads, window)
        self.mlp = nn.Sequential(nn.Linear(dim, mlp * dim), nn.GELU(), nn.Linear(mlp * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Stage(nn.Module):
    """Blocks on a grid, each in windows of its own size, after a learned position: N x C x S x S, as it comes out.

    Args:
        dim: C.
        side: S.
        windows: side of the windows of each block; S is attention of all tokens to all.
        heads, norm, mlp: see `TransformerBlock`.
    """

    def __init__(self, dim: int, side: int, windows: list[int], heads: int, norm: TokenNorm, mlp: int = 4) -> None:
        super().__init__()
        self.position = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, side, side, dim), std=0.02))
        self.blocks = nn.ModuleList(TransformerBlock(dim, heads, window, norm, mlp) for window in windows)
        self.windows = windows

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1) + self.position
        _, height, width, _ = x.shape
        for window, block in zip(self.windows, self.blocks, strict=True):
            x = merge(block(partition(x, window)), height, width)
        return x.permute(0, 3, 1, 2)
