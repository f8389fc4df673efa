"""What a run leaves behind for people: log.csv, TensorBoard events, a progress bar. Never a server."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

from torch import Tensor

from i2izoo.storage import write_text


class TrainingLog:
    """Averages the losses between two lines of log.csv and shows the rate.

    Args:
        folder: where log.csv and tensorboard/ go; None writes nothing.
        total: steps of the whole run.
        start: steps that are done; later lines of an existing log.csv are dropped.
        tensorboard: write events too.
        progress: show a progress bar.
    """

    def __init__(self, folder: Path | None, total: int, start: int, *, tensorboard: bool, progress: bool) -> None:
        self.path = folder / "log.csv" if folder else None
        self.rows = self._kept(start)
        self.sums: dict[str, tuple[Tensor | float, int]] = {}
        self.images = 0
        self.clock = time.perf_counter()
        self.events: Any = None
        if folder and tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self.events = SummaryWriter(str(folder / "tensorboard"), purge_step=start)
        self.bar: Any = None
        if progress:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self.bar = Progress(
                BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[losses]}")
            )
            self.task = self.bar.add_task("training", total=total, completed=start, losses="")
            self.bar.start()

    def add(self, losses: dict[str, Tensor], images: int) -> None:
        """Add one step."""
        for name, loss in losses.items():
            total, count = self.sums.get(name, (0.0, 0))
            self.sums[name] = (total + loss, count + 1)
        self.images += images
        if self.bar is not None:
            self.bar.advance(self.task)

    def write(self, step: int, epoch: float, rate: float, waited: float) -> dict[str, float]:
        """Close the interval at `step`: one line of CSV; returns the means of the losses.

        Args:
            step: steps done.
            epoch: epochs done, fractional.
            rate: factor on the learning rate.
            waited: seconds of the interval that went into waiting for data.
        """
        seconds = time.perf_counter() - self.clock
        means = {name: float(total) / count for name, (total, count) in self.sums.items()}
        speed = self.images / seconds if seconds else 0.0
        row = {
            "step": step, "epoch": round(epoch, 3), "learning_rate_factor": round(rate, 6),
            "images_per_second": round(speed, 3), "data_wait_share": round(waited / seconds, 4) if seconds else 0.0,
        } | {k: float(f"{v:.6g}") for k, v in means.items()}  # fmt: skip
        self.rows.append(row)
        if self.path:
            self._append(row)
        if self.events is not None:
            for name, value in row.items():
                if name != "step":
                    self.events.add_scalar(name if name not in means else f"loss/{name}", value, step)
        if self.bar is not None:
            shown = " ".join(f"{k} {v:.3g}" for k, v in means.items())
            self.bar.update(self.task, losses=f"{speed:.2f} images/s  {shown}")
        self.sums, self.images, self.clock = {}, 0, time.perf_counter()
        return means

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
        if self.events is not None:
            self.events.close()

    def _kept(self, start: int) -> list[dict[str, Any]]:
        if self.path is None or not self.path.is_file():
            return []
        with self.path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row.get("step", "").isdigit() and int(row["step"]) <= start]
        self._columns = []
        return rows

    def _append(self, row: dict[str, Any]) -> None:
        """Add a line; a new column (a loss that appears later) or a cut log means writing the file again."""
        columns = list(dict.fromkeys(name for r in self.rows for name in r))
        assert self.path is not None
        if getattr(self, "_columns", None) == columns:
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, columns).writerow(row)
            return
        import io

        text = io.StringIO()
        writer = csv.DictWriter(text, columns)
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self.path, text.getvalue())
        self._columns = columns
