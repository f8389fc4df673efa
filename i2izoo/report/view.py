"""A comparison arranged for reading: one column for each metric, with its direction, digits, best model and ties."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from i2izoo.contracts.metric import Score
from i2izoo.evaluation.result import Comparison
from i2izoo.report.numbers import number, significant_places

Images: TypeAlias = dict[str, float]
"""Name of an image -> value."""


@dataclass(frozen=True)
class Column:
    """A metric over all models.

    Attributes:
        label, unit, higher: of the metric; higher: whether higher is better.
        scores: one for each model; None where the model has none.
        values: for each model, the values of single images; empty where it has none.
        decimals: digits after the point, for all models alike.
        best: indices of the models with the best value; empty where fewer than two are comparable.
        ties: indices of the models that a paired test does not tell from the best.
    """

    label: str
    unit: str
    higher: bool
    scores: list[Score | None]
    values: list[Images]
    decimals: int
    best: frozenset[int]
    ties: frozenset[int]

    @property
    def reference(self) -> float | None:
        """The same measure of the true images, where the metric has one."""
        return next((s.reference for s in self.scores if s and s.reference is not None), None)

    def best_of(self, name: str) -> float | None:
        """The best value of one image, where several models have one."""
        values = [images[name] for images in self.values if name in images]
        return (max if self.higher else min)(values) if len(values) > 1 else None

    @property
    def direction(self) -> str:
        return "higher is better" if self.higher else "lower is better"

    @property
    def arrow(self) -> str:
        return "\u2191" if self.higher else "\u2193"

    def text(self, value: float | None, sign: bool = False) -> str:
        return number(value, self.decimals, sign)


def decimals(scores: Iterable[Score | None]) -> int:
    """Digits after the point, 0 to 6: so many that half of the narrowest confidence interval has two.

    Without an interval: four digits of the largest value.

    >>> decimals([Score(13.2), Score(9.8)]), decimals([Score(0.0123)]), decimals([Score(12345.0)]), decimals([None])
    (2, 5, 0, 2)
    >>> decimals([Score(0.2492, 0.2243, 0.2811), Score(0.0672, 0.0259, 0.0902)])
    3
    """
    found = [score for score in scores if score is not None]
    halves = [(s.high - s.low) / 2 for s in found if s.low is not None and s.high is not None]
    rounding = 1e-6 * max((abs(s.value) for s in found if s.value is not None and math.isfinite(s.value)), default=0.0)
    narrowest = min((half for half in halves if rounding < half < math.inf), default=None)
    if narrowest is not None:
        return significant_places(narrowest, 2)
    largest = max((abs(s.value) for s in found if s.value is not None and math.isfinite(s.value)), default=0.0)
    return significant_places(largest, 4) if largest else 2


def columns(comparison: Comparison) -> list[Column]:
    """The metrics of a comparison, in the order in which the models report them."""
    labels = dict.fromkeys(label for result in comparison.results for label in result.scores)
    return [_column(comparison, label) for label in labels]


def _column(comparison: Comparison, label: str) -> Column:
    results = comparison.results
    scores = [result.scores.get(label) for result in results]
    # one that was not computed may not know its direction
    told = next((s for s in scores if s and s.value is not None), next(s for s in scores if s))
    # a model that failed was scored on other images than the rest: it cannot be the best
    ranked = {
        i: s.value
        for i, (s, result) in enumerate(zip(scores, results, strict=True))
        if s and s.value is not None and not math.isnan(s.value) and result.problem is None
    }
    best: frozenset[int] = frozenset()
    if len(ranked) > 1:
        top = (max if told.higher_is_better else min)(ranked.values())
        best = frozenset(i for i, value in ranked.items() if value == top)
    winners = {results[i].model for i in best}
    tied = {
        name
        for d in comparison.differences
        if d.metric == label and d.better is None and {d.first, d.second} & winners
        for name in (d.first, d.second)
    } - winners
    return Column(
        label=label,
        unit=told.unit,
        higher=told.higher_is_better,
        scores=scores,
        values=[dict(zip(r.names, r.values.get(label, []), strict=False)) for r in results],
        decimals=decimals(scores),
        best=best,
        ties=frozenset(i for i in ranked if results[i].model in tied),
    )


def names(comparison: Comparison) -> list[str]:
    """Every image that any model was scored on, in order."""
    return list(dict.fromkeys(name for result in comparison.results for name in result.names))
