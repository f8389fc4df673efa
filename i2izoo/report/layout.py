"""What a table of scores says, apart from any format: headers, rows, cells, footnotes and sentences."""

from __future__ import annotations

import math
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from i2izoo.contracts.metric import Score
from i2izoo.evaluation.result import Comparison, Costs, Difference, Result
from i2izoo.report.view import Column, columns, number

TIE = "≈"
MANY = 40
"""With more paired tests than this, only those with a best model are said in words."""


@dataclass
class Cell:
    """One cell.

    Attributes:
        text: the value.
        interval: its confidence interval "[low, high]", or "".
        best: the best value of its column.
        tie: not significantly different from the best.
        marks: letters of footnotes.
    """

    text: str
    interval: str = ""
    best: bool = False
    tie: bool = False
    marks: list[str] = field(default_factory=list)


@dataclass
class Layout:
    """A table: a row for each model, a column for each metric, then the costs.

    Attributes:
        title: what was measured on what.
        headers: one for each column.
        rows: cells, as many as headers.
        footnotes: (letter, sentence).
        legend: what the marks mean, a sentence each.
        sentences: the paired differences in words.
    """

    title: str
    headers: list[Cell]
    rows: list[list[Cell]]
    footnotes: list[tuple[str, str]]
    legend: list[str]
    sentences: list[str]


def lay_out(found: Result | Comparison) -> Layout:
    """Arrange one result or a comparison for reading."""
    comparison = found if isinstance(found, Comparison) else Comparison(found.protocol, [found])
    results, notes = comparison.results, _Footnotes()
    head, cells = notes.column("model", [r.model for r in results], [_remarks(r) for r in results])
    headers, grid = [head], [cells]
    shown = columns(comparison)
    for column in shown:
        head, cells = _metric(column, notes)
        headers.append(head)
        grid.append(cells)
    if any(r.costs for r in results):
        for head, cells in _costs([r.costs for r in results], notes):
            headers.append(head)
            grid.append(cells)
    rows = [list(row) for row in zip(*grid, strict=True)]
    if any(s and s.reference is not None for c in shown for s in c.scores):
        references = [next((s.reference for s in c.scores if s and s.reference is not None), None) for c in shown]
        texts = [c.text(r) for r, c in zip(references, shown, strict=True)]
        rows.append([Cell("true images"), *map(Cell, texts), *(Cell("-") for _ in headers[len(texts) + 1 :])])
    legend = ["[low, high]: bootstrap 95 % confidence interval of the mean."] * any(c.interval for r in rows for c in r)
    if any(c.tie for row in rows for c in row):
        legend.append(f"{TIE}: not significantly different from the best (paired permutation test, Holm, p >= 0.05).")
    return Layout(_title(comparison), headers, rows, notes.all(), legend, differences_in_words(comparison))


def lay_out_scores(result: Result) -> Layout:
    """One result with a row for each metric, and what a reader must know below it.

    >>> from i2izoo.evaluation.protocol import Protocol
    >>> protocol = Protocol(data="houses", data_sha256="", source="label", to="photo", metrics={}, n=100)
    >>> table = lay_out_scores(Result("m", protocol, {"psnr": Score(20.0, 19.0, 21.0, n=100, unit="dB")}))
    >>> [[cell.text for cell in row] for row in table.rows]
    [['psnr ↑', '20.0 dB', '19.0 to 21.0', '100']]
    """
    rows = []
    for column in columns(Comparison(result.protocol, [result])):
        (score,) = column.scores
        assert score is not None  # its label comes from the result
        value = f"{column.text(score.value)} {column.unit}".rstrip() if score.value is not None else "not computed"
        ends = (score.low, score.high) if score.low is not None and score.high is not None else ()
        cells = [f"{column.label} {column.arrow}", value, " to ".join(map(column.text, ends)), str(score.n or "")]
        rows.append([Cell(text) for text in cells])
    headers = [Cell(text) for text in ("metric", "value", "95 % interval", "images")]
    return Layout(result.title, headers, rows, [], [], result.remarks)


def differences_in_words(comparison: Comparison) -> list[str]:
    """The paired tests in words, in the order of the metrics; of many only those with a best model."""
    sentences = []
    for column in columns(comparison):
        best = {comparison.results[i].model for i in column.best}
        for d in comparison.differences:
            if d.metric == column.label and (len(comparison.differences) <= MANY or {d.first, d.second} & best):
                sentences.append(_sentence(d, column.unit))
    return sentences


def _two_digits(size: float) -> int:
    return min(max(1 - math.floor(math.log10(size)), 0), 6)


def _metric(column: Column, notes: _Footnotes) -> tuple[Cell, list[Cell]]:
    decimals = column.decimals
    texts = [number(s.value if s else None, decimals) for s in column.scores]
    said = [_about(s) for s in column.scores]
    unit = f" ({column.unit})" if column.unit else ""
    head, cells = notes.column(f"{column.label}{unit} {column.arrow}", texts, said, about=column.label)
    for i, (cell, score) in enumerate(zip(cells, column.scores, strict=True)):
        cell.best, cell.tie = i in column.best, i in column.ties
        if score and score.value is not None and score.low is not None and score.high is not None:
            cell.interval = f"[{number(score.low, decimals)}, {number(score.high, decimals)}]"
    return head, cells


