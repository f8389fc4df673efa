"""How colourful translations are beside the true images: brown wash shows here, and in no mean distance."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from i2izoo.errors import MetricError
from i2izoo.interfaces import Metric, Score
from i2izoo.nn.colour import srgb_to_lab
from i2izoo_metrics.rgb import to_unit


class ChromaRatio(Metric):
    """Mean chroma C*ab of all predictions over that of the true images: 1 is as colourful, 0 is grey.

    C*ab = sqrt(a*^2 + b*^2) of CIE L*a*b*. It counts how strong colours are and not which, so read it beside
    `delta_e2000`, which grows where colours are strong and wrong; above 1 they are stronger than the true ones. Over
    all pixels of all images, since the ratio of a single grey image says nothing.

    >>> metric, target = ChromaRatio(), torch.rand(1, 3, 8, 8)
    >>> metric.update(prediction=target, target=target)
    >>> metric.compute().value
    1.0
    """

    higher_is_better = True
    bounds = (0.0, math.inf)

    def __init__(self) -> None:
        self.found = self.wanted = 0.0
        self.seen = 0

    def update(self, *, prediction: Tensor, target: Tensor) -> None:
        if (channels := prediction.shape[1]) != 3:
            raise MetricError(f"chroma_ratio is of colours of 3 channels, red, green and blue; found {channels}.")
        self.found += _chroma(prediction)
        self.wanted += _chroma(target)
        self.seen += len(prediction)

    def compute(self) -> Score:
        if not self.seen:
            raise MetricError("ChromaRatio has seen no image.")
        if self.wanted / self.seen < 1e-2:  # grey of 8 bits has about 1e-3, for sRGB's matrix has seven digits
            raise MetricError("the true images are grey, so their chroma can be compared with nothing.")
        return Score(self.found / self.wanted, n=self.seen)


def _chroma(images: Tensor) -> float:
    """The sum over images of the mean chroma of each."""
    _, a, b = srgb_to_lab(to_unit(images).double()).unbind(1)
    return float(torch.hypot(a, b).mean(dim=(1, 2)).sum())
