"""How much the samples of one image differ."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from i2izoo.errors import MetricError
from i2izoo.interfaces import FeatureExtractor, ImageMetric, Part, Score, Weights
from i2izoo_metrics.extractors import own_extractor
from i2izoo_metrics.map_distances import cosine_distance
from i2izoo_metrics.perceptual_nets import LEAST_SIDE, TRUNKS, open_lpips
from i2izoo_metrics.rgb import at_least, rgb

SAMPLES = 20
"""Samples of each image in BicycleGAN's protocol."""


class _Diversity(ImageMetric):
    """Mean distance of consecutive samples of each image, (1, 2), (2, 3), ...; then the mean over images."""

    higher_is_better = True
    bounds = (0.0, math.inf)
    inputs = ("samples",)
    advised_samples = 100
    name: ClassVar[str]
    device: torch.device
    network: Any
    least: int | None = None
    least_side = 1

    @torch.no_grad()
    def score(self, *, samples: Tensor) -> Tensor:
        count = samples.shape[1]
        if count < 2:
            raise MetricError(f"{self.name} compares samples of one image, found {count}; ask for samples=20.")
        self.least = min(count, self.least or count)
        at_least(samples, self.least_side, self.name)
        # image by image: all samples of a batch would not fit
        return torch.stack([self._consecutive(rgb(own.to(self.device), self.name)) for own in samples])

    def compute(self) -> Score:
        score = super().compute()
        if not self.least or self.least >= SAMPLES:
            return score
        note = f"{self.least} samples of each image: published figures have {SAMPLES}."
        return replace(score, notes=(*score.notes, note))

    def _consecutive(self, samples: Tensor) -> Tensor:
        pairs = zip(samples[:-1].split(8), samples[1:].split(8), strict=True)
        return torch.cat([self.network(a, b).view(-1) for a, b in pairs]).mean()


class LPIPSDiversity(_Diversity):
    """Mean LPIPS over consecutive samples of each image, (1, 2), (2, 3), ...; then the mean over images.

    The protocol of BicycleGAN (Zhu et al. 2017, section 4): 20 samples of each of 100 images, 19 pairs each, and
    LPIPS 0.0 on AlexNet. Garbage is diverse, too: read it beside a measure of quality.

    Args:
        net: "alex" or "vgg".
        version: of LPIPS; "0.0", which does not scale its input, compares with figures of 2017 and 2018.
    """

    qualifier = "version"
    name = "lpips_diversity"

    def __init__(self, *, net: Literal["alex", "vgg"] = "alex", version: Literal["0.1", "0.0"] = "0.1") -> None:
        self.net, self.version, self.least_side = net, version, LEAST_SIDE[net]

    def weights(self) -> tuple[Weights, ...]:
        return (TRUNKS[self.net],)

    def prepare(self, device: torch.device) -> None:
        self.device, self.network = device, open_lpips(self.net, device, self.version)


class PerceptualDiversity(_Diversity):
    """Mean distance of consecutive samples of each image in the feature maps of a network; then the mean over images.

    What `lpips_diversity` is, with a cosine distance in maps of another network, 0 to 2, in the place of LPIPS: values
    compare with those of the same features only. Garbage is diverse, too: read it beside a measure of quality.

    Args:
        features: any extractor that has feature maps, or a network of timm by its name.
    """

    bounds = (0.0, 2.0)
    qualifier = "features"
    name = "perceptual_diversity"

    tiny_options: ClassVar[dict[str, Any]] = {"features": {"name": "efficientnet_lite0", "side": 32}}

    def __init__(self, *, features: Part[FeatureExtractor] = "efficientnet_lite0") -> None:
        self.extractor = own_extractor(features)

    def weights(self) -> tuple[Weights, ...]:
        return self.extractor.weights()

    def prepare(self, device: torch.device) -> None:
        self.extractor.prepare(device)
        self.device, self.network = device, self._distance

    def _distance(self, first: Tensor, second: Tensor) -> Tensor:
        return cosine_distance(self.extractor.maps(first), self.extractor.maps(second))

    def compute(self) -> Score:
        score = super().compute()
        return replace(score, notes=(*score.notes, f"images {self.extractor.preprocessing}"))
