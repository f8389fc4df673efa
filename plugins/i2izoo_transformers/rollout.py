"""Attention rollout: which patches the class token has seen through all blocks (Abnar and Zuidema 2020, 2005.00928)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def rollout(attention: Sequence[Tensor]) -> Tensor:
    """How much of each token's input is in each token's output: N x tokens x tokens, whose rows sum to 1.

    The product over the blocks of (A + 1) / 2, A the attention averaged over the heads and 1 the way around it, as in
    appendix D.7 of the Vision Transformer's paper.

    Args:
        attention: of each block, in order, N x heads x tokens x tokens.

    >>> rollout([torch.full((1, 2, 2, 2), 0.5)] * 2)
    tensor([[[0.6250, 0.3750],
             [0.3750, 0.6250]]])
    """
    seen = torch.eye(attention[0].shape[-1], device=attention[0].device).expand(len(attention[0]), -1, -1)
    for block in attention:
        mixed = block.float().mean(dim=1)
        seen = (mixed @ seen + seen) / 2
    return seen
