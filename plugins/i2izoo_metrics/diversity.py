"""How much the samples of one image differ."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from i2izoo.errors import MetricError
from i2izoo.interfaces import ImageMetric, Score, Weights
from i2izoo_metrics.perceptual_nets import LEAST_SIDE, TRUNKS, open_lpips
from i2izoo_metrics.rgb import at_least, rgb

SAMPLES = 20
"""Samples of each image in BicycleGAN's protocol."""


class LPIPSDiversity(ImageMetric):
    """Mean LPIPS over consecutive samples of each image, (1, 2), (2, 3), ...; then the mean over images.

    The protocol of BicycleGAN (Zhu et al. 2017, section 4): 20 samples of each of 100 images, 19 pairs each, and
    LPIPS 0.0 on AlexNet. Garbage is diverse, too: read it beside a measure of quality.

    Args:
        net: "alex" or "vgg".
        version: of LPIPS; "0.0", which does not scale its input, compares with figures of 2017 and 2018.
    """

    higher_is_better = True
    bounds = (0.0, math.inf)
    inputs = ("samples",)
    advised_samples = 100
    qualifier = "version"

    def __init__(self, *, net: Literal["alex", "vgg"] = "alex", version: Literal["0.1", "0.0"] = "0.1") -> None:
        self.net, self.version = net, version
        self.least: int | None = None

    def weights(self) -> tuple[Weights, ...]:
        return (TRUNKS[self.net],)

    def prepare(self, device: torch.device) -> None:
        self.device, self.network = device, open_lpips(self.net, device, self.version)

    @torch.no_grad()
    def score(self, *, samples: Tensor) -> Tensor:
        count = samples.shape[1]
        if count < 2:
            raise MetricError(f"lpips_diversity compares samples of one image, found {count}; ask for samples=20.")
        self.least = min(count, self.least or count)
        at_least(samples, LEAST_SIDE[self.net], "lpips_diversity")
        # image by image: all samples of a batch would not fit
        return torch.stack([self._consecutive(rgb(own.to(self.device), "lpips_diversity")) for own in samples])

    def compute(self) -> Score:
        score = super().compute()
        if not self.least or self.least >= SAMPLES:
            return score
        note = f"{self.least} samples of each image: published figures have {SAMPLES}."
        return replace(score, notes=(*score.notes, note))

    def _consecutive(self, samples: Tensor) -> Tensor:
        pairs = zip(samples[:-1].split(8), samples[1:].split(8), strict=True)
        return torch.cat([self.network(a, b).view(-1) for a, b in pairs]).mean()
