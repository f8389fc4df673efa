"""The optimiser of the GAN papers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn


def adam(
    parameters: Iterable[nn.Parameter], learning_rate: float, betas: Sequence[float], weight_decay: float = 0.0
) -> torch.optim.Adam:
    """Adam (Kingma and Ba, ICLR 2015), fused: on a CPU several times as fast for networks of many parameters.

    `weight_decay` is an L2 penalty in the gradient, which Adam rescales with it (AdamW's decay is another).

    >>> adam(nn.Linear(2, 2).parameters(), 2e-4, [0.5, 0.999]).defaults["betas"]
    (0.5, 0.999)
    """
    return torch.optim.Adam(
        parameters, learning_rate, betas=(betas[0], betas[1]), weight_decay=weight_decay, fused=True
    )
