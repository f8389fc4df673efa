"""Peak signal-to-noise ratio."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from i2izoo.interfaces import ImageMetric, Score
from i2izoo_metrics.rgb import to_unit


class PSNR(ImageMetric):
    """10 log10(1 / MSE) in dB of images in [0, 1], for each image; then the mean over images.

    The mean is of decibels: an error pooled over images is ruled by the worst of them. Any number of channels. An
    image without any error has infinity, which its mean then is too; a note says how many such images there are.

    >>> import torch
    >>> metric = PSNR()
    >>> metric.update(prediction=torch.zeros(1, 3, 4, 4), target=torch.full((1, 3, 4, 4), 0.2)).round().item()
    20.0
    """

    higher_is_better = True
    bounds = (0.0, float("inf"))
    unit = "dB"

    def __init__(self) -> None:
        self.identical = 0

    def score(self, *, prediction: Tensor, target: Tensor) -> Tensor:
        from torchmetrics.functional.image import peak_signal_noise_ratio

        return peak_signal_noise_ratio(
            to_unit(prediction), to_unit(target), data_range=1.0, reduction="none", dim=(1, 2, 3)
        )

    def update(self, *, prediction: Tensor, target: Tensor) -> Tensor:
        values = super().update(prediction=prediction, target=target)
        self.identical += int(values.isinf().sum())
        return values

    def compute(self) -> Score:
        score = super().compute()
        if not self.identical:
            return score
        note = f"{self.identical} of {score.n} images are identical to the truth, so the mean is infinite."
        return replace(score, notes=(*score.notes, note))
