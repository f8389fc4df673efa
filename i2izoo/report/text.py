"""A result as plain text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from i2izoo.contracts.metric import Score
    from i2izoo.evaluation.result import Result


def score_cells(label: str, score: Score) -> tuple[str, str, str, str]:
    """Metric with its direction, value with unit, interval, number of images.

    >>> from i2izoo.contracts.metric import Score
    >>> score_cells("psnr", Score(20.0, 19.0, 21.0, n=100, unit="dB"))
    ('psnr ↑', '20 dB', '19 to 21', '100')
    """
    value = "not computed" if score.value is None else f"{score.value:.4g}" + (f" {score.unit}" if score.unit else "")
    interval = "" if score.low is None or score.high is None else f"{score.low:.4g} to {score.high:.4g}"
    return f"{label} {'↑' if score.higher_is_better else '↓'}", value, interval, str(score.n) if score.n else ""


def remarks(result: Result) -> list[str]:
    """All that a reader must know beside the numbers, one sentence each: problems first, then what was not computed."""
    lines = [result.problem] if result.problem else []
    lines += result.notes
    lines += _said((label, f"not computed: {s.reason}") for label, s in result.scores.items() if s.value is None)
    lines += _said((label, note) for label, s in result.scores.items() for note in s.notes)
    lines += [
        f"{label}: the true images have {s.reference:.4g}"
        for label, s in result.scores.items()
        if s.reference is not None
    ]
    if (costs := result.costs) is not None and costs.seconds is not None:
        memory = "" if costs.memory is None else f", {costs.memory / 1e6:.4g} MB"
        lines.append(
            f"costs: {costs.parameters:,} parameters, {1000 * costs.seconds:.4g} ms an image{memory} on {costs.device}"
        )
    return [line if line.endswith(".") else f"{line}." for line in lines]


def _said(remarks: Iterable[tuple[str, str]]) -> list[str]:
    """Each remark once, after all the labels that it is about."""
    labels: dict[str, list[str]] = {}
    for label, remark in remarks:
        labels.setdefault(remark, []).append(label)
    return [f"{', '.join(about)}: {remark}" for remark, about in labels.items()]


def title(result: Result) -> str:
    """Model and protocol in a line."""
    p = result.protocol
    size = "" if p.size is None else f" at {p.size[1]} x {p.size[0]}"
    return f"{result.model}: {p.source} -> {p.to}, {p.n} images of {p.data}{f' ({p.split})' * bool(p.split)}{size}"


def result_text(result: Result) -> str:
    """A table with a line for each score, then the remarks."""
    rows = [("metric", "value", "95 % interval", "images")]
    rows += [score_cells(label, score) for label, score in result.scores.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([title(result), *lines, *remarks(result)])
