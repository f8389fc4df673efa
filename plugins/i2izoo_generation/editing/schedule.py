"""How a projection goes along: rates and noise of StyleGAN2's appendix D (Karras et al. 2020, arXiv 1912.04958)."""

from __future__ import annotations

import math

RAMP_UP, RAMP_DOWN, WANDERING = 0.05, 0.25, 0.75
"""Parts of the steps in which the learning rate rises, in which it falls, and in which w is disturbed."""


def rate(share: float) -> float:
    """Part of the highest learning rate when a share of the steps is done: up linearly, down along a cosine.

    >>> [round(rate(share), 3) for share in (0, 0.025, 0.05, 0.75, 0.875, 1)]
    [0.0, 0.5, 1.0, 1.0, 0.5, 0.0]
    """
    down = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - share) / RAMP_DOWN))
    return down * min(1.0, share / RAMP_UP)


def wandering(share: float) -> float:
    """Part of the deviation of the noise on w: t^2, with t from one to zero.

    >>> [wandering(share) for share in (0, 0.375, 0.75, 1)]
    [1.0, 0.25, 0.0, 0.0]
    """
    return max(0.0, 1 - share / WANDERING) ** 2
