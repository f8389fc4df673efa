"""Inception score."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from i2izoo.contracts.ranges import Number
from i2izoo.interfaces import Score
from i2izoo_metrics.features import FeatureMetric
from i2izoo_metrics.resizing import Resize

LEAST = 100
"""Images in each split, where there are so many: a split of n images cannot score above n."""


class InceptionScore(FeatureMetric):
    """exp of the mean divergence of p(class | image) from p(class): sharp images of many classes score high.

    Salimans et al., "Improved Techniques for Training GANs" (NIPS 2016, arXiv 1606.03498), section 4. From 1 to the
    number of classes (1008). It never sees the true images, and means something for images like ImageNet's only.

    The value is the mean over splits, to which images go in turn; the interval is Student's over the splits. The
    score of few images is biased downwards, and only as many splits are made as have `LEAST` images each. Sums over
    classes are all that is kept.

    Args:
        features: an extractor that has class logits; see `i2izoo_metrics.features.FeatureMetric`.
        resize: "clean" as clean-fid, or "legacy" as torch-fidelity.
        splits: number of splits, or fewer for fewer images.
    """

    higher_is_better = True
    bounds = (1.0, math.inf)
    inputs = ("prediction",)
    min_samples = 2
    advised_samples = 5000
    tiny_options: ClassVar[dict[str, Any]] = {}

    def __init__(self, *, features: str = "inception", resize: Resize = "clean", splits: Number = 10) -> None:
        super().__init__()
        self.splits, self.n = splits, 0

    def update(self, *, prediction: Tensor) -> None:  # type: ignore[override]
        logits = self.extractor.logits(self.extractor(prediction)).cpu().double()
        logs, p = logits.log_softmax(1), logits.softmax(1)
        if not self.n:
            self._p = torch.zeros(self.splits, p.shape[1], dtype=p.dtype)
            self._entropy = torch.zeros(self.splits, dtype=p.dtype)  # negative: the sum of p log p
            self._counts = torch.zeros(self.splits, dtype=p.dtype)
        for row, split in enumerate((self.n + i) % self.splits for i in range(len(p))):  # in order: the same sums in
            self._p[split] += p[row]  # any batches
            self._entropy[split] += (p[row] * logs[row]).sum()
            self._counts[split] += 1
        self.n += len(p)

    def compute(self) -> Score:
        self.enough(self.n)
        splits = max(1, min(self.splits, self.n // LEAST))
        joined = torch.arange(self.splits) % splits  # the sums of several splits are those of their union
        p, entropy, counts = (
            torch.zeros(splits, *s.shape[1:], dtype=s.dtype).index_add(0, joined, s)
            for s in (self._p, self._entropy, self._counts)
        )
        mean = p / counts[:, None]
        scores = (entropy / counts - torch.special.xlogy(mean, mean).sum(1)).exp()
        notes = self.notes(self.n, f"the inception score is biased downwards below {self.advised_samples}")
        if splits < self.splits:
            notes.insert(0, f"{splits} {'split' if splits == 1 else 'splits'}, not {self.splits}: of at least {LEAST}")
        value, margin = float(scores.mean()), None
        if splits > 1:
            from scipy.stats import t

            margin = float(t.ppf(0.975, splits - 1) * scores.std() / splits**0.5)
        low, high = (None, None) if margin is None else (value - margin, value + margin)
        return Score(value, low, high, n=self.n, notes=tuple(notes))
