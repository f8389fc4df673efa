"""What a conditional discriminator sees: source and target, concatenated (Isola et al., arXiv 1611.07004, eq. 1)."""

from __future__ import annotations

import torch
from torch import Tensor


def seen_channels(source: int, target: int, conditional: bool) -> int:
    """Channels of what the discriminator sees."""
    return target + (source if conditional else 0)


def seen(source: Tensor, target: Tensor, conditional: bool) -> Tensor:
    """N x (in + out) x H x W, or the target alone where the discriminator is not shown the source."""
    return torch.cat([source, target.to(source.dtype)], dim=1) if conditional else target
