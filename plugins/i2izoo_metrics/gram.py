"""Distance of styles."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from i2izoo.interfaces import ImageMetric, Weights
from i2izoo_metrics.networks import IMAGENET, normalised
from i2izoo_metrics.perceptual_nets import VGG19, open_vgg19
from i2izoo_metrics.rgb import at_least, rgb

LAYERS = (1, 6, 11, 20, 29)
"""Places in VGG-19 of relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1."""


class GramDistance(ImageMetric):
    """Distance of the style of two images: of the Gram matrices of VGG-19 features (Gatys, Ecker and Bethge 2015).

    The style loss of equations (4) and (5): the mean over relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1 of
    sum((G - A)^2) / (4 N^2 M^2) with G = F F^T, for N channels of M places. The network is torchvision's, with its
    max pooling and ImageNet's normalisation and without the paper's rescaling of weights, so values cannot be compared
    with those of other implementations. Sides from 16 pixels.
    """

    higher_is_better = False
    bounds = (0.0, math.inf)

    def weights(self) -> tuple[Weights, ...]:
        return (VGG19,)

    def prepare(self, device: torch.device) -> None:
        self.device, self.network = device, open_vgg19(device)

    @torch.no_grad()
    def score(self, *, prediction: Tensor, target: Tensor) -> Tensor:
        at_least(prediction, 16, "gram_distance")
        ours, theirs = self._grams(prediction), self._grams(target)
        terms = [((g - a) ** 2).sum(dim=(1, 2)) / 4 for g, a in zip(ours, theirs, strict=True)]
        return torch.stack(terms).mean(dim=0)

    def _grams(self, images: Tensor) -> list[Tensor]:
        """F F^T / (N M) of each layer: the division before the square keeps float32 in range."""
        features = normalised((rgb(images.to(self.device), "gram_distance") + 1) * 127.5, *IMAGENET)
        found = []
        for place, layer in enumerate(self.network[: LAYERS[-1] + 1]):
            features = layer(features)
            if place in LAYERS:
                flat = features.flatten(2)
                found.append(flat @ flat.mT / flat[0].numel())
        return found
