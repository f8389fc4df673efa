"""Resampling by a low-pass filter, as the StyleGAN family does it, and convolutions that double or halve the size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

BINOMIAL = (1.0, 3.0, 3.0, 1.0)
"""The taps of StyleGAN2's filter."""


def separable(taps: tuple[float, ...] = BINOMIAL) -> Tensor:
    """The 2-D filter of the taps in both directions, of sum 1.

    >>> separable()[0] * 64
    tensor([1., 3., 3., 1.])
    """
    row = torch.tensor(taps)
    kernel = row[:, None] * row[None, :]
    return kernel / kernel.sum()


def upfirdn2d(
    x: Tensor, kernel: Tensor, *, up: int = 1, down: int = 1, padding: tuple[int, int] = (0, 0), gain: float = 1.0
) -> Tensor:
    """Insert zeros, pad, convolve with a filter, keep every so many pixels: N x C x H x W to N x C x H' x W'.

    Args:
        x: the images.
        kernel: k x k, the same for all channels; a convolution turns it round, which for a symmetric one means nothing.
        up: each pixel is followed by `up` - 1 zeros, in both directions.
        down: pixels 0, `down`, 2 `down` ... are kept.
        padding: zeros before and after, in both directions; negative: pixels that are cut off.
        gain: of the filter.

    >>> upfirdn2d(torch.ones(1, 1, 4, 4), separable(), down=2, padding=(1, 1)).shape
    torch.Size([1, 1, 2, 2])
    """
    batch, channels, height, width = x.shape
    if up > 1:
        x = F.pad(x.reshape(batch, channels, height, 1, width, 1), (0, up - 1, 0, 0, 0, up - 1))
        x = x.reshape(batch, channels, height * up, width * up)
    before, after = padding
    x = F.pad(x, (before, after, before, after))
    weight = (gain * kernel).flip(-1, -2).to(x.dtype).expand(channels, 1, *kernel.shape)
    x = F.conv2d(x, weight, groups=channels)
    return x[..., ::down, ::down]  # with a stride its gradient, on a CPU, takes six times as long


def upsample2d(x: Tensor, kernel: Tensor) -> Tensor:
    """Double the size: N x C x H x W to N x C x 2H x 2W; four pixels share the mass of one."""
    taps = len(kernel)
    return upfirdn2d(x, kernel, up=2, padding=((taps + 1) // 2, (taps - 2) // 2), gain=4)


def downsample2d(x: Tensor, kernel: Tensor) -> Tensor:
    """Halve the size: N x C x H x W to N x C x H/2 x W/2."""
    taps = len(kernel)
    return upfirdn2d(x, kernel, down=2, padding=((taps - 1) // 2, (taps - 2) // 2))


def convolve_up(x: Tensor, weight: Tensor, kernel: Tensor) -> Tensor:
    """Insert zeros, convolve, filter: N x I x H x W to N x O x 2H x 2W.

    A transposed convolution does the first two, without the products with zeros.

    Args:
        x: the features.
        weight: O x I x 3 x 3.
        kernel: of the filter.
    """
    taps, size = len(kernel), weight.shape[-1]
    x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
    before = (taps + 1) // 2 + size // 2 - (size - 1)
    after = (taps - 2) // 2 + size // 2 - (size - 2)
    return upfirdn2d(x, kernel, padding=(before, after), gain=4)


def convolve_down(x: Tensor, weight: Tensor, kernel: Tensor) -> Tensor:
    """Filter, convolve, keep every second pixel: N x I x H x W to N x O x H/2 x W/2.

    Args:
        x: the features.
        weight: O x I x k x k, k odd.
        kernel: of the filter.
    """
    taps, edge = len(kernel), weight.shape[-1] // 2
    padding = ((taps - 1) // 2 + edge, (taps - 2) // 2 + edge)
    if weight.shape[-1] == 1:  # what is not kept need not be filtered
        return F.conv2d(upfirdn2d(x, kernel, down=2, padding=padding), weight)
    return F.conv2d(upfirdn2d(x, kernel, padding=padding), weight, stride=2)
