"""The modulated convolution of StyleGAN2 (Karras et al. 2020, arXiv 1912.04958, section 2.2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from i2izoo_generation.upfirdn import convolve_up

EPSILON = 1e-8


def modulated_convolution(
    x: Tensor, weight: Tensor, style: Tensor, *, demodulate: bool = True, up: Tensor | None = None
) -> Tensor:
    """Convolve each image with weights of its own: w' = s_i w, w'' = w' / sqrt(sum over i, k of w'^2) (eq. 1 and 3).

    The kernels of each image are never written out: a style that scales the weights of input i scales input i, and what
    demodulates the weights of output j scales output j. So a batch takes one convolution.

    Args:
        x: N x I x H x W.
        weight: O x I x k x k.
        style: N x I.
        demodulate: give each output the variance that it had without the style.
        up: filter by which the size is doubled; None: it stays.

    Returns:
        N x O x H x W, or N x O x 2H x 2W.

    >>> modulated_convolution(torch.ones(2, 3, 4, 4), torch.ones(5, 3, 1, 1), torch.ones(2, 3))[0, 0, 0]
    tensor([1.7321, 1.7321, 1.7321, 1.7321])
    """
    with torch.autocast(x.device.type, enabled=False):
        style = style.to(weight.dtype)
        if demodulate:
            # demodulation takes any factor of a style away again; so no activation need be large, for float16
            style = style / style.detach().abs().amax(dim=1, keepdim=True).clamp_min(EPSILON)
            strength = style.square() @ weight.square().sum(dim=(2, 3)).T  # N x O
            scale = (strength + EPSILON).rsqrt()
    x = x * style.to(x.dtype)[:, :, None, None]
    x = F.conv2d(x, weight, padding=weight.shape[-1] // 2) if up is None else convolve_up(x, weight, up)
    return x * scale.to(x.dtype)[:, :, None, None] if demodulate else x
