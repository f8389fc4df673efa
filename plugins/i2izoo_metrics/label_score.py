"""Segmentation measures of translations to label maps (CycleGAN, Zhu et al. 2017, section 5.1.1, photo to labels)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from i2izoo.contracts.label_maps import check_palette
from i2izoo.contracts.ranges import Palette, Range
from i2izoo.errors import MetricError
from i2izoo.interfaces import Metric, Score
from i2izoo_metrics.confusion import confusion_matrix, measures, scores
from i2izoo_metrics.palette import CMP, IGNORED, NO_LABEL_MAP, to_classes


class LabelScore(Metric):
    """Pixel accuracy, class accuracy and class IoU of generated label maps against the true ones.

    Every generated pixel counts as the class whose colour is nearest. Memory is a small matrix for each image. The
    value that `update` gives for each image is its pixel accuracy. On Cityscapes, CycleGAN has 0.58, 0.22 and 0.16,
    pix2pix 0.85, 0.40 and 0.32 (Zhu et al. 2017, arXiv 1703.10593, table 3).

    Args:
        palette: RGB colour of each class, 8 bits; the twelve of the CMP facades.
        tolerance: pixels of the true label map further than this from every colour, in 8-bit units, do not count.
        resamples: draws of the bootstrap behind the confidence intervals.

    >>> labels = torch.zeros(2, 3, 4, 4) - 1
    >>> labels[:, 2] = 222 / 127.5 - 1  # all background
    >>> metric = LabelScore()
    >>> metric.update(prediction=labels, target=labels).tolist(), metric.compute()["class_iou"].value
    ([1.0, 1.0], 1.0)
    """

    higher_is_better = True
    bounds = (0.0, 1.0)
    inputs: ClassVar[tuple[str, ...]] = ("prediction", "target")
    tiny_options: ClassVar[dict[str, Any]] = {"tolerance": 500.0}

    def __init__(
        self,
        *,
        palette: Palette = CMP,
        tolerance: Annotated[float, Range(0, 1000)] = 32.0,
        resamples: Annotated[int, Range(1, 1_000_000)] = 1000,
    ) -> None:
        check_palette(palette)
        self.palette, self.tolerance, self.resamples = palette, tolerance, resamples
        self.found: list[Tensor] = []
        self.pixels = 0

    def update(self, *, prediction: Tensor, target: Tensor) -> Tensor:  # type: ignore[override]
        """Add a batch of label maps, N x 3 x H x W; returns the pixel accuracy of each: N, float64.

        Raises:
            MetricError: they are not RGB, or the true ones are no label maps in the palette.
        """
        if prediction.shape[1] != 3:
            raise MetricError(
                f"label_score reads label maps in RGB colours; these have {prediction.shape[1]} channels."
            )
        truth = to_classes(target, self.palette, self.tolerance)
        if (truth == IGNORED).double().mean().item() > NO_LABEL_MAP:
            raise MetricError(
                "label_score scores translations to label maps, but most pixels of the truth have none of the "
                f"{len(self.palette)} colours of the palette; turn the direction round, or give palette=[[R,G,B],...]."
            )
        found = to_classes(prediction, self.palette, float("inf"))
        self.found.extend(confusion_matrix(truth, found, len(self.palette)).cpu())
        self.pixels += truth.numel()
        return measures(torch.stack(self.found[-len(truth) :]))[:, 0]

    def compute(self) -> dict[str, Score]:
        """`pixel_accuracy`, `class_accuracy` and `class_iou`; see `i2izoo_metrics.confusion.scores`."""
        return scores(self.found, self.pixels, self.resamples)
