"""The course of an evaluation: metrics prepared, images translated and measured batch by batch, scores."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import torch

from i2izoo.contracts.metric import SetMetric
from i2izoo.errors import EvaluationError, I2IZooError, WriteError
from i2izoo.evaluation.batches import in_groups
from i2izoo.evaluation.cases import Case, Cases, on_grid
from i2izoo.evaluation.files import Folder
from i2izoo.evaluation.measuring import Measurement
from i2izoo.evaluation.references import add_references
from i2izoo.evaluation.result import Costs, Result
from i2izoo.evaluation.setup import Setup
from i2izoo.evaluation.translations import ImageFolder, generate, translate
from i2izoo.files.locks import locked
from i2izoo.models.translator import Translator


def run(setup: Setup, out: Path | None = None, *, keep_images: bool = False) -> Result:
    """Measure what was set up.

    Args:
        setup: what is measured on what.
        out: folder where it is kept as it goes; None: nowhere.
        keep_images: write each prediction there, too.
    """
    with contextlib.nullcontext() if out is None or out.is_file() else locked(out):
        folder = None if out is None else Folder(out, setup.protocol, setup.name, keep_images)
        evaluation = _Evaluation(setup, folder)
        evaluation.prepare()
        evaluation.measure()
        if setup.settings.costs:
            evaluation.add_costs()
        return evaluation.finish()


class _Evaluation:
    """An evaluation on its way: `prepare`, `measure`, then `finish`."""

    def __init__(self, setup: Setup, folder: Folder | None) -> None:
        self.setup, self.folder, self.protocol = setup, folder, setup.protocol
        self.batch_size = setup.settings.batch_size
        self.result = Result(setup.name, setup.protocol, notes=setup.notes)
        self.measurements = [Measurement(label, m, setup.protocol.seed) for label, m in setup.metrics.items()]

    def prepare(self) -> None:
        """Find out which metrics can be computed, and give them their weights and references."""
        cases, model = self.setup.cases, self.setup.model
        for m in self.measurements:
            if reason := _lacking(m, cases, model, self.protocol.samples):
                m.stop(reason)
            else:
                m.prepare(self.setup.device)
        add_references(self.measurements, cases, self.protocol.versions, self.batch_size, self.setup.device)

    def measure(self) -> None:
        """Translate and measure, in flat memory; what was measured before an error is kept."""
        keeps = self.folder is not None and self.folder.keep_images
        if not keeps and not any(m.runs for m in self.measurements):
            return
        cases = self._cases()
        if self.setup.settings.progress:
            cases = _tracked(cases, self.protocol.n)
        try:
            for group in in_groups(cases, _shape, self.batch_size):
                self._add(group)
        except BaseException as error:
            self._stop(error)

    def add_costs(self) -> None:
        """Measure what a translation of the first image costs."""
        from i2izoo.evaluation.costs import measure

        model, p = self.setup.model, self.protocol
        if isinstance(model, ImageFolder):
            self.result.costs = Costs(0, None, None, "")
        else:
            self.result.costs = measure(model, self.setup.cases.load(0).source, p.to, dict(p.options))

    def finish(self) -> Result:
        """The scores of what was measured."""
        for m in self.measurements:
            scores = m.scores()
            self.result.scores.update(scores)
            if m.values is not None:
                # of several scores (fcn_score) the values of single images are the first's; where an error cut a
                # batch off, some metrics have seen more of it than others
                self.result.values[next(iter(scores))] = m.values[: len(self.result.names)]
        if self.folder is not None:
            self.folder.close(self.result)
        return self.result

    def _cases(self) -> Iterator[Case]:
        p, model = self.protocol, self.setup.model
        if isinstance(model, ImageFolder):
            return iter(model)
        if p.source is None:
            return generate(model, self.setup.cases, seed=p.seed, batch_size=self.batch_size, options=dict(p.options))
        return translate(
            model, self.setup.cases, samples=p.samples, seed=p.seed, batch_size=self.batch_size, options=dict(p.options)
        )

    def _add(self, group: list[Case]) -> None:
        device = self.setup.device
        predictions = [on_grid(case.predictions[0]) for case in group]
        images: dict[str, Any] = {"prediction": torch.stack(predictions).to(device), "model": self.setup.model}
        wanted = {name for m in self.measurements if m.runs for name in m.metric.inputs}
        if "target" in wanted:
            images["target"] = torch.stack([case.target for case in group if case.target is not None]).to(device)
        if "source" in wanted:
            images["source"] = torch.stack([case.source for case in group]).to(device)
        if "samples" in wanted:
            rows = [torch.stack([on_grid(p) for p in case.predictions]) for case in group]
            images["samples"] = torch.stack(rows).to(device)
        for m in self.measurements:
            if m.runs:
                m.update(images, len(group))
        names = [case.name for case in group]
        self.result.names += names
        if self.folder is not None:
            running = {m.label: m.values[-len(group) :] for m in self.measurements if m.values is not None}
            self.folder.add(names, running)
            for name, prediction in zip(names, predictions, strict=True):
                self.folder.add_image(name, prediction)

    def _stop(self, error: BaseException) -> NoReturn:
        """Keep what was measured before an error, and raise it with that."""
        done, n = len(self.result.names), self.protocol.n
        said = (
            "interrupted" if isinstance(error, (KeyboardInterrupt, SystemExit)) else str(error) or type(error).__name__
        )
        self.result.problem = f"{said.rstrip('.')}; the scores are of the {done} of {n} images before that."
        place = "in `partial` of this error" if self.folder is None else f"in {self.folder.place}"
        kept = f"What the {done} of {n} images before it gave is kept {place}." if done else f"It is the first of {n}."
        try:
            partial = self.finish()
        except Exception as second:
            error.add_note(f"What was measured before could not be kept: {second}")
            raise error from None
        if isinstance(error, I2IZooError) and not isinstance(error, WriteError):
            raised = EvaluationError(f"{said} {kept}")
            raised.partial = partial
            raise raised from error
        error.partial = partial  # type: ignore[attr-defined]
        raise error


def _shape(case: Case) -> torch.Size:
    """What has to agree in a batch: of predictions and of sources."""
    return torch.Size([len(case.source), *case.source.shape[-2:], *case.predictions[0].shape])


def _lacking(m: Measurement, cases: Cases, model: Translator | ImageFolder, samples: int) -> str | None:
    """What the metric needs and this evaluation has not."""
    kind, elsewhere = type(m.metric), isinstance(model, ImageFolder)
    if "target" in kind.inputs and not cases.paired:
        return "needs pairs: a true image for each translation"
    if isinstance(m.metric, SetMetric) and not cases.has_truths:
        return f"needs true images of {cases.to!r}, which the data does not have"
    if {"source", "samples"} & set(kind.inputs) and cases.source is None and not kind.from_nothing:
        return "needs images to translate, and this model makes its own from nothing"
    if {"model", "samples"} & set(kind.inputs) and elsewhere:
        return "needs a model, not images made elsewhere"
    if "samples" in kind.inputs and samples < 2:
        can = isinstance(model, Translator) and model.method.samples
        return "needs several translations of each image: " + (
            "samples=2 or more" if can else "a method that can sample"
        )
    if len(cases) < kind.min_samples:
        return f"needs at least {kind.min_samples} images; found {len(cases)}"
    return None


def _tracked(cases: Iterator[Case], n: int) -> Iterator[Case]:
    from rich.console import Console
    from rich.progress import track

    yield from track(cases, "evaluating", total=n, console=Console(stderr=True))
