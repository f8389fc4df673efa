"""Colour difference as people see it: CIEDE2000."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from i2izoo.errors import MetricError
from i2izoo.interfaces import ImageMetric
from i2izoo.nn.colour import srgb_to_lab
from i2izoo_metrics.rgb import to_unit


class DeltaE2000(ImageMetric):
    """CIEDE2000 colour difference of sRGB images, the mean over pixels; about 1 is just noticeable.

    Source: Sharma, Wu and Dalal, "The CIEDE2000 color-difference formula", 2005; weights kL = kC = kH = 1.

    >>> metric = DeltaE2000()
    >>> black, white = -torch.ones(1, 3, 2, 2), torch.ones(1, 3, 2, 2)
    >>> round(metric.update(prediction=black, target=white).item(), 2)
    100.0
    """

    higher_is_better = False
    bounds = (0.0, math.inf)

    def score(self, *, prediction: Tensor, target: Tensor) -> Tensor:
        if (channels := prediction.shape[1]) != 3:
            raise MetricError(f"delta_e2000 compares colours of 3 channels, red, green and blue; found {channels}.")
        return ciede2000(srgb_to_lab(to_unit(prediction)), srgb_to_lab(to_unit(target))).mean(dim=(1, 2))


def ciede2000(first: Tensor, second: Tensor) -> Tensor:
    """CIEDE2000 of two tensors N x 3 x ... of L*a*b*: N x ... (the numbers are the equations of the paper).

    >>> ciede2000(torch.tensor([[50.0, 2.6772, -79.7751]]), torch.tensor([[50.0, 0.0, -82.7485]])).item()
    2.042...
    """
    (l1, a1, b1), (l2, a2, b2) = first.unbind(1), second.unbind(1)
    chroma = (torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2  # (2), (3)
    stretch = 1.5 - 0.5 * _saturation(chroma)  # 1 + G of (4)
    a1, a2 = a1 * stretch, a2 * stretch  # (5)
    c1, c2 = torch.hypot(a1, b1), torch.hypot(a2, b2)  # (6)
    h1, h2 = torch.atan2(b1, a1) % math.tau, torch.atan2(b2, a2) % math.tau  # (7); grey has hue 0

    grey = c1 * c2 == 0
    turn = h2 - h1
    turn = turn - math.tau * (turn > math.pi).to(turn) + math.tau * (turn < -math.pi).to(turn)
    turn = turn.masked_fill(grey, 0)  # (10)
    delta_l, delta_c = l2 - l1, c2 - c1  # (8), (9)
    delta_h = 2 * (c1 * c2).sqrt() * torch.sin(turn / 2)  # (11)

    lightness, c = (l1 + l2) / 2, (c1 + c2) / 2  # (12), (13)
    total = h1 + h2
    apart = (h1 - h2).abs() > math.pi
    h = (total + math.tau * (apart & (total < math.tau)).to(h1) - math.tau * (apart & (total >= math.tau)).to(h1)) / 2
    h = torch.where(grey, total, h)  # (14)
    t = (
        1
        - 0.17 * torch.cos(h - math.radians(30))
        + 0.24 * torch.cos(2 * h)
        + 0.32 * torch.cos(3 * h + math.radians(6))
        - 0.20 * torch.cos(4 * h - math.radians(63))
    )  # (15)
    angle = math.radians(30) * torch.exp(-(((torch.rad2deg(h) - 275) / 25) ** 2))  # (16)
    off = (lightness - 50) ** 2
    s_l = 1 + 0.015 * off / (20 + off).sqrt()  # (18)
    s_c, s_h = 1 + 0.045 * c, 1 + 0.015 * c * t  # (19), (20)
    rotation = -torch.sin(2 * angle) * 2 * _saturation(c)  # (17), (21)
    l_term, c_term, h_term = delta_l / s_l, delta_c / s_c, delta_h / s_h
    squared = l_term**2 + c_term**2 + h_term**2 + rotation * c_term * h_term  # (22)
    return squared.clamp(min=0).sqrt()  # rounding can leave -1e-17 where the colours are equal


def _saturation(chroma: Tensor) -> Tensor:
    """sqrt(C^7 / (C^7 + 25^7)), of (4) and (17)."""
    power = chroma**7
    return (power / (power + 25.0**7)).sqrt()
