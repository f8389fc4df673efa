"""Metrics in training: on held-out images, by the code of `i2izoo.evaluate`, without a trace in the training."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.metric import Score
from i2izoo.errors import ConfigError, I2IZooError, TrainingError, listing
from i2izoo.evaluation.evaluate import evaluate
from i2izoo.evaluation.measuring import build
from i2izoo.files.writing import replacing_folder
from i2izoo.models.cards import render_card
from i2izoo.models.translator import Translator
from i2izoo.nn.random import derive_seed, seeded
from i2izoo.training.held_out import open_held_out
from i2izoo.training.metric_log import MetricLog

if TYPE_CHECKING:
    from i2izoo.training.trainer import Trainer

Say = Callable[[str], object]


class Validation:
    """Evaluates a model in training, in all its directions, writes metrics.csv, and keeps the best by each metric.

    Args:
        model: the model in training; it has the weights that are to be judged when `run` is called.
        data: the held-out images.
        metrics: names, `fid[resnet18]` for a variant.
        every: steps between evaluations; 0: only after the last step.
        start: steps that are done; later lines of an existing metrics.csv are dropped.
        size: height and width that images are resized to first; None keeps them as they are.
        limit: only the first so many images.
        seed: of the run.
        to: the target domains; None: all of the model.
        folder: where metrics.csv and best/ are; None: there is none.
        writes: write there; False for all processes of a run but the main one.
        warn: gets a sentence for each metric that cannot be computed here; training does without it.

    Attributes:
        log: what was found so far; see `MetricLog`.

    Raises:
        UnknownNameError: there is no such metric.
        ConfigError: a metric has no such variant.
        EvaluationError: the data lacks a domain of the model, or a held-out image cannot be translated.
        DataError, ImageError: a held-out image cannot be read.
        TrainingError: none of the metrics can be computed.
    """

    def __init__(
        self,
        model: Translator,
        data: Dataset,
        metrics: Sequence[str],
        *,
        every: int,
        start: int = 0,
        size: list[int] | None = None,
        limit: int | None = None,
        seed: int = 0,
        to: Sequence[str] | None = None,
        folder: Path | None = None,
        writes: bool = True,
        warn: Say = print,
    ) -> None:
        self.model, self.data, self.size, self.limit, self.seed = model, data, size, limit, seed
        self.every = every
        self.folder = folder if writes else None
        path = folder / "metrics.csv" if folder else None
        self.log = MetricLog(path, build(metrics, seed), to or model.directions, start, writes)
        self.noted: set[str] = set()
        self.labels = self._computable(warn)
        """Target domain -> metrics that can be computed."""

    def due(self, step: int, last: bool) -> bool:
        """Is there to be an evaluation after `step` steps, maybe the last, that has not been made?"""
        wanted = last or bool(step and self.every and step % self.every == 0)
        return wanted and not self.log.row(step)

    def run(self, step: int, provenance: Mapping[str, Any], *, say: Say = print, warn: Say = print) -> dict[str, float]:
        """Evaluate, replace best/METRIC where the model is strictly better, and add a line to metrics.csv.

        What is wrong with images or a metric does not stop the training: it is said, and there is no value. An
        evaluation that was cut short counts for nothing, since its numbers are of fewer images.

        Args:
            step: steps done.
            provenance: how the weights came about, for the cards of the best.
            say: gets a line with the values.
            warn: gets what went wrong.

        Returns:
            The values by column.
        """
        try:
            scores = self._evaluate(self.labels, self.limit)
        except I2IZooError as error:
            warn(f"the evaluation at step {step} does not count: {error}")
            return {}
        for column, score in scores.items():
            if score.value is None:
                warn(f"step {step}: {column} is not computed: {score.reason}")
            for note in score.notes:
                if note not in self.noted:
                    self.noted.add(note)
                    say(f"{column}: {note}")
        row = self.log.new_row(step, scores)
        values = self.log.values(row)
        better = [column for column, value in values.items() if self.log.beats(value, column)]
        if self.folder is not None:  # before the line: a run that is killed in between evaluates again
            for column in better:
                self._keep(self.folder / "best", column, {**provenance, "metrics": self._facts(row)})
        self.log.table.add(row)
        if values:
            say(f"step {step}: " + ", ".join(self._words(c, value, c in better) for c, value in values.items()))
        return values

    def facts(self, step: int) -> dict[str, dict[str, Any]]:
        """The metrics of the weights after `step` steps, as a card has them; empty if they were not evaluated."""
        return self._facts(self.log.row(step))

    # ------------------------------------------------------------------------------------------------------ inner

    def _evaluate(self, labels: Mapping[str, Sequence[str]], limit: int | None) -> dict[str, Score]:
        """Scores by column.

        Raises:
            I2IZooError: an evaluation could not start, or ended before its last image.
        """
        scores: dict[str, Score] = {}
        with undisturbed(self.model.method, derive_seed(self.seed, "evaluation")):
            for to, wanted in labels.items():
                if wanted:
                    result = evaluate(
                        self.model, self.data, metrics=list(wanted), to=to, size=self.size, seed=self.seed, limit=limit
                    )
                    self.log.declare(to, result.scores)
                    scores |= {self.log.column(label, to): score for label, score in result.scores.items()}
        return scores

    def _computable(self, warn: Say) -> dict[str, list[str]]:
        """Which metrics can be computed in which direction, found out now rather than after hours.

        All held-out images are read, and as many translated as the metrics want at least.
        """
        for index in range(min(len(self.data), self.limit or len(self.data))):
            self.data.sample(index, None)
        least = max(metric.min_samples for metric in self.log.metrics.values())
        asked = {to: list(self.log.metrics) for to in self.log.targets}
        scores = self._evaluate(asked, min(least, self.limit or least))
        labels: dict[str, list[str]] = {to: [] for to in asked}
        reasons: dict[str, None] = {}
        for to, metrics in asked.items():
            for label in metrics:
                found = [score for column, score in scores.items() if self.log.columns[column] == (label, to)]
                if any(score.value is not None for score in found):
                    labels[to].append(label)
                else:
                    reasons[f"metric {label!r} is not computed: {found[0].reason}"] = None
        if not any(labels.values()):
            raise TrainingError(f"there is no metric to compute: {'; '.join(reasons)}")
        for reason in reasons:
            warn(reason)
        return labels

    def _facts(self, row: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        on = self.data.option("split") or Path(self.data.option("root") or "held-out images").name
        facts: dict[str, dict[str, Any]] = {}
        for to, source in self.model.directions.items():
            count = self.data.count(source or to)
            n = min(count, self.limit or count)
            values = {column: v for column, v in self.log.values(row, to).items() if math.isfinite(v)}
            facts |= {column: {"value": value, "on": on, "n": n} for column, value in values.items()}
        return facts

    def _keep(self, folder: Path, column: str, provenance: Mapping[str, Any]) -> None:
        """Put the model into folder/COLUMN, whole or not at all."""
        place = folder / re.sub(r"[^\w.]+", "-", column).strip("-.")
        config = {**self.model.config, "provenance": dict(provenance)}
        card = render_card(config, name=f"best/{place.name}")
        with replacing_folder(place) as temporary:
            Translator(self.model.method, config).save_pretrained(temporary, card=card)

    def _words(self, column: str, value: float, better: bool) -> str:
        unit, best = self.log.metric(column).unit, self.log.best(column)
        text = f"{column} {value:.4g}{f' {unit}' if unit else ''}"
        return f"{text} (best)" if better else text if best is None else f"{text} (best {best[1]:.4g} at {best[0]})"


def validation_of(trainer: Trainer, asked: Mapping[str, Any]) -> Validation | None:
    """What evaluates in a training; None without metrics, and in processes that do not.

    Args:
        trainer: its options and data are there.
        asked: the options that the user gave.
    """
    o, (val, _) = trainer.options, trainer.given
    if not o.metrics:
        late = [name for name in ("evaluate_every", "val_limit") if name in asked] + ["val"] * (val is not None)
        if late and o.screen_seeds < 2:
            raise ConfigError(f"{listing(late)} says how metrics are computed, and there are none: give metrics=.")
        return None
    data = open_held_out(*trainer.given, trainer.method, split=o.split, sides=o.sides, rename=o.rename)
    how = {"every": o.evaluate_every, "start": trainer.step, "folder": trainer.out, "writes": trainer.main}
    return judge(trainer, data, o.metrics, seed=o.seed, limit=o.val_limit, **how)


def judge(trainer: Trainer, images: Dataset, metrics: Sequence[str], **further: Any) -> Validation | None:
    """What evaluates the model of a trainer on images, see `Validation`; None in processes that do not."""
    # on GPUs all processes evaluate: some layers want them all, and none waits until its patience ends
    if not trainer.main and trainer.device.type != "cuda":
        return None
    given = next((data for data in trainer.given if data is not None), None)
    side = None if isinstance(given, Dataset) else trainer.options.crop_size
    size = [side, side] if side else None
    return Validation(trainer.model, images, metrics, **{"every": 0, "size": size, "warn": trainer.warn} | further)


@contextmanager
def undisturbed(method: nn.Module, seed: int) -> Iterator[None]:
    """Whatever happens inside, training goes on afterwards as if it had not.

    Restores the random states of Python, NumPy and torch, the modes and buffers of the networks, and the number of
    threads. Inside, torch's random state is that of the seed.
    """
    python, numpy, threads = random.getstate(), np.random.get_state(), torch.get_num_threads()
    modes = [(module, module.training) for module in method.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in method.buffers()]
    try:
        with seeded(seed):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        for module, training in modes:
            module.training = training
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
