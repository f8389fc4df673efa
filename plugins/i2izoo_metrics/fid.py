"""Frechet inception distance."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from i2izoo.interfaces import Score
from i2izoo_metrics.features import FeatureSets
from i2izoo_metrics.gaussian import Gaussian, frechet_distance
from i2izoo_metrics.resizing import Resize


class FID(FeatureSets):
    """Frechet distance between two sets of images, taken as Gaussians in feature space; lower is better, 0 is equal.

    Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium" (NIPS 2017,
    arXiv 1706.08500), equation 6. It is biased upwards for small sets, by more for fewer images: compare values of
    the same number of images only, and prefer KID below 2048. Only mean and covariance are kept, in float64.

    The sums and the distance are ours: torchmetrics' `FrechetInceptionDistance` writes the covariance once for each
    batch, loses digits where the mean is large, and takes the eigenvalues of a matrix that is not symmetric, which is
    slower, and noisy where there are fewer images than features. The values agree where it is exact.

    Args:
        features: the extractor; see `i2izoo_metrics.features.FeatureMetric`.
        resize: "clean" as clean-fid, or "legacy" as pytorch-fid and torch-fidelity.

    >>> import torch
    >>> fid = FID(features="pixels")
    >>> black = -torch.ones(2, 3, 32, 32)
    >>> fid.add_reference(black)
    >>> fid.update(prediction=-black)  # white: 2 further in each of 3072 features, which have no variance
    >>> fid.compute().value / 3072
    4.0
    """

    higher_is_better = False
    bounds = (0.0, math.inf)
    min_samples = 2
    advised_samples = 2048
    tiny_options: ClassVar[dict[str, Any]] = {"features": "pixels"}

    def __init__(self, *, features: str = "inception", resize: Resize = "clean") -> None:
        super().__init__()
        self.predictions, self.references = Gaussian(), Gaussian()

    def compute(self) -> Score:
        n = self.enough(self.predictions.n, self.references.n)
        notes = self.notes(n, f"FID is biased upwards below {self.advised_samples}; prefer KID")
        return Score(frechet_distance(self.predictions, self.references), n=self.predictions.n, notes=tuple(notes))
