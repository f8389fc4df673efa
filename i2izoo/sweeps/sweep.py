"""`i2izoo.sweep`: train a grid of options, evaluate all runs under one protocol, and write one table."""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from i2izoo.contracts.plain import parse_json
from i2izoo.errors import TrainingError, WriteError, in_a_sentence, listing
from i2izoo.evaluation.compare import compare_models
from i2izoo.evaluation.records import NUMBERS, of_score
from i2izoo.evaluation.result import Comparison, Result
from i2izoo.files.locks import locked
from i2izoo.files.tables import frame
from i2izoo.files.weights import weights_in
from i2izoo.files.writing import write_text
from i2izoo.report.page import REPORT, write_report
from i2izoo.report.tables import terminal
from i2izoo.sweeps.plan import Run, plan
from i2izoo.sweeps.spec import Sweep, read
from i2izoo.sweeps.table import Row, files, make_rows, table
from i2izoo.training.resume import changed_options, completed
from i2izoo.training.trainer import Trainer

if TYPE_CHECKING:
    from pandas import DataFrame

SWEEP = "sweep.json"
EVALUATION = "evaluation"
RUNS = "runs"


@dataclass
class SweepResult:
    """What `sweep` gives back; as a string the table.

    Attributes:
        rows: one for each cell of the grid.
        comparison: of all runs, with the paired tests; None where none could be evaluated.
        folder: where everything lies.
    """

    rows: list[Row]
    comparison: Comparison | None
    folder: Path

    @property
    def problems(self) -> dict[str, str]:
        """Run -> why it has no result."""
        return {name: why for row in self.rows for name, why in row.problems.items()}

    def __str__(self) -> str:
        return terminal(table(self.rows, self.comparison))

    def to_pandas(self) -> DataFrame:
        """The table as a data frame of pandas, a row for each cell and metric.

        Columns are the cell, the options that the sweep varies, the score, its standard deviation over the seeds
        (`spread`), and what the cell costs.

        Raises:
            ConfigError: pandas is not installed.
        """
        rows = [
            {
                "cell": row.name,
                **row.varied,
                **of_score(metric, score),
                "spread": row.spread.get(metric),
                "seeds": len(row.runs),
                "parameters": row.parameters,
                "training_seconds": row.seconds,
            }
            for row in self.rows
            for metric, score in row.scores.items()
        ]
        return frame(rows, [*NUMBERS, "spread", "training_seconds"])


