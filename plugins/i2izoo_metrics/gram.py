"""Distance of styles."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from i2izoo.interfaces import ImageMetric, Score, Weights
from i2izoo_metrics.extractors import open_extractor
from i2izoo_metrics.map_distances import gram_distance
from i2izoo_metrics.networks import IMAGENET, normalised
from i2izoo_metrics.perceptual_nets import VGG19, open_vgg19
from i2izoo_metrics.rgb import at_least, rgb

LAYERS = (1, 6, 11, 20, 29)
"""Places in VGG-19 of relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1."""


class GramDistance(ImageMetric):
    """Distance of the style of two images: of the Gram matrices of features (Gatys, Ecker and Bethge 2015).

    The style loss of equations (4) and (5): the mean over maps of sum((G - A)^2) / (4 N^2 M^2) with G = F F^T, for N
    channels of M places. The maps are relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1 of VGG-19 as torchvision has it,
    with its max pooling and ImageNet's normalisation and without the paper's rescaling of weights, or those of an
    extractor. Values compare with those of the same features and implementation only. Sides from 16 pixels.

    Args:
        features: "vgg19", or any extractor that has feature maps, such as "efficientnet_lite0".
    """

    higher_is_better = False
    bounds = (0.0, math.inf)
    qualifier = "features"

    def __init__(self, *, features: str = "vgg19") -> None:
        self.extractor = None if features == "vgg19" else open_extractor(features)

    def weights(self) -> tuple[Weights, ...]:
        return self.extractor.weights() if self.extractor else (VGG19,)

    def prepare(self, device: torch.device) -> None:
        self.device = device
        if self.extractor:
            self.extractor.prepare(device)
        else:
            self.network = open_vgg19(device)

    @torch.no_grad()
    def score(self, *, prediction: Tensor, target: Tensor) -> Tensor:
        at_least(prediction, 16, "gram_distance")
        return gram_distance(*(self._maps(rgb(x.to(self.device), "gram_distance")) for x in (prediction, target)))

    def compute(self) -> Score:
        score = super().compute()
        notes = (f"images {self.extractor.preprocessing}",) if self.extractor else ()
        return replace(score, notes=(*score.notes, *notes))

    def _maps(self, images: Tensor) -> list[Tensor]:
        if self.extractor:
            return self.extractor.maps(images)
        features, found = normalised((images + 1) * 127.5, *IMAGENET), []
        for place, layer in enumerate(self.network[: LAYERS[-1] + 1]):
            features = layer(features)
            if place in LAYERS:
                found.append(features)
        return found
