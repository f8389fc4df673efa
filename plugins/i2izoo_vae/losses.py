"""The likelihood of a Bernoulli decoder."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from i2izoo.interfaces import ReconstructionLoss


class BCE(ReconstructionLoss):
    """Mean binary cross-entropy of values mapped from [-1, 1] to [0, 1]; what lies outside is clipped.

    -t log p - (1 - t) log(1 - p) with p = (prediction + 1) / 2 and t = (target + 1) / 2, each logarithm at least -100
    (Kingma and Welling 2014, appendix C.1). It is smallest where p = t, and 0 there only if the target is black or
    white; for other targets it is a likelihood but for a constant.

    >>> BCE()(torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2))
    tensor(0.6931)
    """

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        p, t = ((x.float() + 1).div(2).clamp(0, 1) for x in (prediction, target))
        with torch.autocast(p.device.type, enabled=False):  # which refuses logarithms of half-precision probabilities
            return F.binary_cross_entropy(p, t)
