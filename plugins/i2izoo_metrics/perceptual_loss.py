"""A loss in the features of a recognition network."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor
from torch.nn import functional as F

from i2izoo.contracts.ranges import Weight
from i2izoo.errors import MetricError
from i2izoo.interfaces import FeatureExtractor, Part, ReconstructionLoss
from i2izoo_metrics.extractors import own_extractor
from i2izoo_metrics.map_distances import cosine_distance, gram_distance


class Perceptual(ReconstructionLoss):
    """Distance of what a recognition network sees in two images, with L1 and style beside it where they are wanted.

    The terms are the mean cosine distance of feature maps, 0 to 2 (Zhang et al. 2018 without LPIPS's learned weights;
    the idea is of Johnson, Alahi and Fei-Fei 2016, arXiv 1603.08155); the mean absolute difference of pixels, 0 to 2;
    and the distance of Gram matrices (Gatys, Ecker and Bethge 2015), tens to hundreds with the default features.
    The network is frozen, loaded when the loss is first computed, and not saved with a model. It is given the images in
    its own size, antialiased. Images are grey or RGB in [-1, 1]: it is no loss for the noise of diffusion models. What
    has other channels, as the planes of a label map, has the L1 term alone.

    Args:
        features: any extractor that has feature maps, or a network of timm by its name;
            `{"name": "efficientnet_lite0", "side": 128}` is faster.
        feature_weight: of the cosine distance.
        l1_weight: of the difference of pixels.
        style_weight: of the distance of Gram matrices.

    >>> import torch
    >>> loss = Perceptual(l1_weight=1.0)
    >>> loss(torch.zeros(1, 3, 40, 60), torch.zeros(1, 3, 40, 60))
    tensor(0.)
    """

    tiny_options: ClassVar[dict[str, Any]] = {"features": {"name": "efficientnet_lite0", "side": 64}}

    def __init__(
        self,
        *,
        features: Part[FeatureExtractor] = "efficientnet_lite0",
        feature_weight: Weight = 1.0,
        l1_weight: Weight = 0.0,
        style_weight: Weight = 0.0,
    ) -> None:
        super().__init__()
        self.feature_weight, self.l1_weight, self.style_weight = feature_weight, l1_weight, style_weight
        self.extractor = own_extractor(features)  # no submodule: it is neither trained nor saved with the model

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        loss = self.l1_weight * F.l1_loss(prediction.float(), target.float())
        pixels_alone = self.l1_weight and prediction.ndim == 4 and prediction.shape[1] not in (1, 3)
        if pixels_alone or not (self.feature_weight or self.style_weight):
            return loss
        try:
            seen, wanted = self.extractor.maps(prediction), self.extractor.maps(target)
        except MetricError as error:
            raise MetricError(f"the perceptual loss: {error}") from error
        if self.feature_weight:
            loss = loss + self.feature_weight * cosine_distance(seen, wanted).mean()
        if self.style_weight:
            loss = loss + self.style_weight * gram_distance(seen, wanted).mean()
        return loss
