"""Improved precision and recall of a set of images."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from i2izoo.contracts.ranges import Number, Seed
from i2izoo.interfaces import Score
from i2izoo_metrics.features import SampledSets
from i2izoo_metrics.resizing import Resize


class _Manifolds(SampledSets):
    """Which images of one set lie in the manifold of the other: in the ball of one of its images, whose radius is
    the distance to the `neighbours`-th nearest other image of its own set.

    Kynkaanniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models" (NeurIPS 2019, arXiv
    1904.06991), equations 1 and 2. Both depend on the number of images: compare values of the same number only, and
    of about as many predictions as references.

    Args:
        features: the extractor; see `i2izoo_metrics.features.FeatureMetric`. The paper's is VGG-16.
        resize: "clean" (antialiased) or "legacy" (not antialiased).
        neighbours: k of the paper.
        max_samples: images of each set whose features are kept; memory does not grow beyond.
        seed: of what is kept.
    """

    higher_is_better = True
    bounds = (0.0, 1.0)
    min_samples = 4
    advised_samples = 10_000
    tiny_options: ClassVar[dict[str, Any]] = {"features": "pixels"}

    def __init__(
        self,
        *,
        features: str = "vgg16",
        resize: Resize = "clean",
        neighbours: Number = 3,
        max_samples: Number = 10_000,
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        self.neighbours = neighbours

    def share(self, of_predictions: bool) -> Score:
        """The share of one set that lies in the manifold of the other."""
        fake, real = self.sets(least=self.neighbours + 1)
        points, manifold = (fake, real) if of_predictions else (real, fake)
        value = covered(points, manifold, self.neighbours).double().mean()
        n = min(self.predictions.n, self.references.n)
        notes = self.notes(n, f"it depends on the number of images, and is advised from {self.advised_samples}")
        return Score(float(value), n=self.predictions.n, notes=tuple(self.cut_notes() + notes))


class Precision(_Manifolds):
    """Share of predictions that lie in the manifold of the true images, and so look like them; higher is better."""

    def compute(self) -> Score:
        return self.share(of_predictions=True)


class Recall(_Manifolds):
    """Share of true images in the manifold of the predictions, so of their variety that is met; higher is better."""

    def compute(self) -> Score:
        return self.share(of_predictions=False)


def covered(points: Tensor, manifold: Tensor, neighbours: int, rows: int = 1024) -> Tensor:
    """For each of N x D points, is it in the ball of one of the M x D others? N, bool.

    Distances are made `rows` by M at a time.

    >>> line = torch.tensor([[0.0], [1.0], [3.0]])  # with one neighbour the balls have the radii 1, 1, 2
    >>> covered(torch.tensor([[-1.0], [4.5], [5.5]]), line, neighbours=1).tolist()
    [True, True, False]
    """
    # kthvalue counts from 1, and the nearest is the point itself
    radii = torch.cat([torch.cdist(part, manifold).kthvalue(neighbours + 1).values for part in manifold.split(rows)])
    return torch.cat([(torch.cdist(part, manifold) <= radii).any(1) for part in points.split(rows)])
