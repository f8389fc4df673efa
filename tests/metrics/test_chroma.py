"""The ratio of chroma, against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from i2izoo_metrics.chroma import ChromaRatio
from torch import Tensor

from i2izoo.errors import MetricError
from i2izoo.nn.colour import lab_to_srgb


def of(*chroma: float, hue: float = 1.0, lightness: float = 60.0) -> Tensor:
    """Images of one colour each, N x 3 x 4 x 4 in [-1, 1]."""
    lab = torch.tensor([[lightness, c * math.cos(hue), c * math.sin(hue)] for c in chroma], dtype=torch.float64)
    return (lab_to_srgb(lab) * 2 - 1)[:, :, None, None].expand(-1, -1, 4, 4)


def test_it_is_of_all_images_and_blind_to_hue_and_lightness() -> None:
    """(6 + 2 + 10) / (12 + 8 + 20), in two batches."""
    metric = ChromaRatio()
    metric.update(prediction=of(6, 2), target=of(12, 8, hue=2.0))
    metric.update(prediction=of(10, lightness=40), target=of(20, hue=-1.0))
    score = metric.compute()
    assert (score.value, score.n) == (pytest.approx(18 / 40, rel=1e-4), 3)


def test_grey_has_none_and_cannot_be_the_truth() -> None:
    metric = ChromaRatio()
    metric.update(prediction=of(0), target=of(12))
    assert metric.compute().value == pytest.approx(0, abs=1e-4)
    metric = ChromaRatio()
    metric.update(prediction=of(12), target=torch.full((1, 3, 4, 4), 0.2))
    with pytest.raises(MetricError, match="grey"):
        metric.compute()


def test_it_wants_colours_and_images() -> None:
    with pytest.raises(MetricError, match="found 1"):
        ChromaRatio().update(prediction=torch.zeros(1, 1, 4, 4), target=torch.zeros(1, 1, 4, 4))
    with pytest.raises(MetricError, match="no image"):
        ChromaRatio().compute()
