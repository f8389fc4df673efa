"""One table of a sweep: a row for each cell of the grid, a column for each option that varies and for each metric."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from i2izoo.contracts.metric import Score
from i2izoo.errors import listing
from i2izoo.evaluation.result import Comparison, Result, _finite
from i2izoo.evaluation.statistics import mean_interval
from i2izoo.report.layout import Cell, Layout, lay_out, parameters, significant
from i2izoo.report.tables import latex, markdown, terminal
from i2izoo.report.view import _digits, columns, decimals, number
from i2izoo.sweeps.plan import Run
from i2izoo.sweeps.spec import label


@dataclass
class Row:
    """One cell of the grid, over its seeds.

    Attributes:
        name: of the cell.
        runs: names of its runs, one for each seed.
        varied: option -> value, for the options that the sweep varies.
        scores: metric -> score: of several seeds the mean, with the interval of each image's mean over them.
        spread: metric -> standard deviation over seeds, where there are several.
        parameters: number that translation needs.
        trained: number of all the networks of the training.
        seconds: mean time of a training; None where none has begun.
        problems: run -> why it has no result.
    """

    name: str
    runs: list[str]
    varied: dict[str, Any]
    scores: dict[str, Score]
    spread: dict[str, float]
    parameters: int
    trained: int
    seconds: float | None
    problems: dict[str, str]


def make_rows(
    runs: Sequence[Run], comparison: Comparison | None, seconds: Mapping[str, float | None], problems: Mapping[str, str]
) -> list[Row]:
    """Gather the runs of each cell.

    Args:
        runs: all of them.
        comparison: of those that could be evaluated.
        seconds: run -> time of its training.
        problems: run -> what stopped its training.
    """
    results = {r.model: r for r in comparison.results} if comparison else {}
    rows = []
    for cell in dict.fromkeys(run.cell for run in runs):
        mine = [run for run in runs if run.cell == cell]
        failed = {run.name: problems[run.name] for run in mine if run.name in problems}
        failed |= {r.name: p for r in mine if r.name in results and (p := results[r.name].problem)}
        sound = [results[run.name] for run in mine if run.name in results and run.name not in failed]
        scores = {name: _over_seeds(name, sound) for name in dict.fromkeys(n for r in sound for n in r.scores)}
        times = [t for run in mine if (t := seconds[run.name]) is not None and run.name not in problems]
        spread = {name: s for name in scores if (s := _spread(name, sound)) is not None}
        seen = statistics.mean(times) if times else None
        first = mine[0]
        names = [run.name for run in mine]
        rows.append(Row(cell, names, first.varied, scores, spread, first.parameters, first.trained, seen, failed))
    return rows


def _over_seeds(name: str, results: Sequence[Result]) -> Score:
    found = [r.scores[name] for r in results if name in r.scores]
    values = [s.value for s in found if s.value is not None]
    if len(found) == 1 or len(values) < len(found):
        return next((s for s in found if s.value is None), found[0])
    low = high = None
    series = [r.values.get(name) for r in results]
    if all(series) and len({tuple(r.names) for r in results}) == 1:
        means = [statistics.mean(row) for row in zip(*series, strict=True)]  # type: ignore[arg-type]
        low, high = mean_interval(means, seed=results[0].protocol.seed)
    notes = tuple(dict.fromkeys(note for s in found for note in s.notes))
    return replace(found[0], value=statistics.mean(values), low=low, high=high, notes=notes)


def _spread(name: str, results: Sequence[Result]) -> float | None:
    values = [s.value for r in results if (s := r.scores.get(name)) is not None and s.value is not None]
    return statistics.stdev(values) if len(values) > 1 else None


def table(rows: Sequence[Row], comparison: Comparison | None) -> Layout:
    """The rows for reading."""
    named = not rows[0].varied or any(row.name != _plain_name(row) for row in rows)
    headers, grid = [], []
    if named:
        headers.append(Cell("run"))
        grid.append([Cell(row.name) for row in rows])
    for option in rows[0].varied:
        headers.append(Cell(option))
        grid.append([Cell(label(row.varied[option])) for row in rows])
    legend: dict[str, None] = {}
    for name in dict.fromkeys(name for row in rows for name in row.scores):
        scores = [row.scores.get(name) for row in rows]
        told = next(s for s in scores if s)
        unit = f" ({told.unit})" if told.unit else ""
        headers.append(Cell(f"{name}{unit} {'↑' if told.higher_is_better else '↓'}"))
        grid.append(_metric(name, rows, scores, comparison))
        for score in filter(None, scores):
            said = [f"not computed: {score.reason}"] if score.value is None else []
            legend |= dict.fromkeys(f"{name}: {note}" for note in [*said, *score.notes])
    for title, cells in {
        "parameters": [parameters(row.parameters) for row in rows],
        "in training": [parameters(row.trained) for row in rows],
        "training (s)": [significant(row.seconds) for row in rows],
    }.items():
        headers.append(Cell(title))
        grid.append([Cell(text) for text in cells])
    if any(c.interval for column in grid for c in column):
        legend["[low, high]: bootstrap 95 % confidence interval of the mean over images."] = None
    if any(row.spread for row in rows):
        legend[f"±: standard deviation over {max(len(row.runs) for row in rows)} seeds."] = None
    if any(c.tie for column in grid for c in column):
        legend["≈: not significantly different from the best (paired permutation test, Holm, p >= 0.05)."] = None
    title = lay_out(comparison).title if comparison else "No run could be evaluated"
    reasons: dict[str, list[str]] = {}
    for row in rows:
        for name, why in row.problems.items():
            reasons.setdefault(why, []).append(name)
    problems = [f"{listing(names, 10)} failed: {why}" for why, names in reasons.items()]
    return Layout(title, headers, [list(row) for row in zip(*grid, strict=True)], [], list(legend), problems)


def _plain_name(row: Row) -> str:
    return ",".join(f"{option}={label(value)}" for option, value in row.varied.items())


def _metric(
    name: str, rows: Sequence[Row], scores: Sequence[Score | None], comparison: Comparison | None
) -> list[Cell]:
    spreads = [row.spread[name] for row in rows if row.spread.get(name)]
    digits = max(decimals(scores), _digits(min(spreads), 2) if spreads else 0)
    ranked = {i: s.value for i, s in enumerate(scores) if s and s.value is not None and not rows[i].problems}
    higher = next(s for s in scores if s).higher_is_better
    top = (max if higher else min)(ranked.values()) if len(ranked) > 1 else None
    tied: set[str] = set()
    if comparison and all(len(row.runs) == 1 for row in rows):  # the tests are between single runs
        column = next(c for c in columns(comparison) if c.label == name)
        tied = {comparison.results[i].model for i in column.ties}
    cells = []
    for i, (row, score) in enumerate(zip(rows, scores, strict=True)):
        cell = Cell(number(score.value if score else None, digits))
        if score and name in row.spread:
            cell.text += f" ± {number(row.spread[name], digits)}"
        if score and score.value is not None and score.low is not None and score.high is not None:
            cell.interval = f"[{number(score.low, digits)}, {number(score.high, digits)}]"
        cell.best = top is not None and ranked.get(i) == top
        cell.tie = row.runs[0] in tied
        cells.append(cell)
    return cells


def show(rows: Sequence[Row], comparison: Comparison | None, width: int | None = None) -> str:
    """For a terminal."""
    return terminal(table(rows, comparison), width=width)


def files(rows: Sequence[Row], comparison: Comparison | None) -> dict[str, str]:
    """Name of a file -> its text."""
    layout = table(rows, comparison)
    return {
        "table.md": markdown(layout),
        "table.csv": _csv(rows),
        "table.json": _json(rows, comparison),
        "table.tex": latex(layout),
    }


def _csv(rows: Sequence[Row]) -> str:
    """All digits, an empty cell where there is no value."""
    names = list(dict.fromkeys(name for row in rows for name in row.scores))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    ends = [f"{name}{end}" for name in names for end in ("", "_low", "_high", "_sd", "_n")]
    costs = ["parameters", "parameters_in_training", "training_seconds", "seeds", "problem"]
    writer.writerow(["run", *rows[0].varied, *ends, *costs])
    for row in rows:
        cells: list[Any] = []
        for name in names:
            score = row.scores.get(name, Score(None))
            cells += [score.value, score.low, score.high, row.spread.get(name), score.n]
        plain = [repr(float(cell)) if isinstance(cell, float) else cell for cell in cells]
        said = " ".join(f"{name}: {why}" for name, why in row.problems.items()) or None
        varied = [label(value) for value in row.varied.values()]
        writer.writerow([row.name, *varied, *plain, row.parameters, row.trained, row.seconds, len(row.runs), said])
    return text.getvalue()


def _json(rows: Sequence[Row], comparison: Comparison | None) -> str:
    content = {"protocol": comparison.protocol.config if comparison else None, "rows": [asdict(row) for row in rows]}
    return json.dumps(_finite(content), indent=2, allow_nan=False) + "\n"
