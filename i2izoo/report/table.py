"""The one layout of a table of scores: what it says, apart from any format."""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from i2izoo.contracts.metric import Score

TIE = "≈"


@dataclass
class Cell:
    """One cell.

    Attributes:
        text: for people.
        value: for programs, exact: a number, a text or None.
        interval: the ends of a confidence interval, for people; empty where there is none.
        score: of a metric, with all digits.
        spread: standard deviation over seeds, where there are several.
        best: the best value of its column.
        tie: not significantly different from the best.
        marks: letters of footnotes.
        problem: what stopped the model of this row, a sentence, or "".
        why: why there is no value, or "".
    """

    text: str
    value: Any = None
    interval: tuple[str, ...] = ()
    score: Score | None = None
    spread: float | None = None
    best: bool = False
    tie: bool = False
    marks: list[str] = field(default_factory=list)
    problem: str = ""
    why: str = ""


@dataclass
class Head:
    """The head of a column.

    Attributes:
        label: for people.
        name: for programs, where it is another one.
        unit: of the values, or "".
        kind: "text", "metric" or "cost".
        higher: is more better? None where neither is. Only metrics say so with an arrow.
        marks: letters of footnotes.
        hidden: is it for programs only?
    """

    label: str
    name: str = ""
    unit: str = ""
    kind: Literal["text", "metric", "cost"] = "text"
    higher: bool | None = None
    marks: list[str] = field(default_factory=list)
    hidden: bool = False

    @property
    def arrow(self) -> str:
        return {None: "", True: "\u2191", False: "\u2193"}[self.higher] if self.kind == "metric" else ""

    @property
    def direction(self) -> str:
        return "" if self.higher is None else "higher is better" if self.higher else "lower is better"

    @property
    def text(self) -> str:
        """Label, unit and direction in a line."""
        return " ".join(filter(None, [self.label, f"({self.unit})" if self.unit else "", self.arrow]))


@dataclass
class Footnote:
    """A sentence below the table.

    Attributes:
        mark: its letter.
        sentence: what it says.
        about: the metrics that it is about.
        models: the models that it is about, where it is about no metric.
        problem: does it say what stopped a model?
    """

    mark: str
    sentence: str
    about: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    problem: bool = False

    @property
    def text(self) -> str:
        return f"{', '.join(self.about)}: {self.sentence}" if self.about else self.sentence


@dataclass
class Table:
    """A row for each model, a column for each metric, then the costs.

    Attributes:
        title: what was measured on what.
        heads: one for each column.
        rows: cells, as many as heads.
        foot: a row of another kind below the others, such as the scores of the true images; None: there is none.
        footnotes: what the marks refer to.
        legend: what the signs mean, a sentence each.
        sentences: what else is to be said, such as the paired differences in words.
    """

    title: str
    heads: list[Head]
    rows: list[list[Cell]]
    foot: list[Cell] | None = None
    footnotes: list[Footnote] = field(default_factory=list)
    legend: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)

    @property
    def shown(self) -> Table:
        """The columns for people."""
        keep = [i for i, head in enumerate(self.heads) if not head.hidden]
        rows, foot = [[row[i] for i in keep] for row in self.rows], self.foot and [self.foot[i] for i in keep]
        return Table(self.title, [self.heads[i] for i in keep], rows, foot, self.footnotes, self.legend, self.sentences)

    @property
    def body(self) -> list[list[Cell]]:
        """The rows with the foot as the last."""
        return [*self.rows, *([self.foot] if self.foot else [])]

    def has(self, what: Literal["interval", "tie", "spread"]) -> bool:
        """Does any cell have an interval, a tie or a spread?"""
        return any(getattr(cell, what) for row in self.rows for cell in row)


class Builder:
    """Puts a table together column by column; what is said of every cell of a column is said once, at its head."""

    def __init__(self) -> None:
        self.heads: list[Head] = []
        self.columns: list[list[Cell]] = []
        self.footnotes: dict[str, Footnote] = {}

    def add(self, head: Head, cells: list[Cell], said: Sequence[Sequence[str] | None] = ()) -> None:
        """Add a column.

        Args:
            head: of it; its marks and those of the cells are set here.
            cells: of it.
            said: sentences about each cell; None: a cell that has nothing to say, and does not count. A row's model is
                the text of the cell in the first column.
        """
        self.heads.append(head)
        self.columns.append(cells)
        told = [sentences for sentences in said if sentences is not None]
        common = [s for s in told[0] if all(s in others for others in told)] if len(told) > 1 else []
        for row, (cell, sentences) in enumerate(zip(cells, said, strict=False)):
            for sentence in sentences or ():
                mark = self._mark(sentence, head, self.columns[0][row].text, sentence == cell.problem)
                marks = head.marks if sentence in common else cell.marks
                marks += [mark] * (mark not in marks)

    def _mark(self, sentence: str, head: Head, model: str, problem: bool) -> str:
        sentence = sentence if sentence.endswith(".") else f"{sentence}."
        note = self.footnotes.setdefault(sentence, Footnote(_letter(len(self.footnotes)), sentence, problem=problem))
        subjects, subject = (note.about, head.label) if head.kind == "metric" else (note.models, model)
        if head.kind != "cost" and subject not in subjects:
            subjects.append(subject)
        return note.mark

    def rows(self) -> list[list[Cell]]:
        """The columns, row by row."""
        return [list(row) for row in zip(*self.columns, strict=True)]


def texts(values: Iterable[object]) -> list[Cell]:
    """Cells of plain text."""
    return [Cell(str(value), value) for value in values]


def _letter(index: int) -> str:
    """a to z, then aa, ab, ..."""
    letters = string.ascii_lowercase
    return letters[index] if index < 26 else _letter(index // 26 - 1) + letters[index % 26]
