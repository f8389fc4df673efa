"""LPIPS as a loss."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from i2izoo.interfaces import ReconstructionLoss
from i2izoo_metrics.perceptual_nets import LEAST_SIDE, open_lpips
from i2izoo_metrics.rgb import at_least, rgb


class LPIPSLoss(ReconstructionLoss):
    """The mean LPIPS of two batches of images (Zhang et al. 2018, arXiv 1801.03924, version 0.1).

    Grey or RGB in [-1, 1], in their own size. The network is frozen, loaded when the loss is first computed, and not
    saved with a model; its trunk of ImageNet has to be on this machine, or is fetched.

    Args:
        net: "vgg", which the authors advise for a loss, or "alex".
    """

    def __init__(self, *, net: Literal["alex", "vgg"] = "vgg") -> None:
        super().__init__()
        self.net = net
        self._networks: dict[torch.device, nn.Module] = {}  # no submodule: neither trained nor saved

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        at_least(prediction, LEAST_SIDE[self.net], "lpips")
        device = prediction.device
        if device not in self._networks:
            self._networks[device] = open_lpips(self.net, device)
        return self._networks[device](rgb(prediction.float(), "lpips"), rgb(target.float(), "lpips")).mean()
