"""A result or a comparison as a table: for the terminal, Markdown, CSV, JSON and LaTeX."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

from i2izoo.errors import ConfigError, listing, suggest
from i2izoo.evaluation.result import Comparison, Result
from i2izoo.report.layout import TIE, Cell, Layout, lay_out


def render(found: Result | Comparison, form: str = "table", *, width: int | None = None, colour: bool = False) -> str:
    """The table as text that ends in a newline.

    A row for each model; for each metric its direction, its value with the 95 % confidence interval, the best in
    bold and a mark at those that do not differ significantly from it; parameters, time and memory where they were
    measured. Then the footnotes, and the paired differences in words.

    Args:
        found: what `evaluate` or `compare` gave.
        form: "table" (terminal), "markdown", "csv", "json" or "latex" (with booktabs).
        width: of the terminal in columns; None: as wide as the table needs.
        colour: terminal only: with escape codes for bold.

    Raises:
        ConfigError: there is no such form.
    """
    if form == "table":
        return terminal(found, width=width, colour=colour)
    if form not in FORMS:
        known = ["table", *FORMS]
        raise ConfigError(f"there is no table format {form!r}{suggest(form, known) or ';'} Use {listing(known)}.")
    return FORMS[form](found)


# ------------------------------------------------------------------------------------------------------- terminal


def terminal(found: Result | Comparison | Layout, *, width: int | None = None, colour: bool = False) -> str:
    """For a terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    def text(cell: Cell) -> Text:
        return Text.assemble((cell.text, "bold" if cell.best else ""), _tail(cell))

    layout = found if isinstance(found, Layout) else lay_out(found)
    # a fixed colour system, and not legacy_windows: the text may go into a file or a pipe
    settings = {"force_terminal": colour, "color_system": "standard" if colour else None, "legacy_windows": False}
    console = Console(file=io.StringIO(), width=width or 10_000, highlight=False, markup=False, **settings)  # type: ignore[arg-type]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, head in enumerate(layout.headers):
        table.add_column(text(head), justify="right" if index else "left", overflow="fold")
    for row in layout.rows:
        table.add_row(*map(text, row))
    console.print(layout.title, soft_wrap=True)
    console.print(table)
    for line in [*(f"({mark}) {s}" for mark, s in layout.footnotes), *layout.legend, *layout.sentences]:
        console.print(line, soft_wrap=True)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"  # type: ignore[attr-defined]


def _tail(cell: Cell) -> str:
    """What follows the value."""
    marks = f"({','.join(cell.marks)})" if cell.marks else ""
    return "".join(f" {part}" for part in (cell.interval, TIE if cell.tie else "", marks) if part)


# ------------------------------------------------------------------------------------------------------- markdown


def markdown(found: Result | Comparison | Layout) -> str:
    """For a README or a page."""
    layout = found if isinstance(found, Layout) else lay_out(found)

    def text(cell: Cell) -> str:
        value = _markdown(cell.text)
        return (f"**{value}**" if cell.best else value) + _markdown(_tail(cell))

    lines = [layout.title, "", _line(map(text, layout.headers))]
    lines.append(_line(["---" if i == 0 else "---:" for i in range(len(layout.headers))]))
    lines += [_line(map(text, row)) for row in layout.rows]
    remarks = [*(f"({mark}) {s}" for mark, s in layout.footnotes), *layout.legend]
    for block in (remarks, layout.sentences):
        lines += ["", *(f"- {_markdown(s)}" for s in block)] if block else []
    return "\n".join(lines) + "\n"


def _line(cells: object) -> str:
    return "| " + " | ".join(cells) + " |"  # type: ignore[arg-type]


def _markdown(text: str) -> str:
    # not a backslash before "<": some renderers would show it
    marked = "".join(f"\\{c}" if c in "\\`*_|" else c for c in text.replace("\n", " "))
    return marked.replace("<", "&lt;")


# ------------------------------------------------------------------------------------------------------ csv, json


def csv_table(found: Result | Comparison) -> str:
    """For a program: all digits, an empty cell where there is no value, seconds and bytes."""
    results = found.results if isinstance(found, Comparison) else [found]
    labels = list(dict.fromkeys(label for result in results for label in result.scores))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [name for label in labels for name in (label, f"{label}_low", f"{label}_high", f"{label}_n")]
    writer.writerow(["model", *names, "parameters", "seconds", "memory", "device", "problem"])
    for result in results:
        found_scores = [result.scores.get(label) for label in labels]
        cells: list[Any] = [v for s in found_scores for v in ((s.value, s.low, s.high, s.n) if s else (None,) * 4)]
        c = result.costs
        cells += [c.parameters, c.seconds, c.memory, c.device] if c else [None] * 4
        plain = [repr(float(v)) if isinstance(v, float) else v for v in cells]
        writer.writerow([result.model, *plain, result.problem])
    return text.getvalue()


def json_table(found: Result | Comparison) -> str:
    """All that was found."""
    from i2izoo.evaluation.comparison import to_dict

    content = to_dict(found) if isinstance(found, Comparison) else found.to_dict()
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


# ---------------------------------------------------------------------------------------------------------- latex

SYMBOLS = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "→": r"$\rightarrow$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "≈": r"$\approx$",
    "∞": r"$\infty$",
    "\u2212": "$-$",
}


def latex(found: Result | Comparison | Layout) -> str:
    """For a paper: booktabs."""
    layout = found if isinstance(found, Layout) else lay_out(found)

    def text(cell: Cell) -> str:
        value = _latex(cell.text)
        parts = [rf"\textbf{{{value}}}" if cell.best else value]
        parts += [_latex(cell.interval)] if cell.interval else []
        parts += [SYMBOLS[TIE]] if cell.tie else []
        return " ".join(parts) + (rf"\textsuperscript{{{','.join(cell.marks)}}}" if cell.marks else "")

    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex(layout.title)}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(layout.headers) - 1)}}}",
        r"\toprule",
        " & ".join(map(text, layout.headers)) + r" \\",
        r"\midrule",
        *(" & ".join(map(text, row)) + r" \\" for row in layout.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    remarks = [rf"\textsuperscript{{{mark}}} {_latex(s)}" for mark, s in layout.footnotes]
    for line in [*remarks, *map(_latex, layout.legend)]:
        lines.append(rf"\par\footnotesize {line}")
    lines.append(r"\end{table}")
    if layout.sentences:
        items = [rf"\item {_latex(s)}" for s in layout.sentences]
        lines += [r"\begin{itemize}", *items, r"\end{itemize}"]
    return "\n".join(lines) + "\n"


def _latex(text: str) -> str:
    return "".join(SYMBOLS.get(c, c) for c in text)


FORMS: dict[str, Callable[[Result | Comparison], str]] = {
    "markdown": markdown,
    "csv": csv_table,
    "json": json_table,
    "latex": latex,
}
"""Name of a format for files -> what writes it."""
FILES = {"markdown": "table.md", "csv": "table.csv", "latex": "table.tex"}
"""Name of a format -> the file in the folder of a comparison."""
