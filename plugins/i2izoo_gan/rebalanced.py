"""L1 that rare colours weigh more in, so that what could have several colours does not become brown."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from i2izoo.contracts.ranges import Range, Share
from i2izoo.interfaces import ReconstructionLoss

SMOOTHING = (0.25, 0.5, 0.25)
"""Weights of a bin and its two neighbours, along each axis."""


class RebalancedL1(ReconstructionLoss):
    """Mean absolute difference, in which pixels weigh the more the rarer the last two channels (a*, b*) are.

    The best answer by L1 is the median of all that a pixel could be, and most of the ground is nearly grey: after
    "Colorful image colorization" (Zhang, Isola and Efros, ECCV 2016, arXiv 1603.08511, section 2.2), a pixel weighs
    w = ((1 - lambda) p + lambda / Q) ** -power, scaled to a mean of 1 over p: the smoothed share of its bin among the Q
    bins of a*, b*. There p is counted beforehand and the power is 1; here it is a moving average of the batches.

    Args:
        bins: along each of both axes from -1 to 1.
        uniform: lambda, the share of the uniform distribution.
        power: 1 weighs all colours alike, 0 is L1.
        memory: weight of the shares so far when those of a batch are added, from the second batch on.

    >>> loss = RebalancedL1()
    >>> target = torch.zeros(1, 2, 8, 8)
    >>> target[..., 0] = 0.5  # a rare colour
    >>> wrong = target.clone()
    >>> wrong[..., 0] = 0
    >>> bool(loss(wrong, target) > F.l1_loss(wrong, target))
    True
    """

    tiny_options: ClassVar[dict[str, Any]] = {"bins": 4}
    shares: Tensor

    def __init__(
        self,
        *,
        bins: Annotated[int, Range(2, 256)] = 40,
        uniform: Share = 0.5,
        power: Annotated[float, Range(0, 1)] = 0.5,
        memory: Share = 0.99,
    ) -> None:
        super().__init__()
        self.bins, self.uniform, self.power, self.memory = bins, uniform, power, memory
        self.register_buffer("shares", torch.zeros(bins, bins))

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        a, b = ((target.detach()[:, -2:].float() + 1) / 2 * self.bins).long().clamp(0, self.bins - 1).unbind(1)
        if self.training:
            self._count(a * self.bins + b)
        mixed = (1 - self.uniform) * self.shares + self.uniform / self.bins**2
        weights = mixed.clamp(min=torch.finfo(mixed.dtype).tiny) ** -self.power
        mean = (weights * self.shares).sum()
        scaled = weights / mean if mean else torch.ones_like(weights)
        distance = F.l1_loss(prediction.float(), target.float(), reduction="none").mean(dim=1)
        return (distance * scaled[a, b]).mean()

    def _count(self, places: Tensor) -> None:
        found = torch.bincount(places.flatten(), minlength=self.bins**2).float().view(1, 1, self.bins, self.bins)
        row = found.new_tensor(SMOOTHING)
        padded = F.pad(found / found.sum(), (1, 1, 1, 1), mode="replicate")
        smooth = F.conv2d(padded, (row[:, None] * row).view(1, 1, 3, 3))[0, 0]
        smooth = smooth / smooth.sum()
        self.shares.copy_(self.memory * self.shares + (1 - self.memory) * smooth if self.shares.any() else smooth)
