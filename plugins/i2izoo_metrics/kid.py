"""Kernel inception distance."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from i2izoo.contracts.ranges import Number, Range, Seed
from i2izoo.interfaces import Score
from i2izoo_metrics.features import SampledSets
from i2izoo_metrics.resizing import Resize


class KID(SampledSets):
    """Squared maximum mean discrepancy between two sets of images in feature space; lower is better.

    Binkowski et al., "Demystifying MMD GANs" (ICLR 2018, arXiv 1801.01401), section 4: the unbiased estimator with the
    kernel (x.y / D + 1)^3. Unbiased: values of sets of different sizes compare, and two samples of one distribution
    may give a value below 0. The value is as the formula has it; papers often print it times 1000 or times 100.

    The value is the mean over random subsets, those of torch-fidelity at the same seed. A set smaller than a subset
    is one subset. The interval is the value +- 1.96 standard errors by the delete-one jackknife over the images of
    both sets: how the value would change with other images. (The spread over subsets does not say that: they
    overlap, and of a small set all are the same.)

    Args:
        features: the extractor; see `i2izoo_metrics.features.FeatureMetric`.
        resize: "clean" as clean-fid, or "legacy" as torch-fidelity.
        subset_size: images of each set in a subset, or as many as there are.
        subsets: number of subsets.
        max_samples: images of each set whose features are kept; memory does not grow beyond.
        seed: of the subsets, and of what is kept.
    """

    higher_is_better = False
    min_samples = 2
    tiny_options: ClassVar[dict[str, Any]] = {"features": "pixels"}

    def __init__(
        self,
        *,
        features: str = "inception",
        resize: Resize = "clean",
        subset_size: Annotated[int, Range(2, 10**9)] = 1000,
        subsets: Number = 100,
        max_samples: Number = 10_000,
        seed: Seed = 2020,
    ) -> None:
        super().__init__()
        self.subset_size, self.subsets, self.seed = subset_size, subsets, seed

    def compute(self) -> Score:
        fake, real = self.sets()
        size = min(self.subset_size, len(fake), len(real))
        notes = self.cut_notes() + self.notes(self.predictions.n, "")
        if size < self.subset_size:
            notes.insert(0, f"subsets of {size} images, not {self.subset_size}: there are no more")
        if size == len(fake) == len(real):
            value = mmd2(fake, real)
        else:
            draw, values = np.random.RandomState(self.seed), []
            for _ in range(self.subsets):
                rows = [draw.choice(len(s), size, replace=False) for s in (fake, real)]  # in torch-fidelity's order
                values.append(mmd2(fake[rows[0]], real[rows[1]]))
            value = math.fsum(values) / len(values)
        margin = 1.96 * standard_error(fake, real) if min(len(fake), len(real)) > 2 else None
        low, high = (None, None) if margin is None else (value - margin, value + margin)
        return Score(value, low, high, n=self.predictions.n, notes=tuple(notes))


def kernel(x: Tensor, y: Tensor) -> Tensor:
    """(x.y / D + 1)^3 for every pair of rows: M x D and N x D to M x N."""
    k = torch.mm(x, y.T).mul_(1 / x.shape[1]).add_(1)
    return k.square().mul_(k)


def mmd2(x: Tensor, y: Tensor) -> float:
    """The unbiased estimator of the squared MMD of M x D and N x D rows: Gretton et al. 2012, equation 3.

    >>> round(mmd2(torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [2.0]])), 6)  # 1 + 27 - 2 (1 + 1 + 8 + 27) / 4
    9.5
    """
    m, n = len(x), len(y)
    xx, yy = ((k.sum() - k.trace()) for k in (kernel(x, x), kernel(y, y)))
    return float(xx / (m * (m - 1)) + yy / (n * (n - 1)) - 2 * kernel(x, y).mean())


def standard_error(x: Tensor, y: Tensor, rows: int = 1024) -> float:
    """Of `mmd2(x, y)` by the delete-one jackknife over the rows of both sets, each of at least 3.

    All the values with one row left out come from the sums over the rows of the kernels, made `rows` at a time.

    Source: Efron and Stein 1981, "The jackknife estimate of variance"; for two samples the variances add.
    """
    m, n = len(x), len(y)
    xx, yy = (torch.cat([kernel(part, s).sum(1) for part in s.split(rows)]) - _self(s) for s in (x, y))
    by_x, yx = [], torch.zeros(n, dtype=x.dtype)
    for part in x.split(rows):
        k = kernel(part, y)
        by_x.append(k.sum(1))
        yx += k.sum(0)
    xy = torch.cat(by_x)
    total_xx, total_yy, total_xy = xx.sum(), yy.sum(), xy.sum()
    without_x = (total_xx - 2 * xx) / ((m - 1) * (m - 2)) - 2 * (total_xy - xy) / ((m - 1) * n)
    without_y = (total_yy - 2 * yy) / ((n - 1) * (n - 2)) - 2 * (total_xy - yx) / (m * (n - 1))
    parts = [(len(w) - 1) * w.var(correction=0) for w in (without_x, without_y)]
    return math.sqrt(float(sum(parts)))


def _self(x: Tensor) -> Tensor:
    """The kernel of each row with itself."""
    return (x.square().mean(1) + 1) ** 3
