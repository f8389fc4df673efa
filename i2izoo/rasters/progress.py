"""How far a raster is: what whoever watches it is told, or a bar on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True)
class Progress:
    """How far a raster is.

    Attributes:
        stage: "statistics" is the first pass, "translating" the second; "writing" makes the target of what is done.
        done: megapixels of the stage that are done; what a killed run has left counts.
        total: megapixels of the stage.
    """

    stage: Literal["statistics", "translating", "writing"]
    done: float
    total: float


Watcher: TypeAlias = Callable[[Progress], None]


@contextmanager
def watching(progress: bool | Watcher) -> Iterator[Watcher]:
    """Who is told: a function of the caller's, a bar on stderr (True), or nobody (False)."""
    if callable(progress):
        yield progress
    elif not progress:
        yield lambda _: None
    else:
        with _bar() as watcher:
            yield watcher


@contextmanager
def _bar() -> Iterator[Watcher]:
    """Megapixels done, megapixels a second and the time left."""
    from rich import progress
    from rich.console import Console

    said = progress.TextColumn("{task.completed:.1f} of {task.total:.1f} megapixels, {task.fields[rate]}")
    left = (progress.TimeElapsedColumn(), progress.TimeRemainingColumn())
    columns = (progress.TextColumn("{task.description}"), progress.BarColumn(), said, *left)
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        stage = ""

        def tell(now: Progress) -> None:
            nonlocal stage
            if now.stage != stage:  # each has a rate of its own
                for before in bar.task_ids:
                    bar.remove_task(before)
                stage = now.stage
                bar.add_task(stage, total=now.total, completed=now.done, rate="...")  # type: ignore[arg-type]
                return
            speed = bar.tasks[0].speed
            bar.update(bar.task_ids[0], completed=now.done, rate=f"{speed:.2f} a second" if speed else "...")

        yield tell