def _about(score: Score | None) -> list[str] | None:
    if score is None:
        return None
    missing = [f"not computed: {score.reason}"] if score.value is None and score.reason else []
    return [*missing, *score.notes]


def _remarks(result: Result) -> list[str]:
    return [*([result.problem] if result.problem else []), *result.notes]


def _costs(costs: Sequence[Costs | None], notes: _Footnotes) -> list[tuple[Cell, list[Cell]]]:
    devices = [[f"Time and memory were measured on {c.device}."] if c and c.device else None for c in costs]
    return [
        notes.column("parameters", [parameters(c.parameters) if c else "-" for c in costs], [None for _ in costs]),
        notes.column("ms/image", [significant(c.seconds, 1e3) if c else "-" for c in costs], devices),
        notes.column("memory (MB)", [significant(c.memory, 1e-6) if c else "-" for c in costs], devices),
    ]


def parameters(count: int) -> str:
    """A number of parameters for reading.

    >>> parameters(54_413_955), parameters(830), parameters(0)
    ('54.4 M', '830', '-')
    """
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= size:
            return significant(count / size) + letter
    return str(count) if count else "-"


def significant(value: float | None, factor: float = 1.0) -> str:
    """Three significant digits, in plain notation.

    >>> significant(0.01234, 1e3), significant(1234567.0), significant(None), significant(0)
    ('12.3', '1234567', '-', '0')
    """
    if value is None:
        return "-"
    value = value * factor
    return f"{value:.{min(max(2 - math.floor(math.log10(value)), 0), 6)}f}" if value else "0"


def _sentence(d: Difference, unit: str) -> str:
    decimals = 2
    if math.isfinite(width := (d.high - d.low) / 2) and width > 0:
        decimals = _two_digits(width)
    elif math.isfinite(d.mean) and d.mean:
        decimals = _two_digits(abs(d.mean))
    unit = f" {unit}" if unit else ""
    p = f"p = {probability(d.p_adjusted)}" if d.p_adjusted >= 1e-4 else "p < 0.0001"
    if d.better is None:
        interval = "" if math.isnan(d.low) else f" [{number(d.low, decimals)}, {number(d.high, decimals)}]"
        mean = number(d.mean, decimals)
        return f"{d.first} and {d.second} do not differ significantly on {d.metric}: {mean}{unit}{interval}, {p}"
    low, high = (d.low, d.high) if d.mean >= 0 else (-d.high, -d.low)
    other = d.second if d.better == d.first else d.first
    interval = "" if math.isnan(d.low) else f" [{number(low, decimals)}, {number(high, decimals)}]"
    return f"{d.better} is better than {other} on {d.metric} by {number(abs(d.mean), decimals)}{unit}{interval}, {p}"


def probability(p: float) -> str:
    """A p value with as many digits as matter.

    >>> probability(0.03456), probability(0.00031), probability(0.7), probability(1.0)
    ('0.035', '0.0003', '0.70', '1.00')
    """
    return f"{p:.2f}" if p >= 0.1 else f"{p:.3f}" if p >= 0.01 else f"{p:.4f}"


def _title(comparison: Comparison) -> str:
    p = comparison.protocol
    where = f"{p.data} ({p.split})" if p.split else p.data
    size = "" if p.size is None else f" at {p.size[1]} x {p.size[0]}"
    several = f", {p.samples} samples each" if p.samples > 1 else ""
    return f"{p.source or 'nothing'} → {p.to}: {p.n} image{'s' * (p.n != 1)} of {where}{size}{several}, seed {p.seed}"


class _Footnotes:
    """Sentences with letters, each once, after the columns that it is about."""

    def __init__(self) -> None:
        self._about: dict[str, list[str]] = {}

    def column(
        self, title: str, texts: Iterable[str], said: Sequence[list[str] | None], about: str = ""
    ) -> tuple[Cell, list[Cell]]:
        """A header and cells; what is said of every cell is said once, at the header.

        Args:
            title: of the header.
            texts: of the cells.
            said: the sentences of each cell; None: a cell that says nothing.
            about: what they are about, a metric; "": no need to say.
        """
        told = [sentences for sentences in said if sentences is not None]
        common = [s for s in told[0] if all(s in others for others in told)] if len(told) > 1 else []
        head = Cell(title, marks=self._marks(common, about))
        rest = [[s for s in sentences or [] if s not in common] for sentences in said]
        return head, [Cell(text, marks=self._marks(s, about)) for text, s in zip(texts, rest, strict=True)]

    def _marks(self, sentences: Iterable[str], about: str) -> list[str]:
        marks = []
        for sentence in (s if s.endswith(".") else f"{s}." for s in sentences):
            subjects = self._about.setdefault(sentence, [])
            if about and about not in subjects:
                subjects.append(about)
            marks.append(_letter(list(self._about).index(sentence)))
        return marks

    def all(self) -> list[tuple[str, str]]:
        return [
            (_letter(index), f"{', '.join(about)}: {sentence}" if about else sentence)
            for index, (sentence, about) in enumerate(self._about.items())
        ]


def _letter(index: int) -> str:
    """a to z, then aa, ab, ..."""
    letters = string.ascii_lowercase
    return letters[index] if index < 26 else _letter(index // 26 - 1) + letters[index % 26]
