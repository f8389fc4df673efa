"""The renderings of a table: for the terminal, Markdown, CSV and LaTeX; HTML is on the page of the report."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from typing import Any

from i2izoo.errors import ConfigError, listing, suggest
from i2izoo.evaluation.comparison import to_dict
from i2izoo.evaluation.result import Comparison, Result
from i2izoo.files.tables import csv_text
from i2izoo.report.layout import lay_out
from i2izoo.report.table import TIE, Cell, Head, Table


def render(found: Result | Comparison, form: str = "table", *, width: int | None = None, colour: bool = False) -> str:
    """The table as text that ends in a newline.

    A row for each model; for each metric its direction, its value with the 95 % confidence interval, the best in
    bold and a mark at those that do not differ significantly from it; parameters, time and memory where they were
    measured. Then the footnotes, and the paired differences in words.

    Args:
        found: what `evaluate` or `compare` gave.
        form: "table" (terminal), "markdown", "csv", "latex" (with booktabs), or "json": all that was found.
        width: of the terminal in columns; None: as wide as the table needs.
        colour: terminal only: with escape codes for bold.

    Raises:
        ConfigError: there is no such form.
    """
    if form == "json":
        content = to_dict(found) if isinstance(found, Comparison) else found.to_dict()
        return json.dumps(content, indent=2, allow_nan=False) + "\n"
    if form == "table":
        return terminal(lay_out(found), width=width, colour=colour)
    if form not in FORMS:
        known = ["table", *FORMS, "json"]
        raise ConfigError(f"there is no table format {form!r}{suggest(form, known) or ';'} Use {listing(known)}.")
    return FORMS[form](lay_out(found))


# ------------------------------------------------------------------------------------------------------- terminal


def terminal(table: Table, *, width: int | None = None, colour: bool = False) -> str:
    """For a terminal."""
    from rich import box
    from rich import table as rich_table
    from rich.console import Console
    from rich.text import Text

    table = table.shown
    # a fixed colour system, and not legacy_windows: the text may go into a file or a pipe
    settings = {"force_terminal": colour, "color_system": "standard" if colour else None, "legacy_windows": False}
    console = Console(file=io.StringIO(), width=width or 10_000, highlight=False, markup=False, **settings)  # type: ignore[arg-type]
    grid = rich_table.Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, head in enumerate(table.heads):
        grid.add_column(Text(head.text + _marks(head)), justify="right" if index else "left", overflow="fold")
    for row in table.body:
        grid.add_row(*(Text.assemble((cell.text, "bold" if cell.best else ""), _tail(cell)) for cell in row))
    console.print(table.title, soft_wrap=True)
    console.print(grid)
    for line in [*_remarks(table), *table.sentences]:
        console.print(line, soft_wrap=True)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"  # type: ignore[attr-defined]


def _remarks(table: Table) -> list[str]:
    return [*(f"({note.mark}) {note.text}" for note in table.footnotes), *table.legend]


def _marks(at: Cell | Head) -> str:
    return f" ({','.join(at.marks)})" if at.marks else ""


def _interval(cell: Cell) -> str:
    return f" [{', '.join(cell.interval)}]" if cell.interval else ""


def _tail(cell: Cell) -> str:
    """What follows the value."""
    return _interval(cell) + f" {TIE}" * cell.tie + _marks(cell)


# ------------------------------------------------------------------------------------------------------- markdown


def markdown(table: Table) -> str:
    """For a README or a page."""
    table = table.shown

    def text(cell: Cell) -> str:
        value = _markdown(cell.text)
        return (f"**{value}**" if cell.best else value) + _markdown(_tail(cell))

    lines = [table.title, "", _line(_markdown(head.text + _marks(head)) for head in table.heads)]
    lines.append(_line(["---" if i == 0 else "---:" for i in range(len(table.heads))]))
    lines += [_line(map(text, row)) for row in table.body]
    for block in (_remarks(table), table.sentences):
        lines += ["", *(f"- {_markdown(s)}" for s in block)] if block else []
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _markdown(text: str) -> str:
    # not a backslash before "<": some renderers would show it
    marked = "".join(f"\\{c}" if c in "\\`*_|" else c for c in text.replace("\n", " "))
    return marked.replace("<", "&lt;")


# ------------------------------------------------------------------------------------------------------ csv


def csv_table(table: Table) -> str:
    """For a program: all digits, seconds and bytes, the ends of intervals, an empty cell where there is no value."""
    columns: list[list[Any]] = []
    for head, cells in zip(table.heads, zip(*table.rows, strict=True), strict=True):
        name = head.name or head.label
        columns.append([name, *(cell.value for cell in cells)])
        if head.kind == "metric":
            scores = [cell.score for cell in cells]
            columns.append([f"{name}_low", *(s and s.low for s in scores)])
            columns.append([f"{name}_high", *(s and s.high for s in scores)])
            if table.has("spread"):
                columns.append([f"{name}_sd", *(cell.spread for cell in cells)])
            columns.append([f"{name}_n", *(s and s.n for s in scores)])
    return csv_text(zip(*columns, strict=True))


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


def latex(table: Table) -> str:
    """For a paper: booktabs."""
    table = table.shown

    def marked(text: str, at: Cell | Head) -> str:
        return text + (rf"\textsuperscript{{{','.join(at.marks)}}}" if at.marks else "")

    def text(cell: Cell) -> str:
        value = rf"\textbf{{{_latex(cell.text)}}}" if cell.best else _latex(cell.text)
        return marked(value + _latex(_interval(cell)) + f" {SYMBOLS[TIE]}" * cell.tie, cell)

    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex(table.title)}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(table.heads) - 1)}}}",
        r"\toprule",
        " & ".join(marked(_latex(head.text), head) for head in table.heads) + r" \\",
        r"\midrule",
        *(" & ".join(map(text, row)) + r" \\" for row in table.body),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    remarks = [rf"\textsuperscript{{{note.mark}}} {_latex(note.text)}" for note in table.footnotes]
    lines += [rf"\par\footnotesize {line}" for line in [*remarks, *map(_latex, table.legend)]]
    lines.append(r"\end{table}")
    if table.sentences:
        items = [rf"\item {_latex(s)}" for s in table.sentences]
        lines += [r"\begin{itemize}", *items, r"\end{itemize}"]
    return "\n".join(lines) + "\n"


def _latex(text: str) -> str:
    return "".join(SYMBOLS.get(c, c) for c in text)


FORMS: dict[str, Callable[[Table], str]] = {"markdown": markdown, "csv": csv_table, "latex": latex}
"""Name of a format for files -> what writes it."""
FILES = {"markdown": "table.md", "csv": "table.csv", "latex": "table.tex"}
"""Name of a format -> the file in the folder of a comparison."""
