"""What a run leaves behind for people: log.csv, a progress bar, and what trackers make of the same numbers."""

from __future__ import annotations

import contextlib
import csv
import io
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from i2izoo.errors import TrainingError, is_text
from i2izoo.files.writing import append_text, write_text
from i2izoo.training.trackers import Trackers

CLOCKWORK = ("step", "epoch", "learning_rate_factor", "images_per_second", "data_wait_share", "seconds", "ema_decay")
"""Columns of log.csv that are no loss."""


def check_name(folder: Path) -> None:
    """Raises TrainingError where libraries that write into the folder of a run cannot open it."""
    if not is_text(str(folder)):
        raise TrainingError(
            f"{str(folder)!r} has a name that is not UTF-8, which safetensors and TensorBoard do not open; name "
            "another folder."
        )


class TrainingLog:
    """Averages the losses between two lines of log.csv and shows the rate.

    Args:
        folder: where log.csv goes; None writes nothing.
        total: steps of the whole run; None: not known.
        start: steps that are done; later lines of an existing log.csv are dropped.
        trackers: get the same numbers; None: there are none.
        progress: show a progress bar on stderr.
        label: what the bar is called; one with a label goes when it is closed.
    """

    def __init__(
        self,
        folder: Path | None,
        total: int | None,
        start: int,
        *,
        trackers: Trackers | None = None,
        progress: bool,
        label: str = "",
    ) -> None:
        self.table = Table(folder / "log.csv" if folder else None, start)
        self.sums: dict[str, tuple[Tensor | float, int]] = {}
        self.images, self.steps, self.total = 0, start, total
        self.clock = time.perf_counter()
        self.trackers = trackers
        self.bar: Any = None
        if progress:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self.bar = Progress(
                BarColumn(), TextColumn("{task.fields[steps]}"), TimeRemainingColumn(),
                TextColumn("{task.fields[losses]}"), *([TextColumn(label)] if label else []),
                console=Console(stderr=True), transient=bool(label),
            )  # fmt: skip
            self.task = self.bar.add_task("training", total=1.0, steps="", losses="")
            self.bar.start()

    def add(self, losses: dict[str, Tensor], images: int, progress: float = 0.0) -> None:
        """Add one step, with which so large a share of the run is done."""
        for name, loss in losses.items():
            total, count = self.sums.get(name, (0.0, 0))
            self.sums[name] = (total + loss, count + 1)
        self.images += images
        self.steps += 1
        if self.bar is not None:
            steps = f"{self.steps}/{self.total or '?'}"
            self.bar.update(self.task, completed=progress, steps=steps)

    def means(self) -> dict[str, float]:
        """Means of the losses since the last line, each over the steps that had it."""
        return {name: float(total) / count for name, (total, count) in self.sums.items()}

    def write(
        self,
        means: dict[str, float],
        *,
        step: int,
        epoch: float,
        rate: float,
        waited: float,
        seconds: float | None = None,
        ema_decay: float | None = None,
    ) -> None:
        """Close the interval at `step` with one line of CSV.

        Args:
            means: the losses, by name.
            step: steps done.
            epoch: epochs done, fractional.
            rate: factor on the learning rate.
            waited: seconds of the interval that went into waiting for data.
            seconds: what is used of a budget of time; None: there is none.
            ema_decay: of the average of the weights in this step; None: it is not logged.
        """
        interval = max(time.perf_counter() - self.clock, 1e-9)
        speed = self.images / interval
        row = {
            "step": step, "epoch": round(epoch, 3), "learning_rate_factor": round(rate, 6),
            "images_per_second": round(speed, 3), "data_wait_share": round(waited / interval, 4),
            **({} if seconds is None else {"seconds": seconds}),
            **({} if ema_decay is None else {"ema_decay": round(ema_decay, 6)}),
        } | {name: float(f"{value:.6g}") for name, value in means.items()}  # fmt: skip
        self.table.add(row)
        self.scalars({f"loss/{k}" if k in means else k: v for k, v in row.items() if k != "step"}, step)
        if self.bar is not None:
            shown = " ".join(f"{name} {value:.3g}" for name, value in means.items())
            self.bar.update(self.task, losses=f"{speed:.2f} images/s  {shown}")
        self.sums, self.images, self.clock = {}, 0, time.perf_counter()

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Tell the trackers."""
        if self.trackers is not None:
            self.trackers.log(values, step)

    def losses(self) -> dict[str, list[tuple[int, float]]]:
        """The lines so far: loss -> step and mean."""
        names = dict.fromkeys(name for row in self.table.rows for name in row if name not in CLOCKWORK)
        return {name: self.table.points(name) for name in names}

    def say(self, line: str) -> None:
        """Print a line above the progress bar, if there is one."""
        if self.bar is not None:
            self.bar.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        """End the progress bar and the trackers."""
        if self.bar is not None:
            self.bar.stop()
        if self.trackers is not None:
            with contextlib.suppress(OSError):  # a full disk has been said, and all but the events is written
                self.trackers.close()


class Table:
    """A CSV file with a line for a step, that a resumed run goes on with.

    Args:
        path: the file; None keeps the lines in memory only.
        start: steps that are done; later lines of an existing file are dropped.
        writes: write to the file; False reads what an earlier process left, and keeps new lines in memory.

    Attributes:
        rows: the lines, by column; those of an earlier process as text.
    """

    def __init__(self, path: Path | None, start: int, writes: bool = True) -> None:
        self.path = path if writes else None
        self.rows: list[dict[str, Any]] = _rows_until(path, start) if path else []
        self.columns: list[str] = []  # of the file as this process has written it

    def add(self, row: dict[str, Any]) -> None:
        """Add a line; the first one, and one with a new column (a loss that appears later), write the file anew."""
        self.rows.append(row)
        if self.path is None:
            return
        columns = list(dict.fromkeys(name for r in self.rows for name in r))
        if columns == self.columns:
            line = io.StringIO(newline="")
            csv.DictWriter(line, columns, lineterminator="\n").writerow(row)
            append_text(self.path, line.getvalue())
            return
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self.path, text.getvalue())
        self.columns = columns

    def points(self, column: str) -> list[tuple[int, float]]:
        """The numbers of a column, each with its step, in the order of the steps."""
        return [(int(row["step"]), float(row[column])) for row in self.rows if row.get(column) not in (None, "")]


def _rows_until(path: Path, step: int) -> list[dict[str, Any]]:
    """The whole lines of an earlier process up to `step`; its last one may be cut."""
    if not path.is_file():
        return []
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
    rows = [row for row in csv.DictReader(whole.splitlines()) if None not in row.values()]
    return [row for row in rows if row["step"].isdigit() and int(row["step"]) <= step]
