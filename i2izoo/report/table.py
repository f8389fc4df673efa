"""The table of scores and costs, and the notes that belong to it."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from i2izoo.evaluation.result import Comparison, Costs, Result
from i2izoo.report.layout import parameters, significant
from i2izoo.report.view import NONE, Column


class Notes:
    """Footnotes: one text has one number, whichever metrics and models it concerns."""

    def __init__(self) -> None:
        self._labels: dict[str, list[str]] = {}

    def mark(self, label: str, text: str) -> str:
        """The reference to a footnote, which is added where it is new."""
        text = text if text.endswith(".") else f"{text}."
        labels = self._labels.setdefault(text, [])
        if label not in labels:
            labels.append(label)
        n = list(self._labels).index(text) + 1
        return f'<sup><a href="#note-{n}" title="{escape(text)}">{n}</a></sup>'

    def html(self) -> str:
        rows = "".join(
            f'<li id="note-{n}"><b>{escape(", ".join(labels))}</b> {escape(text)}</li>'
            for n, (text, labels) in enumerate(self._labels.items(), start=1)
        )
        return f'<ol class="notes">{rows}</ol>' if rows else ""


def table(comparison: Comparison, columns: list[Column]) -> str:
    """The sortable table with its notes."""
    notes = Notes()
    costs = [column for column in COSTS if any(r.costs is not None for r in comparison.results)]
    heads = ['<th scope="col" class="model"><button type="button">model</button></th>']
    for column in columns:
        unit = f" <small>{escape(column.unit)}</small>" if column.unit else ""
        heads.append(
            f'<th scope="col" data-first="{"descending" if column.higher else "ascending"}">'
            f'<button type="button" title="{column.direction}">{_breakable(column.label)}{unit} '
            f'<span aria-label="{column.direction}">{column.arrow}</span></button></th>'
        )
    heads += [
        f'<th scope="col" class="cost" data-first="ascending"><button type="button">{title} '
        f"<small>{unit}</small></button></th>"
        for title, unit, _ in costs
    ]
    rows = [
        f"<tr><th scope='row' class='model'>{_model(result, notes)}</th>"
        + "".join(_cell(column, i, result, comparison.protocol.n, notes) for column in columns)
        + "".join(_cost(cost, result.costs) for _, _, cost in costs)
        + "</tr>"
        for i, result in enumerate(comparison.results)
    ]
    return (
        '<div class="wide"><table id="scores"><thead><tr>'
        + "".join(heads)
        + "</tr></thead><tbody>"
        + "".join(rows)
        + f"</tbody>{_reference(columns, len(costs), comparison.protocol.to)}</table></div>"
        + f'<p class="legend">{_legend(comparison, columns)}</p>'
        + notes.html()
    )


def _breakable(label: str) -> str:
    """A long name breaks after its dots: `fcn_score.` `pixel_accuracy`."""
    return escape(label).replace(".", ".<wbr>")


def _model(result: Result, notes: Notes) -> str:
    marks = "".join(notes.mark(result.model, note) for note in result.notes)
    problem = f'<span class="problem">{escape(result.problem)}</span>' if result.problem else ""
    return f'<span class="name">{escape(result.model)}</span>{marks}{problem}'


def _cell(column: Column, i: int, result: Result, n: int, notes: Notes) -> str:
    score = column.scores[i]
    if score is None or score.value is None:
        why = (score.reason if score else None) or result.problem or "not asked for"
        mark = notes.mark(column.label, f"not computed: {why}") if score else ""
        value = f'<span class="value">{NONE}<span class="marks">{mark}</span></span>'
        return f'<td class="none" title="not computed: {escape(why)}">{value}</td>'
    marks = "".join(notes.mark(column.label, note) for note in score.notes)
    if result.problem and 0 < score.n < n:
        marks += notes.mark(
            result.model, f"scored on {score.n} of {n} images, so it is out of the running for the best"
        )
    if i in column.best:
        state, title = "best", "best value"
    elif i in column.ties:
        state, title = "tie", "no real difference from the best"
    else:
        state, title = "", ""
    exact, interval = repr(float(score.value)), ""
    if score.low is not None and score.high is not None:
        interval = f'<span class="ci">{column.text(score.low)} to {column.text(score.high)}</span>'
    badge = f'<span class="badge" title="{title}">{state}</span>' if state else ""
    return (
        f'<td class="{state}" data-value="{exact}">'
        f'<span class="value">{badge}<span title="{exact}">{column.text(score.value)}</span>'
        f'<span class="marks">{marks}</span></span>{interval}</td>'
    )


def _parameters(costs: Costs) -> tuple[float | None, str]:
    return costs.parameters or None, parameters(costs.parameters)


def _time(costs: Costs) -> tuple[float | None, str]:
    return costs.seconds, significant(costs.seconds, 1e3)


def _memory(costs: Costs) -> tuple[float | None, str]:
    return costs.memory, significant(costs.memory, 1e-6)


COSTS: tuple[tuple[str, str, Callable[[Costs], tuple[float | None, str]]], ...] = (
    ("parameters", "", _parameters),
    ("time", "ms / image", _time),
    ("memory", "MB", _memory),
)


def _cost(cost: Callable[[Costs], tuple[float | None, str]], costs: Costs | None) -> str:
    value, text = cost(costs) if costs else (None, NONE)
    if value is None:
        why = "a folder of images" if costs and not costs.parameters else "not measured"
        return f'<td class="cost none" title="{why}">{text}</td>'
    return f'<td class="cost" data-value="{value!r}" title="{value!r}">{text}</td>'


def _reference(columns: list[Column], costs: int, to: str) -> str:
    """The true images' own scores, for metrics that have them."""
    found = [next((s.reference for s in c.scores if s and s.reference is not None), None) for c in columns]
    if all(value is None for value in found):
        return ""
    cells = "".join(
        "<td></td>" if value is None else f'<td title="{value!r}">{column.text(value)}</td>'
        for column, value in zip(columns, found, strict=True)
    )
    return (
        f'<tfoot><tr><th scope="row" class="model">true images <small>({escape(to)})</small></th>{cells}'
        + '<td class="cost"></td>' * costs
        + "</tr></tfoot>"
    )


def _legend(comparison: Comparison, columns: list[Column]) -> str:
    lines = []
    if any(s and s.low is not None for c in columns for s in c.scores):
        lines.append("Below each value: its 95 % confidence interval.")
    if any(c.ties for c in columns):
        lines.append("<b>tie</b>: a paired test does not tell it from the best.")
    devices = dict.fromkeys(r.costs.device for r in comparison.results if r.costs and r.costs.seconds is not None)
    if devices:
        lines.append(f"Time and memory: batch of 1 on {escape(', '.join(devices))}.")
    return " ".join(lines)
