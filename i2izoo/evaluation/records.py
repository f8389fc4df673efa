"""Scores as rows, one for each model and metric: of data frames and of the table of the whole zoo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from i2izoo.contracts.metric import Score
    from i2izoo.evaluation.result import Result

NUMBERS = ("value", "low", "high", "reference")
"""Columns of floats, where None is "there is none"."""


def of_score(metric: str, score: Score) -> dict[str, Any]:
    """A score by column; `reason` says why there is no value."""
    return {
        "metric": metric,
        "value": score.value,
        "low": score.low,
        "high": score.high,
        "unit": score.unit,
        "higher_is_better": score.higher_is_better,
        "reference": score.reference,
        "n": score.n,
        "reason": score.reason,
    }


def of_result(result: Result) -> list[dict[str, Any]]:
    """A row for each metric: the model, what it was measured on, and the score."""
    p = result.protocol
    height, width = p.size or (None, None)
    measured = {
        "model": result.model,
        "source": p.source,
        "to": p.to,
        "data": p.data,
        "split": p.split,
        "height": height,
        "width": width,
        "samples": p.samples,
    }
    return [{**measured, **of_score(label, score)} for label, score in result.scores.items()]


def of_images(result: Result) -> list[dict[str, Any]]:
    """A row for each image: the model, the name, and its value of each metric that has one."""
    columns = zip(*result.values.values(), strict=True) if result.values else ((),) * len(result.names)
    return [
        {"model": result.model, "name": name, **dict(zip(result.values, values, strict=True))}
        for name, values in zip(result.names, columns, strict=True)
    ]
