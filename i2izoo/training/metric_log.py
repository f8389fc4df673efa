"""metrics.csv: what every evaluation of a run found, and which step was the best."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from i2izoo.contracts.metric import Metric, Score
from i2izoo.training.curves import MetricCurve
from i2izoo.training.log import Table


class MetricLog:
    """The values by step and column, with the ends of their confidence intervals (`psnr`, `psnr_low`, `psnr_high`).

    With one target domain a column is called as its metric, with several `psnr_photo`, `psnr_label`, as losses are; a
    metric of several values has one for each (`fcn_score.class_iou`). Values have six digits, as in log.csv. Nothing
    is known but by the lines of the file, so a resumed run goes on as if it had never stopped.

    Args:
        path: the file; None keeps the lines in memory.
        metrics: label -> metric.
        targets: target domains.
        start: steps that are done; later lines of an existing file are dropped.
        writes: write to the file.
    """

    def __init__(
        self, path: Path | None, metrics: Mapping[str, Metric], targets: Iterable[str], start: int, writes: bool
    ) -> None:
        self.metrics, self.targets = metrics, tuple(targets)
        self.table = Table(path, start, writes)

    def row(self, step: int) -> dict[str, Any]:
        """The line of a step; empty if there is none."""
        return next((row for row in self.table.rows if int(row["step"]) == step), {})

    def column(self, label: str, to: str) -> str:
        """The column of a score."""
        return f"{label}_{to}" if len(self.targets) > 1 else label

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
        there = {name for name, value in row.items() if value not in (None, "")}
        return {column: float(row[column]) for column in self._columns(there, [to] if to else self.targets)}

    def metric(self, column: str) -> Metric:
        """Whose column it is."""
        return next(m for label, m in self.metrics.items() for to in self.targets if self.is_of(column, label, to))

    def is_of(self, column: str, label: str, to: str) -> bool:
        """Does a metric have this column for a target domain?"""
        end = self.column("", to)
        inner = re.escape(label) + r"(\..+)?"
        return column.endswith(end) and re.fullmatch(inner, column.removesuffix(end)) is not None

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
        names = {name for row in self.table.rows for name in row}
        return {column: self._curve(column) for column in self._columns(names, self.targets)}

    def _curve(self, column: str) -> MetricCurve:
        points, low, high = (self._points(column + end) for end in ("", "_low", "_high"))
        metric = self.metric(column)
        return MetricCurve(points, low, high, self.best(column), metric.higher_is_better, metric.unit)

    def _columns(self, names: set[str], targets: Iterable[str]) -> list[str]:
        ends = {name + end for name in names for end in ("_low", "_high")}
        return [
            name
            for label in self.metrics
            for to in targets
            for name in sorted(names - ends)
            if self.is_of(name, label, to)
        ]

    def _points(self, column: str) -> list[tuple[int, float]]:
        return [point for point in self.table.points(column) if math.isfinite(point[1])]


def _short(value: float) -> float:
    return float(f"{value:.6g}")
