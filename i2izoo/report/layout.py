"""A result or a comparison laid out as a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from i2izoo.evaluation.protocol import Protocol
from i2izoo.evaluation.result import Comparison, Costs, Difference, Result
from i2izoo.report.numbers import number, parameters, probability, significant, significant_places
from i2izoo.report.table import TIE, Builder, Cell, Head, Table, texts
from i2izoo.report.view import Column, columns

MANY = 40
"""With more paired tests than this, only those with a best model are said in words."""


def lay_out(found: Result | Comparison) -> Table:
    """A row for each model, a column for each metric, then the costs, the differences in words below."""
    comparison = found if isinstance(found, Comparison) else Comparison(found.protocol, [found])
    results, table, shown = comparison.results, Builder(), columns(comparison)
    models = [Cell(r.model, r.model, problem=r.problem or "") for r in results]
    table.add(Head("model"), models, [[*filter(None, [r.problem]), *r.notes] for r in results])
    for column in shown:
        add_metric(table, column, results)
    _add_costs(table, [r.costs for r in results])
    table.add(Head("problem", hidden=True), texts(r.problem for r in results))
    foot = None
    if any(column.reference is not None for column in shown):
        references = [Cell(column.text(column.reference), column.reference) for column in shown]
        foot = [Cell("true images"), *references, *(Cell("-") for _ in table.heads[len(shown) + 1 :])]
    made = Table(title(comparison.protocol), table.heads, table.rows(), foot, [*table.footnotes.values()])
    made.legend, made.sentences = legend(made), differences_in_words(comparison)
    return made


def lay_out_scores(result: Result) -> Table:
    """One result with a row for each metric, and what a reader must know below it.

    >>> from i2izoo.contracts.metric import Score
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
        name = f"{column.label} {column.arrow}"
        rows.append(texts([name, value, " to ".join(map(column.text, ends)), score.n or ""]))
    heads = [Head(text) for text in ("metric", "value", "95 % interval", "images")]
    return Table(result.title, heads, rows, sentences=result.remarks)


def add_metric(table: Builder, column: Column, results: Sequence[Result], spread: Sequence[float | None] = ()) -> None:
    """Add the scores of a metric, and what is to be said of them.

    Args:
        table: to add to.
        column: the metric over the models.
        results: the models.
        spread: standard deviation over seeds of each.
    """
    cells, said = [], []
    for i, (score, result) in enumerate(zip(column.scores, results, strict=True)):
        value = score.value if score else None
        cell = Cell(column.text(value), value, score=score, best=i in column.best, tie=i in column.ties)
        if spread and (deviation := spread[i]) is not None:
            cell.text, cell.spread = f"{cell.text} ± {column.text(deviation)}", deviation
        about = list(score.notes) if score else []
        if score and value is not None and score.low is not None and score.high is not None:
            cell.interval = (column.text(score.low), column.text(score.high))
        if value is None:
            cell.why = f"not computed: {(score.reason if score else None) or result.problem or 'not asked for'}"
            about = [cell.why, *about] if score and score.reason else about
        elif score and result.problem and 0 < score.n < result.protocol.n:
            about.append(
                f"{result.model} was scored on {score.n} of {result.protocol.n} images, so it is out of the running "
                "for the best"
            )
        cells.append(cell)
        said.append(about if score else None)
    head = Head(column.label, unit=column.unit, kind="metric", higher=column.higher)
    table.add(head, cells, said)


def _add_costs(table: Builder, costs: Sequence[Costs | None]) -> None:
    hidden = not any(costs)
    devices = [[f"Time and memory were measured on {c.device}."] if c and c.device else None for c in costs]
    size = [Cell(parameters(c.parameters), c.parameters) if c else Cell("-") for c in costs]
    time = [Cell(significant(c.seconds, 1e3), c.seconds) if c else Cell("-") for c in costs]
    memory = [Cell(significant(c.memory, 1e-6), c.memory) if c else Cell("-") for c in costs]
    for cell, c in zip([*size, *time, *memory], [*costs] * 3, strict=True):
        cell.why = "" if cell.value else "a folder of images" if c and not c.parameters else "not measured"
    table.add(Head("parameters", kind="cost", higher=False, hidden=hidden), size)
    table.add(Head("ms/image", "seconds", kind="cost", higher=False, hidden=hidden), time, devices)
    table.add(Head("memory", "memory", "MB", kind="cost", higher=False, hidden=hidden), memory, devices)
    table.add(Head("device", hidden=True), texts(c.device if c else None for c in costs))


def legend(table: Table) -> list[str]:
    """What the signs in a table mean."""
    lines = ["[low, high]: bootstrap 95 % confidence interval of the mean."] * table.has("interval")
    if table.has("tie"):
        lines.append(f"{TIE}: not significantly different from the best (paired permutation test, Holm, p >= 0.05).")
    return lines


def title(protocol: Protocol) -> str:
    """What was measured on what."""
    p = protocol
    where = f"{p.data} ({p.split})" if p.split else p.data
    size = "" if p.size is None else f" at {p.size[1]} x {p.size[0]}"
    several = f", {p.samples} samples each" if p.samples > 1 else ""
    return f"{p.source or 'nothing'} → {p.to}: {p.n} image{'s' * (p.n != 1)} of {where}{size}{several}, seed {p.seed}"


def differences_in_words(comparison: Comparison) -> list[str]:
    """The paired tests in the order of the metrics; of many only those with a best model."""
    sentences = []
    for column in columns(comparison):
        best = {comparison.results[i].model for i in column.best}
        for d in comparison.differences:
            if d.metric == column.label and (len(comparison.differences) <= MANY or {d.first, d.second} & best):
                sentences.append(_sentence(d, column.unit))
    return sentences


def _sentence(d: Difference, unit: str) -> str:
    width = (d.high - d.low) / 2
    sizes: Iterable[float] = (size for size in (width, abs(d.mean)) if math.isfinite(size) and size > 0)
    places = next((significant_places(size, 2) for size in sizes), 2)
    sign = 1 if d.better is None or d.mean >= 0 else -1
    ends = sorted((sign * d.low, sign * d.high))
    interval = "" if math.isnan(d.low) else f" [{number(ends[0], places)}, {number(ends[1], places)}]"
    mean = f"{number(sign * d.mean, places)}{f' {unit}' if unit else ''}{interval}"
    p = probability(d.p_adjusted)
    if d.better is None:
        return f"{d.first} and {d.second} do not differ significantly on {d.metric}: {mean}, {p}"
    other = d.second if d.better == d.first else d.first
    return f"{d.better} is better than {other} on {d.metric} by {mean}, {p}"
