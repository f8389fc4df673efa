"""metrics.csv: what every evaluation of a run found, and which step was the best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from i2izoo.contracts.metric import Metric, Score
from i2izoo.evaluation.measuring import metric_of
from i2izoo.training.curves import MetricCurve
from i2izoo.training.log import Table


class MetricLog:
    """The values by step and column, with the ends of their confidence intervals (`psnr`, `psnr_low`, `psnr_high`).

    With one target domain a column is called as its metric, with several `psnr_photo`, `psnr_label`, as losses are; a
    metric of several values has one for each (`fcn_score.class_iou`). Values have six digits, as in log.csv. The lines
    are those of the file, so a resumed run goes on as if it had never stopped.

    Args:
        path: the file; None keeps the lines in memory.
        metrics: label -> metric.
        targets: target domains.
        start: steps that are done; later lines of an existing file are dropped.
        writes: write to the file.

    Attributes:
        columns: column -> (label of its metric, target domain), in the order of the metrics; `declare` fills it.
    """

    def __init__(
        self, path: Path | None, metrics: Mapping[str, Metric], targets: Iterable[str], start: int, writes: bool
    ) -> None:
        self.metrics, self.targets = metrics, tuple(targets)
        self.table = Table(path, start, writes)
        self.columns: dict[str, tuple[str, str]] = {}

    def row(self, step: int) -> dict[str, Any]:
        """The line of a step; empty if there is none."""
        return next((row for row in self.table.rows if int(row["step"]) == step), {})

    def column(self, label: str, to: str) -> str:
        """The column of a score."""
        return f"{label}_{to}" if len(self.targets) > 1 else label

    def declare(self, to: str, scores: Iterable[str]) -> None:
        """Say which scores there are of a target domain."""
        for score in scores:
            if (label := metric_of(score, self.metrics)) is not None:
                self.columns[self.column(score, to)] = (label, to)
        metrics = list(self.metrics)
        ranks = {c: (metrics.index(label), self.targets.index(to), c) for c, (label, to) in self.columns.items()}
        self.columns = {column: self.columns[column] for column in sorted(ranks, key=ranks.__getitem__)}

    def new_row(self, step: int, scores: Mapping[str, Score]) -> dict[str, Any]:
        """The line of these scores by column, not yet added."""
        row: dict[str, Any] = {"step": step}
        for column, score in scores.items():
            if score.value is not None:
                row[column] = _short(score.value)
                if score.low is not None and score.high is not None:
                    row |= {f"{column}_low": _short(score.low), f"{column}_high": _short(score.high)}
        return row

    def values(self, row: Mapping[str, Any], to: str | None = None) -> dict[str, float]:
        """The values of a line by column, in the order of the metrics; of one target domain, or of all."""
        return {
            column: float(row[column])
            for column, (_, domain) in self.columns.items()
            if to in (None, domain) and row.get(column) not in (None, "")
        }

    def metric(self, column: str) -> Metric:
        """Whose column it is."""
        return self.metrics[self.columns[column][0]]

    def best(self, column: str) -> tuple[int, float] | None:
        """Step and value of the best so far, of equals the first; None where there is no finite value."""
        sign = 1 if self.metric(column).higher_is_better else -1
        return max(self._points(column), key=lambda point: sign * point[1], default=None)

    def beats(self, value: float, column: str) -> bool:
        """Is a value strictly better than all so far?"""
        best = self.best(column)
        if best is None or not math.isfinite(value):
            return math.isfinite(value)
        return value > best[1] if self.metric(column).higher_is_better else value < best[1]

    def curves(self) -> dict[str, MetricCurve]:
        """What `draw_curves` draws."""
        return {column: self._curve(column) for column in self.columns if any(column in row for row in self.table.rows)}

    def _curve(self, column: str) -> MetricCurve:
        points, low, high = (self._points(column + end) for end in ("", "_low", "_high"))
        metric = self.metric(column)
        return MetricCurve(points, low, high, self.best(column), metric.higher_is_better, metric.unit)

    def _points(self, column: str) -> list[tuple[int, float]]:
        return [point for point in self.table.points(column) if math.isfinite(point[1])]


def _short(value: float) -> float:
    return float(f"{value:.6g}")
