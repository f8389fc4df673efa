"""Number of statistically different bins."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from i2izoo.contracts.ranges import Number, Range, Seed
from i2izoo.errors import MetricError
from i2izoo.interfaces import Score
from i2izoo_metrics.features import SampledSets
from i2izoo_metrics.resizing import Resize

LEAST = 10
"""True images for each bin on average: fewer say nothing about its share."""
ITERATIONS = 20
"""Of K-means."""


class NDB(SampledSets):
    """Share of bins of the true images that predictions fill too often or too rarely; lower is better.

    Richardson and Weiss, "On GANs and GMMs" (NeurIPS 2018, arXiv 1805.12462), section 3: K-means puts the true
    images into K bins, and in each a two-proportion z-test at 0.05 compares its shares of the two sets. The value is
    NDB / K: 0.05 is what true images would get, and a collapsed model gets close to 1. With few images the test
    finds little, so compare values of the same number of images only.

    As in the paper the bins are of images as pixels, here downscaled to 32 x 32; `features` takes other features.

    Args:
        features: the extractor; see `i2izoo_metrics.features.FeatureMetric`.
        resize: "clean" (antialiased) or "legacy" (not antialiased).
        bins: K, or one for every 10 true images, if there are fewer.
        max_samples: images of each set whose features are kept; memory does not grow beyond.
        seed: of K-means, and of what is kept.
    """

    higher_is_better = False
    bounds = (0.0, 1.0)
    min_samples = 2 * LEAST
    advised_samples = 1000
    tiny_options: ClassVar[dict[str, Any]] = {"features": "pixels"}

    def __init__(
        self,
        *,
        features: str = "pixels",
        resize: Resize = "clean",
        bins: Annotated[int, Range(2, 10**9)] = 100,
        max_samples: Number = 10_000,
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        self.bins, self.seed = bins, seed
        self._reference: dict[str, Tensor] | None = None

    def add_reference(self, images: Tensor) -> None:
        self._reference = None
        super().add_reference(images)

    def reference_state(self) -> dict[str, Tensor]:
        """`centres` of the bins, K x D, `counts` of the true images in them, and `n`, how many there were."""
        if self._reference is None:
            rows = self.references.rows()
            centres = cluster(rows, max(1, min(self.bins, len(rows) // LEAST)), self.seed)
            counts = nearest(rows, centres).bincount(minlength=len(centres))
            n = torch.tensor(self.references.n)
            self._reference = {"centres": centres, "counts": counts, "n": n, "extractor": self.extractor.fingerprint()}
        return self._reference

    def load_reference_state(self, state: Mapping[str, Tensor]) -> None:
        self.check(state)
        self._reference = {name: state[name] for name in ("centres", "counts", "n", "extractor")}

    def compute(self) -> Score:
        reference = self.reference_state()
        centres, real = reference["centres"], reference["counts"]
        n = self.enough(self.predictions.n, int(reference["n"]))
        rows = self.predictions.rows()
        if rows.shape[1] != centres.shape[1]:
            raise MetricError(f"features of the two sets have {rows.shape[1]} and {centres.shape[1]} values.")
        fake = nearest(rows, centres).bincount(minlength=len(centres))
        different = differing(real, fake)
        notes = self.cut_notes() + self.notes(n, f"NDB finds few differences below {self.advised_samples}")
        if len(centres) < self.bins:
            notes.insert(0, f"{len(centres)} bins, not {self.bins}: {LEAST} true images or more for each")
        return Score(int(different.sum()) / len(centres), n=self.predictions.n, notes=tuple(notes))


def cluster(rows: Tensor, bins: int, seed: int) -> Tensor:
    """Centres of at most `bins` clusters of N x D rows by K-means, started by k-means++; K x D, float32."""
    from scipy.cluster.vq import kmeans2

    draw = np.random.default_rng(seed)
    some = rows[draw.permutation(len(rows))[: LEAST * bins]].numpy()  # k-means++ takes bins^2 passes over them
    bins = min(bins, len(np.unique(some, axis=0)))  # images that are all the same make one bin
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a cluster that runs empty keeps its centre
        centres, _ = kmeans2(some, bins, 1, minit="++", missing="warn", rng=draw)
        centres, _ = kmeans2(rows.numpy(), centres, ITERATIONS, minit="matrix", missing="warn")
    return torch.from_numpy(centres).float()


def nearest(rows: Tensor, centres: Tensor) -> Tensor:
    """The bin of each row: N, int64."""
    return torch.cat([torch.cdist(part, centres.double()).argmin(1) for part in rows.double().split(4096)])


def differing(real: Tensor, fake: Tensor) -> Tensor:
    """Which bins have shares that differ at the 5 % level, by the two-proportion z-test: K, bool.

    Args:
        real: number of true images in each bin, K.
        fake: number of predictions in each bin, K.

    >>> differing(torch.tensor([50, 50]), torch.tensor([40, 60])).tolist()  # z = 1.42
    [False, False]
    >>> differing(torch.tensor([50, 50]), torch.tensor([30, 70])).tolist()  # z = 2.89
    [True, True]
    """
    m, n = real.sum(), fake.sum()
    pooled = (real + fake) / (m + n).double()
    error = (pooled * (1 - pooled) * (1 / m + 1 / n)).sqrt()
    # a bin that is empty in both, or holds all of both, differs in nothing: its error is 0 and so is the difference
    return (real / m.double() - fake / n.double()).abs() > 1.959963984540054 * error
