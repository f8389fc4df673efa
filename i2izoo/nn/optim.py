"""The optimiser of the GAN papers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn


def adam(parameters: Iterable[nn.Parameter], learning_rate: float, betas: Sequence[float]) -> torch.optim.Adam:
    """Adam (Kingma and Ba, ICLR 2015), fused: on a CPU several times as fast for networks of many parameters.

    >>> adam(nn.Linear(2, 2).parameters(), 2e-4, [0.5, 0.999]).defaults["betas"]
    (0.5, 0.999)
    """
    return torch.optim.Adam(parameters, learning_rate, betas=(betas[0], betas[1]), fused=True)