def sweep(
    spec: str | os.PathLike[str] | Mapping[str, Any],
    data: Any,
    *,
    out: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None = None,
    device: str | torch.device | None = None,
    progress: bool = False,
) -> SweepResult:
    """Train a grid of options and write one table.

    Every run is an ordinary training in `out`/runs/NAME. What is finished there is not trained again, and what was
    interrupted goes on exactly; one that fails is in the table with its reason, and the others go on.

    Files in `out`: `table.md`, `table.csv`, `table.json`, `table.tex`, `report.html`, `sweep.json`, the runs, and
    `evaluation/`, which is what `i2izoo.compare` writes.

    Args:
        spec: a YAML file, or the same as a mapping; see `i2izoo.sweeps.spec.Sweep` for its keys.
        data: as of `i2izoo.Trainer`.
        out: folder of the sweep.
        weights: folder with the weights that metrics need.
        device: of the evaluation; None: the CPU. That of the training is its option `device`.
        progress: say on stderr what is done; on a terminal with progress bars.

    Raises:
        ConfigError: an option is unknown or has a bad value; found before anything is trained.
        TrainingError: `out` holds a run of the same name with other options.
        WriteError: the disk is full, say, or another sweep is running in `out`.

    >>> import tempfile
    >>> spec = {
    ...     "method": "pix2pix", "to": "photo", "metrics": ["psnr"], "limit": 2,
    ...     "options": {"steps": 1, "crop_size": 16, "generator.depth": 3, "discriminator": "pixel"},
    ...     "grid": {"generator.width": [2, 4]},
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = sweep(spec, {"name": "synthetic-facades", "count": 2, "size": 16}, out=folder)
    >>> [(row.varied["generator.width"], row.scores["psnr"].n) for row in found.rows]
    [(2, 2), (4, 2)]
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise TrainingError("a sweep runs in one process; start it without a launcher.")
    asked, where = read(spec)
    runs, held_out = plan(asked, data, where)
    out = Path(out).expanduser()
    _check_folder(runs, out)
    with locked(out), weights_in(weights):
        problems: dict[str, str] = {}
        for number, run in enumerate(runs, 1):
            said = _train(run, data, asked.val, out / RUNS / run.folder, progress, f"[{number}/{len(runs)}] {run.name}")
            if said:
                problems[run.name] = said
        comparison = _evaluate(runs, problems, held_out, asked, out, device, progress)
    seconds = {run.name: training_seconds(out / RUNS / run.folder) for run in runs}
    found = SweepResult(make_rows(runs, comparison, seconds, problems), comparison, out)
    for name, text in files(found.rows, comparison).items():
        write_text(out / name, text)
    if comparison is not None:
        write_report(comparison, out / REPORT)
    return found


def _check_folder(runs: list[Run], out: Path) -> None:
    for run in runs:
        place = out / RUNS / run.folder
        if (before := _facts(place)) is not None and (different := changed_options(before, run.facts)):
            raise TrainingError(
                f"{place} holds a run with other options: {listing(different, 5)}. Name another folder for the sweep, "
                "or remove that one."
            )


def _facts(place: Path) -> dict[str, Any] | None:
    """Method and options of the run in a folder."""
    try:
        facts = parse_json((place / "run.json").read_text(encoding="utf-8"))
        return {key: facts[key] for key in ("method", "options", "training")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _train(run: Run, data: Any, val: Any, place: Path, progress: bool, title: str) -> str | None:
    """Train one run to its end; what stopped it, or None."""
    model = place / "model"
    before = _facts(place) if (model / "config.json").is_file() else None
    if before is not None and completed(before) == completed(run.facts):
        _say(progress, f"{title}: finished before")
        with contextlib.suppress(WriteError), locked(place):
            pass  # it takes away the lock that a run has left which was killed at its very end
        return None
    _say(progress, f"{title}: training")
    shutil.rmtree(model, ignore_errors=True)  # of a shorter run: it tells from now on that this one is finished
    try:
        watched = {"val": val} if run.training.get("metrics") else {}
        bar = progress and sys.stderr.isatty()
        method = {"name": run.method, **run.options}
        Trainer(method, data, out=place, resume="auto", progress=bar, **watched, **run.training).fit()
    except WriteError:  # on a full disk the others cannot, either
        raise
    except Exception as error:  # whatever happens to one run, the others go on
        said = in_a_sentence(error)
        _say(True, f"{title}: {said}")
        return said
    return None


def _evaluate(
    runs: list[Run], problems: dict[str, str], held_out: Any, asked: Sweep, out: Path, device: Any, progress: bool
) -> Comparison | None:
    """One comparison of all runs; those without a model are in it with their problem."""
    settings = asked.evaluation()
    try:
        before = Sweep(**parse_json((out / SWEEP).read_text(encoding="utf-8")))
        same = (before.val, before.evaluation()) == (asked.val, settings)
    except (OSError, ValueError, TypeError):
        same = False
    if not same:  # another protocol: the models stay, the numbers do not
        shutil.rmtree(out / EVALUATION, ignore_errors=True)
    write_text(out / SWEEP, json.dumps(asked.config, indent=2) + "\n")
    models = {run.name: out / RUNS / run.folder / "model" for run in runs if run.name not in problems}
    if not models:
        return None
    _say(progress, f"evaluating {len(models)} run{'s' * (len(models) != 1)}")
    bar = progress and sys.stderr.isatty()
    found = compare_models(models, held_out, replace(settings, device=device, progress=bar), out / EVALUATION)
    results = {result.model: result for result in found.results}
    found.results = [
        results.get(run.name) or Result(run.name, found.protocol, problem=problems[run.name]) for run in runs
    ]
    return found


def training_seconds(place: Path) -> float | None:
    """How long a run took, over all its sessions: the intervals of log.csv; None where there is no line.

    What a killed session did after its last line is not in it.
    """
    try:
        training = parse_json((place / "run.json").read_text(encoding="utf-8"))
        rows = list(csv.DictReader((place / "log.csv").read_text(encoding="utf-8").splitlines()))
        images = (
            training["training"]["batch_size"] * training["training"]["gradient_accumulation"] * training["processes"]
        )
        steps = [0, *(int(row["step"]) for row in rows)]
        speeds = [float(row["images_per_second"]) for row in rows]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    done = [(later - step) * images for step, later in itertools.pairwise(steps)]
    return sum(n / max(v, 1e-9) for n, v in zip(done, speeds, strict=True)) if speeds else None


def _say(aloud: bool, line: str) -> None:
    if aloud:
        print(line, file=sys.stderr, flush=True)
