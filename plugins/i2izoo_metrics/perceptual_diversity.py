"""How much the samples of one image differ in what a recognition network sees."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from i2izoo.errors import MetricError
from i2izoo.interfaces import ImageMetric, Score
from i2izoo_metrics.features import FeatureMetric
from i2izoo_metrics.resizing import Resize


class PerceptualDiversity(FeatureMetric, ImageMetric):
    """Euclidean distance of the features of consecutive samples, (1, 2), (2, 3), ...; the mean over images.

    The protocol of `lpips_diversity` (BicycleGAN, Zhu et al. 2017, section 4) with the features of any extractor in the
    place of LPIPS. Values compare with those of the same features only. Garbage is diverse, too: read it beside a
    measure of quality.

    Args:
        features: name of an extractor, see `FeatureMetric`.
        resize: see `FeatureMetric`.

    >>> metric = PerceptualDiversity(features="pixels")
    >>> samples = torch.tensor([-1.0, 1.0, -1.0]).view(1, 3, 1, 1, 1).expand(1, 3, 3, 32, 32)
    >>> round(metric.update(samples=samples).item() / (3 * 32 * 32) ** 0.5, 6)  # of each value of `pixels`
    2.0
    """

    higher_is_better = True
    bounds = (0.0, math.inf)
    inputs = ("samples",)
    tiny_options: ClassVar[dict[str, Any]] = {"features": "pixels"}

    def __init__(self, *, features: str = "inception", resize: Resize = "clean") -> None:
        super().__init__()

    def score(self, *, samples: Tensor) -> Tensor:
        if samples.shape[1] < 2:
            raise MetricError(
                f"perceptual_diversity compares samples of one image, found {samples.shape[1]}; ask for samples=8."
            )
        # image by image: all samples of a batch would not fit
        return torch.stack([self.extractor(own).diff(dim=0).norm(dim=1).mean() for own in samples])

    def compute(self) -> Score:
        score = super().compute()
        return replace(score, notes=tuple(self.notes(score.n, "")))
