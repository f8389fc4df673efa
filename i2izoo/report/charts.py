"""What the charts draw: bars with confidence intervals, and differences around zero.

Places are per cent of the width, so that the marks stretch while the text beside them keeps its size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from i2izoo.contracts.metric import Score
from i2izoo.evaluation.result import Comparison, Difference
from i2izoo.report.view import Column


@dataclass(frozen=True)
class Bar:
    """A model's value of a metric: the ends of its bar, of its interval, and the true images' value."""

    name: str
    text: str
    state: str = ""
    bar: tuple[float, float] | None = None
    interval: tuple[float, float] | None = None
    reference: float | None = None


@dataclass(frozen=True)
class PairedTest:
    """A paired test, from the side of the model with the better mean: the places of zero, of the mean, of its ends."""

    difference: Difference
    zero: float
    mean: float | None
    ends: tuple[float, float]


def bars(comparison: Comparison, columns: list[Column]) -> list[tuple[Column, list[Bar]]]:
    """For each metric a bar from zero for each model."""
    panels = []
    for column in columns:
        values = [v for s in column.scores if s for v in (s.value, s.low, s.high, s.reference)]
        if finite := [v for v in values if v is not None and math.isfinite(v)]:
            at = _scale(finite)
            rows = zip(column.scores, comparison.results, strict=True)
            states = ("best" if i in column.best else "failed" if r.problem else "" for i, (_, r) in enumerate(rows))
            models = (result.model for result in comparison.results)
            panels.append((column, [_bar(column, *row, at) for row in zip(models, column.scores, states, strict=True)]))
    return panels


def _bar(column: Column, name: str, score: Score | None, state: str, at: Callable[[float], float]) -> Bar:
    if score is None or score.value is None or math.isnan(score.value):
        return Bar(name, column.text(None))
    start, end = sorted((at(0.0), at(score.value)))
    interval = None if score.low is None or score.high is None else (at(score.low), at(score.high))
    reference = None if score.reference is None else at(score.reference)
    return Bar(name, column.text(score.value), state, (start, end), interval, reference)


def tests(comparison: Comparison, columns: list[Column]) -> list[tuple[Column, list[PairedTest]]]:
    """For each metric its paired tests, those that found a difference first."""
    panels = []
    for column in columns:
        if own := [_from_the_better(d, column.higher) for d in comparison.differences if d.metric == column.label]:
            at = _scale([v for d in own for v in (d.low, d.high, d.mean) if math.isfinite(v)], margin=4)
            own.sort(key=lambda d: (d.better is None, d.p_adjusted))
            panels.append((column, [_test(d, at) for d in own]))
    return panels


def _test(d: Difference, at: Callable[[float], float]) -> PairedTest:
    return PairedTest(d, at(0.0), at(d.mean) if math.isfinite(d.mean) else None, (at(d.low), at(d.high)))


def _from_the_better(d: Difference, higher: bool) -> Difference:
    """The same test from the side of the model with the better mean, so that it reads from left to right."""
    if d.mean and (d.mean > 0) != higher:
        return replace(d, first=d.second, second=d.first, mean=-d.mean, low=-d.high, high=-d.low)
    return d


def _scale(values: list[float], margin: float = 0.0) -> Callable[[float], float]:
    """Value -> place in per cent; zero is among them, and `margin` is left at both ends, for dots."""
    low, high = min(0.0, *values, 0.0), max(0.0, *values, 0.0)
    span = high - low or 1.0
    return lambda value: margin + (100 - 2 * margin) * (min(max(value, low), high) - low) / span
