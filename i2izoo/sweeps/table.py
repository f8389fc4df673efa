"""One table of a sweep: a row for each cell of the grid, a column for each option that varies and for each metric."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from i2izoo.contracts.metric import Score
from i2izoo.errors import listing
from i2izoo.evaluation.json_files import finite
from i2izoo.evaluation.result import Comparison, Result
from i2izoo.evaluation.statistics import mean_interval
from i2izoo.report.layout import add_metric, legend, title
from i2izoo.report.numbers import parameters, significant, significant_places
from i2izoo.report.table import Builder, Cell, Head, Table, texts
from i2izoo.report.tables import FILES, FORMS
from i2izoo.report.view import columns
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


def table(rows: Sequence[Row], comparison: Comparison | None) -> Table:
    """The rows for reading."""
    made = Builder()
    named = not rows[0].varied or any(row.name != _plain_name(row) for row in rows)
    made.add(Head("run", hidden=not named), texts(row.name for row in rows))
    for option in rows[0].varied:
        made.add(Head(option), texts(label(row.varied[option]) for row in rows))
    if comparison is not None:
        # the tests are between single runs
        tests = comparison.differences if all(len(row.runs) == 1 for row in rows) else []
        cells = [Result(row.runs[0], comparison.protocol, row.scores, problem=_problem(row)) for row in rows]
        for column in columns(Comparison(comparison.protocol, cells, tests)):
            spread = [row.spread.get(column.label) for row in rows]
            places = max((significant_places(s, 2) for s in spread if s), default=0)
            add_metric(made, replace(column, decimals=max(column.decimals, places)), cells, spread)
    sizes, trained = [row.parameters for row in rows], [row.trained for row in rows]
    made.add(Head("parameters", kind="cost"), [Cell(parameters(size), size) for size in sizes])
    made.add(Head("in training", "parameters_in_training", kind="cost"), [Cell(parameters(n), n) for n in trained])
    seconds = [Cell(significant(row.seconds), row.seconds) for row in rows]
    made.add(Head("training", "training_seconds", "s", kind="cost"), seconds)
    made.add(Head("seeds", hidden=True), texts(len(row.runs) for row in rows))
    made.add(Head("problem", hidden=True), texts(_problem(row) for row in rows))
    found = Table(title(comparison.protocol) if comparison else "No run could be evaluated", made.heads, made.rows())
    found.footnotes, found.legend = [*made.footnotes.values()], legend(found)
    if found.has("spread"):
        found.legend.append(f"±: standard deviation over {max(len(row.runs) for row in rows)} seeds.")
    reasons: dict[str, list[str]] = {}
    for name, why in (problem for row in rows for problem in row.problems.items()):
        reasons.setdefault(why, []).append(name)
    found.sentences = [f"{listing(names, 10)} failed: {why}" for why, names in reasons.items()]
    return found


def _plain_name(row: Row) -> str:
    return ",".join(f"{option}={label(value)}" for option, value in row.varied.items())


def _problem(row: Row) -> str | None:
    return " ".join(f"{name}: {why}" for name, why in row.problems.items()) or None


def files(rows: Sequence[Row], comparison: Comparison | None) -> dict[str, str]:
    """Name of a file -> its text."""
    laid_out = table(rows, comparison)
    return {name: FORMS[form](laid_out) for form, name in FILES.items()} | {"table.json": _json(rows, comparison)}


def _json(rows: Sequence[Row], comparison: Comparison | None) -> str:
    content = {"protocol": comparison.protocol.config if comparison else None, "rows": [asdict(row) for row in rows]}
    return json.dumps(finite(content), indent=2, allow_nan=False) + "\n"
