"""Mean and covariance of features that come in batches, and the Frechet distance of two Gaussians."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from i2izoo.errors import MetricError

BLOCK = 256
"""Least number of rows that are folded into the covariance at a time."""


class Gaussian:
    """Mean and covariance of N x D rows, in float64, in memory that depends on D alone.

    The rows themselves are held until there are more than D of them (at least `BLOCK`), which takes no more memory
    than the covariance; then they are folded into the sums in blocks of that many, so how the rows came in batches
    changes no bit. Each block is centred first, and joins by Chan, Golub and LeVeque's update (1983, equation 2.1):
    a large common mean costs no digits, as it does where squares are summed and the mean is taken off at the end.

    >>> gaussian = Gaussian()
    >>> gaussian.add(torch.tensor([[0.0], [2.0]]))
    >>> gaussian.n, gaussian.moments()[0].tolist(), gaussian.covariance().tolist()
    (2, [1.0], [[2.0]])
    """

    def __init__(self) -> None:
        self._folded = 0
        self._held = 0

    @property
    def n(self) -> int:
        """Number of rows so far."""
        return self._folded + self._held

    def add(self, rows: Tensor) -> None:
        """Add rows, N x D. They stay on the device of the first ones (on the CPU, if it has no float64)."""
        if self.n == 0:
            device = rows.device if rows.device.type in ("cpu", "cuda") else torch.device("cpu")
            self._block = torch.empty(max(rows.shape[1], BLOCK), rows.shape[1], dtype=rows.dtype, device=device)
        elif rows.shape[1] != self._block.shape[1]:
            raise MetricError(f"features have {rows.shape[1]} values, those before had {self._block.shape[1]}.")
        while len(rows):
            if self._held == len(self._block):
                self._fold()
            some = rows[: len(self._block) - self._held]
            self._block[self._held : self._held + len(some)] = some
            self._held += len(some)
            rows = rows[len(some) :]

    def _fold(self) -> None:
        rows = self._block[: self._held].double()
        mean = rows.mean(0)
        rows -= mean
        if not self._folded:
            self._mean, self._scatter = mean, rows.T @ rows
        else:
            both = self._folded + self._held
            shift = mean - self._mean
            self._mean += shift * (self._held / both)
            self._scatter.addmm_(rows.T, rows).addr_(shift, shift, alpha=self._folded * self._held / both)
        self._folded, self._held = self._folded + self._held, 0

    def state(self) -> dict[str, Tensor]:
        """All of it, on the CPU: `n` with either `rows`, or `mean` and `scatter` (the covariance times n - 1)."""
        if not self.n:
            raise MetricError("there is no image in it yet.")
        n = torch.tensor(self.n)
        if not self._folded:
            return {"n": n, "rows": self._block[: self._held].cpu().clone()}
        if self._held:
            self._fold()
        return {"n": n, "mean": self._mean.cpu(), "scatter": self._scatter.cpu()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take a `state` in place of what was added."""
        self._folded = self._held = 0
        if "rows" in state:
            return self.add(state["rows"])
        self._folded, self._mean, self._scatter = int(state["n"]), state["mean"].clone(), state["scatter"].clone()
        self._block = torch.empty(max(len(self._mean), BLOCK), len(self._mean))

    def moments(self) -> tuple[Tensor, Tensor | None]:
        """The mean, D, and the rows less the mean, over the root of n - 1, N x D; None once they have been folded."""
        if self._folded:
            if self._held:
                self._fold()
            return self._mean, None
        rows = self._block[: self._held].double()
        mean = rows.mean(0)
        return mean, (rows - mean) / (self.n - 1) ** 0.5

    def covariance(self) -> Tensor:
        """D x D, unbiased, as `numpy.cov` has it."""
        _, rows = self.moments()
        return self._scatter / (self.n - 1) if rows is None else rows.T @ rows

    def root(self) -> Tensor:
        """A factor F, D x R, of the covariance F F^T; of a singular one, R is (close to) its rank."""
        _, rows = self.moments()
        if rows is not None:
            return rows.T
        covariance = self.covariance()
        lower, failed = torch.linalg.cholesky_ex(covariance)
        if not failed:
            return lower
        values, vectors = torch.linalg.eigh(covariance)  # features that never change: leave out their directions
        kept = values > values[-1] * len(values) * torch.finfo(values.dtype).eps
        return vectors[:, kept] * values[kept].sqrt()


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """|mu1 - mu2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), at least 0: Heusel et al. 2017, equation 6.

    No square root of a matrix is taken. With S1 = F F^T, the trace of the root is the sum of the roots of the
    eigenvalues of the symmetric F^T S2 F, in float64; with S2 = G G^T as well, it is the sum of the singular values of
    F^T G. The second takes no roots, so that the many eigenvalues that are zero where there are fewer images than
    features do no harm, and is fast there, since F^T G is then as small as the sets: it serves there.
    """
    (mean1, rows1), (mean2, rows2) = first.moments(), second.moments()
    if mean1.shape != mean2.shape:
        raise MetricError(f"features of the two sets have {len(mean1)} and {len(mean2)} values.")
    root = first.root()
    if rows1 is None and rows2 is None:
        covariance = second.covariance().to(root.device)
        cross = torch.linalg.eigvalsh(root.T @ covariance @ root).clamp(min=0).sqrt().sum()
    else:
        cross = torch.linalg.svdvals(root.T @ second.root().to(root.device)).sum()
    traces = [
        (g.covariance().trace() if rows is None else rows.square().sum())
        for g, rows in ((first, rows1), (second, rows2))
    ]
    shift = (mean1 - mean2.to(mean1.device)).square().sum()
    return max(0.0, float(shift) + sum(map(float, traces)) - 2 * float(cross))
