"""Layers with equalised learning rate (Karras et al. 2018, "Progressive growing of GANs", section 4.1).

Weights are drawn from N(0, 1) and multiplied in each pass by what He initialisation would have drawn them with, so that
Adam, whose steps do not depend on a gradient's scale, moves all layers equally fast for their size.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2izoo_generation.upfirdn import convolve_down, separable

SLOPE = 0.2


def lrelu(x: Tensor, gain: float = 1.0) -> Tensor:
    """LeakyReLU of slope 0.2, times sqrt(2), which keeps the variance of what passes, and times `gain`.

    >>> lrelu(torch.tensor([-1.0, 1.0]))
    tensor([-0.2828,  1.4142])
    """
    return F.leaky_relu(x, SLOPE) * (math.sqrt(2) * gain)


class EqualisedLinear(nn.Module):
    """x W^T c + b, with c = `lr_multiplier` / sqrt(inputs), and the bias times `lr_multiplier`.

    Weights start at N(0, 1) / `lr_multiplier`, so what the layer computes does not depend on it; but a step of Adam
    moves the weight that is in effect by `lr_multiplier` times as much.

    Args:
        inputs, outputs: N x inputs becomes N x outputs.
        activated: LeakyReLU behind it; see `lrelu`.
        bias: what all biases start at, as they are in effect.
        lr_multiplier: how fast it learns, against others.

    >>> EqualisedLinear(4, 2)(torch.zeros(3, 4)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self, inputs: int, outputs: int, *, activated: bool = False, bias: float = 0.0, lr_multiplier: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.init.normal_(torch.empty(outputs, inputs)) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), bias / lr_multiplier))
        self.activated, self.lr_multiplier = activated, lr_multiplier
        self.scale = lr_multiplier / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        x = F.linear(x, self.weight * self.scale, self.bias * self.lr_multiplier)
        return lrelu(x) if self.activated else x


class EqualisedConv2d(nn.Module):
    """A convolution of scaled weights, N x I x H x W to N x O x H x W, or half the size.

    Args:
        inputs, outputs: I and O.
        size: side of the kernel, odd.
        down: filter first, and keep every second pixel.
        activated: with a bias and LeakyReLU behind it; False: neither.
    """

    kernel: Tensor

    def __init__(self, inputs: int, outputs: int, size: Literal[1, 3], *, down: bool = False, activated: bool = True):
        super().__init__()
        self.weight = nn.Parameter(nn.init.normal_(torch.empty(outputs, inputs, size, size)))
        self.bias = nn.Parameter(torch.zeros(outputs)) if activated else None
        self.scale, self.down = 1 / math.sqrt(inputs * size**2), down
        self.register_buffer("kernel", separable(), persistent=False)

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        weight = self.weight * self.scale
        x = convolve_down(x, weight, self.kernel) if self.down else F.conv2d(x, weight, padding=weight.shape[-1] // 2)
        return x * gain if self.bias is None else lrelu(x + self.bias.to(x.dtype)[:, None, None], gain)
