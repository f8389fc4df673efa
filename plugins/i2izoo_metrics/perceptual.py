"""Distance of what a recognition network sees in two images."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar

from torch import Tensor

from i2izoo.interfaces import ImageMetric, Score
from i2izoo_metrics.features import FeatureMetric
from i2izoo_metrics.resizing import Resize


class PerceptualDistance(FeatureMetric, ImageMetric):
    """Euclidean distance of the features of output and reference: the PD of Palette (Saharia et al. 2022).

    Palette has features of Inception-v1, whose weights are not public, and does not name the layer; values with other
    features, the default among them, cannot be compared with the paper's.

    Args:
        features: name of an extractor, see `FeatureMetric`.
        resize: see `FeatureMetric`.
    """

    higher_is_better = False
    bounds = (0.0, math.inf)
    tiny_options: ClassVar[dict[str, Any]] = {"features": "pixels"}

    def __init__(self, *, features: str = "inception", resize: Resize = "clean") -> None:
        super().__init__()

    def score(self, *, prediction: Tensor, target: Tensor) -> Tensor:
        return (self.extractor(prediction) - self.extractor(target)).norm(dim=1)

    def compute(self) -> Score:
        score = super().compute()
        return replace(score, notes=tuple(self.notes(score.n, "")))
