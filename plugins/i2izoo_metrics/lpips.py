"""Learned perceptual image patch similarity."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from i2izoo.interfaces import ImageMetric, Weights
from i2izoo_metrics.perceptual_nets import LEAST_SIDE, TRUNKS, open_lpips
from i2izoo_metrics.rgb import at_least, rgb


class LPIPS(ImageMetric):
    """Distance of deep features, weighted as people judge (Zhang et al. 2018, version 0.1); 0 to about 1.

    Args:
        net: "alex", which the authors advise for scores, or "vgg". Their values cannot be compared.

    Grey images are repeated to RGB. Sides from 31 pixels ("alex") or 16 ("vgg").
    """

    higher_is_better = False
    bounds = (0.0, math.inf)
    qualifier = "net"

    def __init__(self, *, net: Literal["alex", "vgg"] = "alex") -> None:
        self.net = net

    def weights(self) -> tuple[Weights, ...]:
        return (TRUNKS[self.net],)

    def prepare(self, device: torch.device) -> None:
        self.device, self.network = device, open_lpips(self.net, device)

    @torch.no_grad()
    def score(self, *, prediction: Tensor, target: Tensor) -> Tensor:
        at_least(prediction, LEAST_SIDE[self.net], "lpips")
        pair = (rgb(x.to(self.device), "lpips") for x in (prediction, target))
        return self.network(*pair).view(-1)
