"""A bounded, seeded sample of rows that come in batches."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from i2izoo.errors import MetricError


class Reservoir:
    """All rows up to `size` of them, in order; then a uniform sample (Vitter 1985, algorithm R).

    Which rows stay is a function of the seed and of their order, not of how they came in batches. They are on the CPU.

    Args:
        size: number of rows that are kept at most.
        seed: of the choice.

    >>> sample = Reservoir(3)
    >>> sample.add(torch.arange(2.0)[:, None]); sample.add(torch.arange(2.0, 9)[:, None])
    >>> sample.n, len(sample.rows())
    (9, 3)
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size, self.n = size, 0
        self._draw = np.random.default_rng(seed)
        self._kept: list[Tensor] = []  # batches while it fills, then one tensor

    def add(self, rows: Tensor) -> None:
        """Add rows, N x D."""
        rows = rows.cpu()
        if self._kept and rows.shape[1] != self._kept[0].shape[1]:
            raise MetricError(f"features have {rows.shape[1]} values, those before had {self._kept[0].shape[1]}.")
        free = max(0, self.size - self.n)
        if free:
            self._kept.append(rows[:free].clone())
        if len(rows) > free:
            kept = self.rows()
            seen = self.n + free + np.arange(len(rows) - free)  # rows before each
            places = (self._draw.random(len(seen)) * (seen + 1)).astype(np.int64)
            for row, place in zip(rows[free:], places, strict=True):
                if place < self.size:
                    kept[place] = row
        self.n += len(rows)

    def rows(self) -> Tensor:
        """Those that are kept, at most size x D.

        Raises:
            MetricError: none was added.
        """
        if not self._kept:
            raise MetricError("there is no image in it yet.")
        if len(self._kept) > 1:
            self._kept = [torch.cat(self._kept)]
        return self._kept[0]

    @property
    def cut(self) -> bool:
        """Were there more rows than are kept?"""
        return self.n > self.size

    def state(self) -> dict[str, Tensor]:
        """The rows and how many there were."""
        return {"n": torch.tensor(self.n), "rows": self.rows().clone()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take a `state` in place of what was added."""
        self.n, self._kept = int(state["n"]), [state["rows"].clone()]
