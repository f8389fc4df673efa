"""Charts that need no script: bars with confidence intervals, and differences around zero.

The marks are SVG in per cent of the width, so that they stretch while the text beside them keeps its size.
"""

from __future__ import annotations

import math
from dataclasses import replace
from html import escape

from i2izoo.evaluation.result import Comparison, Difference
from i2izoo.report.layout import probability
from i2izoo.report.view import Column, number


def bars(comparison: Comparison, columns: list[Column]) -> str:
    """A panel for each metric with a bar from zero for each model."""
    return "".join(_panel(comparison, column) for column in columns if any(_finite(column)))


def _finite(column: Column) -> list[float]:
    values = [v for s in column.scores if s for v in (s.value, s.low, s.high, s.reference)]
    return [v for v in values if v is not None and math.isfinite(v)]


def _panel(comparison: Comparison, column: Column) -> str:
    low, high = min(0.0, *_finite(column)), max(0.0, *_finite(column))
    span = high - low or 1.0

    def at(value: float) -> float:
        return 100 * (min(max(value, low), high) - low) / span

    rows = []
    for i, (score, result) in enumerate(zip(column.scores, comparison.results, strict=True)):
        name = f'<span class="name" title="{escape(result.model)}">{escape(result.model)}</span>'
        if score is None or score.value is None or math.isnan(score.value):
            rows.append(f'<div class="bar none">{name}<span class="gone">not computed</span><span>-</span></div>')
            continue
        start, end = sorted((at(0.0), at(score.value)))
        marks = f'<rect x="{start:.2f}%" width="{end - start:.2f}%" y="3" height="14" rx="2"/>'
        if score.low is not None and score.high is not None:
            a, b = at(score.low), at(score.high)
            marks += _line(a, b, 10) + "".join(_line(x, x, 6.5, 13.5) for x in (a, b))
        if score.reference is not None:
            marks += _line(at(score.reference), at(score.reference), 0, 20, "reference")
        state = "best" if i in column.best else "failed" if result.problem else ""
        text = column.text(score.value)
        rows.append(
            f'<div class="bar {state}">{name}<svg height="20" role="img" aria-label="{text}">{marks}'
            f'</svg><span class="value">{text}</span></div>'
        )
    reference = next((s.reference for s in column.scores if s and s.reference is not None), None)
    note = f'<p class="key">dashed: true images, {column.text(reference)}</p>' if reference is not None else ""
    unit = f", {escape(column.unit)}" if column.unit else ""
    return (
        f'<section class="panel"><h3>{escape(column.label)}<small>{unit} {column.arrow} {column.direction}</small></h3>'
        + "".join(rows)
        + f"{note}</section>"
    )


def _line(a: float, b: float, y: float, y2: float | None = None, kind: str = "whisker") -> str:
    return f'<line class="{kind}" x1="{a:.2f}%" x2="{b:.2f}%" y1="{y}" y2="{y if y2 is None else y2}"/>'


def difference_charts(comparison: Comparison, columns: list[Column]) -> str:
    """Every paired test, by metric: the mean difference with its interval around zero, and who is better."""
    tests = comparison.differences
    if not tests:
        return ""
    real = sum(d.better is not None for d in tests)
    found = f"{real} of {len(tests)} differences {'is' if real == 1 else 'are'}"
    panels = []
    for column in columns:
        own = [d for d in tests if d.metric == column.label]
        if own:
            panels.append(_tests(own, column))
    return (
        f"<p>{found} real at the 5 % level: paired permutation test over images, p after Holm's correction over all "
        "tests of this page. The line is the 95 % interval of the mean difference; where it crosses zero, either model "
        "may be the better one.</p>" + f'<div class="panels">{"".join(panels)}</div>'
    )


def _tests(own: list[Difference], column: Column) -> str:
    told = [_told(d, column.higher) for d in sorted(own, key=lambda d: (d.better is None, d.p_adjusted))]
    finite = [v for d in told for v in (d.low, d.high, d.mean) if math.isfinite(v)]
    least, most = min(0.0, *finite, 0.0), max(0.0, *finite, 0.0)
    span = most - least or 1.0

    def at(value: float) -> float:
        return 4 + 92 * (min(max(value, least), most) - least) / span  # 4 % for the dot at the ends

    rows = []
    for d in told:
        first, second = f"<b>{escape(d.first)}</b>", f"<b>{escape(d.second)}</b>"
        told_as = f"{first} is better than {second}" if d.better else f"{first} and {second}: no real difference"
        digits = column.decimals
        marks = _line(at(0.0), at(0.0), 0, 20, "zero")
        if math.isfinite(d.mean):
            marks += _line(at(d.low), at(d.high), 10) + f'<circle cx="{at(d.mean):.2f}%" cy="10" r="4"/>'
        rows.append(
            f'<div class="test {"real" if d.better else "open"}"><span class="pair">{told_as}</span>'
            f'<svg height="20" role="img" aria-label="difference">{marks}</svg>'
            f'<span class="figures"><b>{number(d.mean, digits, sign=True)}</b> '
            f'<span class="ci">{number(d.low, digits, sign=True)} to {number(d.high, digits, sign=True)}</span> '
            f'<span class="p" title="before the correction: {_p(d.p)}">{_p(d.p_adjusted)}</span></span></div>'
        )
    unit = f", {escape(column.unit)}" if column.unit else ""
    return (
        f'<section class="panel"><h3>{escape(column.label)}<small>{unit} {column.arrow} {column.direction}</small></h3>'
        f"{''.join(rows)}</section>"
    )


def _told(d: Difference, higher: bool) -> Difference:
    """The same test from the side of the model with the better mean, so that it reads from left to right."""
    if d.mean and (d.mean > 0) != higher:
        return replace(d, first=d.second, second=d.first, mean=-d.mean, low=-d.high, high=-d.low)
    return d


def _p(value: float) -> str:
    return "p < 0.0001" if value < 0.0001 else f"p = {probability(value)}"
