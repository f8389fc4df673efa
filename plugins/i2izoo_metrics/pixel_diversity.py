"""How much the samples of one image differ, pixel by pixel."""

from __future__ import annotations

from torch import Tensor

from i2izoo.errors import MetricError
from i2izoo.interfaces import ImageMetric
from i2izoo_metrics.rgb import to_unit


class PixelDiversity(ImageMetric):
    """Root mean squared difference of consecutive samples of each image, in 8-bit levels; the mean over images.

    What `lpips_diversity` is without a network: it needs no weights, and sees a change of colour better than one of
    texture. Zero: the method has one answer. Noise is diverse, too, so read it beside a measure of quality.

    >>> import torch
    >>> metric = PixelDiversity()
    >>> metric.update(samples=torch.tensor([-1.0, 1.0, -1.0]).view(1, 3, 1, 1, 1).expand(1, 3, 3, 4, 4)).item()
    255.0
    """

    higher_is_better = True
    bounds = (0.0, 255.0)
    unit = "levels"
    inputs = ("samples",)

    def score(self, *, samples: Tensor) -> Tensor:
        if samples.shape[1] < 2:
            raise MetricError(
                f"pixel_diversity compares samples of one image, found {samples.shape[1]}; ask for samples=8."
            )
        levels = 255 * to_unit(samples)
        return (levels[:, 1:] - levels[:, :-1]).square().mean(dim=(2, 3, 4)).sqrt().mean(dim=1)
