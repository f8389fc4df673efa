"""Features of a segmentation network: for images unlike ImageNet's, and without any download."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional as F

from i2izoo.contracts.ranges import Range
from i2izoo.errors import MetricError
from i2izoo.interfaces import FeatureExtractor
from i2izoo.nn.padding import pad_to_valid
from i2izoo_metrics.segmenter import Segmenter


class SegmenterFeatures(FeatureExtractor):
    """What a segmenter's backbone sees, averaged over a grid of cells: N x 3 x H x W to N x features * cells ** 2.

    The default knows facades: `fid[segmenter]` and `kid[segmenter]` compare what parts facades have, how they look and
    where they are. Such values are no Inception scores, and compare with those of the same segmenter only.

    Args:
        segmenter: anything that `i2izoo.load` takes and that is of the method `segmenter`.
        cells: cells on each side of the grid.

    >>> extractor = SegmenterFeatures()
    >>> extractor.prepare(torch.device("cpu"))
    >>> extractor(torch.zeros(1, 3, 40, 60)).shape
    torch.Size([1, 512])
    """

    def __init__(self, *, segmenter: str = "segmenter-facades", cells: Annotated[int, Range(1, 1024)] = 4) -> None:
        super().__init__()
        self.segmenter, self.cells = segmenter, cells

    def prepare(self, device: torch.device) -> None:
        import i2izoo

        method = i2izoo.load(self.segmenter).method
        if not isinstance(method, Segmenter):
            raise MetricError(
                f"needs a model of the method 'segmenter', and {self.segmenter!r} is a {type(method).__name__}"
            )
        self.backbone = method.generator
        self.fit = method.size_multiple(method.target), method.min_size(method.target)
        super().prepare(device)

    def forward(self, image: Tensor) -> Tensor:
        features = self.backbone(pad_to_valid(image, *self.fit))[..., : image.shape[-2], : image.shape[-1]]
        return F.adaptive_avg_pool2d(features, self.cells).flatten(1)
