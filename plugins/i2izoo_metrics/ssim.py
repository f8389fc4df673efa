"""Structural similarity, at one scale and at five.

This is the one measure of pixels that is not left to torchmetrics: in float32 its SSIM of two equal photos is 0.9998,
in float64 it takes 15 times as long (measured on 256 x 256 images, one CPU thread), it counts windows that reach over
the border, and its MS-SSIM wants 176 pixels. The tests hold this one against torchmetrics and scikit-image.
"""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F

from i2izoo.interfaces import ImageMetric
from i2izoo_metrics.rgb import at_least, to_unit

WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2
"""(K L)^2 of the papers, for values in a range of length L = 1."""

EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the scales, finest first (Wang, Simoncelli and Bovik 2003)."""


class SSIM(ImageMetric):
    """Structural similarity (Wang, Bovik, Sheikh and Simoncelli 2004): 11 x 11 Gaussian windows, K1 0.01, K2 0.03.

    The mean over all windows that lie within the image and over channels, as the authors' code has it. SSIM changes
    when a constant is added to both images, so the range matters: values are in [0, 1] and the data range is 1, never
    taken from the data. Any number of channels, sides from 11 pixels.
    """

    higher_is_better = True
    bounds = (-1.0, 1.0)

    def score(self, *, prediction: Tensor, target: Tensor) -> Tensor:
        at_least(prediction, WINDOW, "ssim")
        luminance, structure = similarity(to_unit(prediction), to_unit(target))
        return (luminance * structure).mean(dim=(1, 2, 3))


class MSSSIM(ImageMetric):
    """Multi-scale structural similarity (Wang, Simoncelli and Bovik 2003) over five scales, each half the one before.

    The product of contrast and structure at each scale and luminance at the coarsest, with the paper's exponents, for
    each channel; then the mean over channels. Halving averages 2 x 2 pixels; an odd side repeats its last row, as the
    authors' code does, so sides from 161 pixels are possible. A negative term counts as 0.
    """

    higher_is_better = True
    bounds = (0.0, 1.0)

    def score(self, *, prediction: Tensor, target: Tensor) -> Tensor:
        at_least(prediction, (WINDOW - 1) * 2 ** (len(EXPONENTS) - 1) + 1, "ms_ssim")
        first, second = to_unit(prediction), to_unit(target)
        value = first.new_ones(first.shape[:2])
        for scale, exponent in enumerate(EXPONENTS, start=1):
            luminance, structure = similarity(first, second)
            term = structure if scale < len(EXPONENTS) else luminance * structure
            value *= term.mean(dim=(2, 3)).relu() ** exponent
            first, second = halve(first), halve(second)
        return value.mean(dim=1)


def similarity(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance, and contrast times structure, of two images in [0, 1] in every window: N x C x H - 10 x W - 10."""
    mean1, mean2 = window_mean(first), window_mean(second)
    variances = window_mean(first * first) - mean1**2 + window_mean(second * second) - mean2**2
    covariance = window_mean(first * second) - mean1 * mean2
    return (2 * mean1 * mean2 + C1) / (mean1**2 + mean2**2 + C1), (2 * covariance + C2) / (variances + C2)


def window_mean(image: Tensor) -> Tensor:
    """The mean under the Gaussian in every window that lies within the image, first down, then across.

    >>> import torch
    >>> window_mean(torch.ones(1, 1, 11, 13)).shape
    torch.Size([1, 1, 1, 3])
    """
    gaussian = [math.exp(-((i - WINDOW // 2) ** 2) / (2 * SIGMA**2)) for i in range(WINDOW)]
    weights = [g / sum(gaussian) for g in gaussian]
    for axis in (2, 3):
        length = image.shape[axis] - WINDOW + 1
        image = sum(w * image.narrow(axis, i, length) for i, w in enumerate(weights))  # type: ignore[assignment]
    return image


def halve(image: Tensor) -> Tensor:
    """Average 2 x 2 pixels; an odd side repeats its last row or column first.

    >>> import torch
    >>> halve(torch.tensor([[[[0.0, 1.0, 4.0]]]])).tolist()
    [[[[0.5, 4.0]]]]
    """
    height, width = image.shape[-2:]
    return F.avg_pool2d(F.pad(image, (0, width % 2, 0, height % 2), mode="replicate"), 2)
