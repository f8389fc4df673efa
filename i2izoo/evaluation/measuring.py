"""The metrics of an evaluation: found by name, fed with batches, and stopped one by one where they cannot go on."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch

from i2izoo.contracts.annotations import PartSpec, matches
from i2izoo.contracts.config import schema
from i2izoo.contracts.metric import Metric, Score
from i2izoo.contracts.plain import parse_json
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, EvaluationError, MetricError
from i2izoo.evaluation.statistics import mean_interval
from i2izoo.nn.random import derive_seed, seeded

DEFAULT = ("psnr", "ssim", "lpips", "fid", "kid")
"""What is measured where nothing is asked for."""


class Measurement:
    """One metric in one evaluation.

    Attributes:
        label: its name in the result.
        metric: the metric.
        values: a value for each image, where the metric has one.
        reason: why it has no value; None while it has.
    """

    def __init__(self, label: str, metric: Metric, seed: int) -> None:
        self.label, self.metric, self.seed = label, metric, seed
        self.values: list[float] | None = None
        self.reason: str | None = None
        self.seen = 0

    @property
    def runs(self) -> bool:
        """Can it still be computed?"""
        return self.reason is None

    def stop(self, reason: object) -> None:
        """Leave it out from now on."""
        self.reason, self.values = " ".join(str(reason).split()), None

    def prepare(self, device: torch.device) -> None:
        """Load what it needs, or stop."""
        try:
            with seeded(derive_seed(self.seed, self.label, "prepare")):
                self.metric.prepare(device)
        except MetricError as error:
            self.stop(error)

    def update(self, images: Mapping[str, Any], count: int) -> None:
        """Add a batch of `count` images, or stop."""
        try:
            with seeded(derive_seed(self.seed, self.label, self.seen)):
                values = self.metric.update(**{name: images[name] for name in self.metric.inputs})
        except MetricError as error:
            self.stop(error)
            return
        if values is not None:
            if values.shape != (count,):
                raise EvaluationError(
                    f"metric {self.label!r} gave values of shape {tuple(values.shape)} for {count} images; "
                    "`update` returns one for each, or None."
                )
            self.values = self.values or []
            self.values += values.tolist()
        self.seen += count

    def scores(self) -> dict[str, Score]:
        """Label -> score over all that was added, with interval and direction; without a value where it stopped."""
        if self.runs and self.seen < (least := max(1, self.metric.min_samples)):  # it was cut off
            self.stop(f"needs at least {least} image{'s' * (least > 1)}; {self.seen} could be measured")
        if self.runs:
            try:
                with seeded(derive_seed(self.seed, self.label, "compute")):
                    found = self.metric.compute()
            except MetricError as error:
                self.stop(error)
            else:
                named = {self.label: found} if isinstance(found, Score) else _under(self.label, found)
                first = next(iter(named), None)  # whose values those of single images are
                with_intervals = {k: self._with_interval(s) if k == first else s for k, s in named.items()}
                return {label: self._complete(score) for label, score in with_intervals.items()}
        return {self.label: self._complete(Score(None, reason=self.reason))}

    def _with_interval(self, score: Score) -> Score:
        """The confidence interval of a mean over images."""
        if self.values is None or score.low is not None or score.value is None:
            return score
        mean = math.fsum(self.values) / len(self.values) if all(map(math.isfinite, self.values)) else score.value
        if not math.isclose(mean, score.value, rel_tol=1e-4, abs_tol=1e-9):
            return score  # it is no mean
        low, high = mean_interval(self.values, seed=self.seed)
        return replace(score, low=low, high=high)

    def _complete(self, score: Score) -> Score:
        kind, notes = type(self.metric), score.notes
        n = score.n or self.seen
        if score.value is not None and n < kind.advised_samples and str(kind.advised_samples) not in " ".join(notes):
            notes = (*notes, f"{n} images: {self.label} wants {kind.advised_samples} or more to be comparable.")
        return replace(score, n=n, notes=notes, higher_is_better=kind.higher_is_better, unit=score.unit or kind.unit)


def _under(label: str, scores: Mapping[str, Score]) -> dict[str, Score]:
    """The scores of a metric that has several, by names that begin with its own."""
    return {f"{label}.{key}": score for key, score in scores.items()}


def metric_of(score: str, metrics: Iterable[str]) -> str | None:
    """The label of the metric that a score belongs to; None: of none of these.

    >>> metric_of("fcn_score.pixel_accuracy", ["psnr", "fcn_score"]), metric_of("psnr", ["fid"])
    ('fcn_score', None)
    """
    return max((label for label in metrics if score == label or score.startswith(f"{label}.")), key=len, default=None)


def build(metrics: Iterable[PartSpec] | None, seed: int) -> dict[str, Metric]:
    """Label -> metric; `"fid[resnet18]"` sets the option that the metric calls its qualifier.

    Args:
        metrics: names, or `{"name": ..., option: value}`; None: `DEFAULT`.
        seed: of the metrics that draw and whose options do not say another.

    Raises:
        UnknownNameError: there is no such metric; close matches are given.
        ConfigError: an option is unknown or ill-typed, or two have one label.
    """
    built: dict[str, Metric] = {}
    if isinstance(metrics, (str, Mapping)):
        raise ConfigError(f"metrics is a list, such as ['psnr', 'fid[resnet18]']; found {metrics!r}.")
    for spec in DEFAULT if metrics is None else metrics:
        options = _options(spec)
        if "seed" in schema(registry("metrics").get(options["name"])):
            options = {"seed": seed, **options}
        metric: Metric = registry("metrics").build(options)
        if unknown := [name for name in type(metric).inputs if name not in Metric.known_inputs]:
            raise ConfigError(
                f"metric {options['name']!r} wants {unknown[0]!r}; an evaluation has {', '.join(Metric.known_inputs)}."
            )
        label = _label(options["name"], metric)
        if label in built:
            raise ConfigError(f"metric {label!r} is asked for twice; one evaluation has each once.")
        built[label] = metric
    return built


def spec_of(label: str, metric: Metric) -> dict[str, Any]:
    """A metric with all its options, from which `build` makes it again."""
    return {"name": label.partition("[")[0], **metric.config}


def _options(spec: PartSpec) -> dict[str, Any]:
    if not isinstance(spec, str):
        options = dict(spec)
        if not isinstance(options.get("name"), str):
            raise ConfigError(f"a metric needs a 'name'; found {spec!r}.")
        return options
    match = re.fullmatch(r"([^\[\]]+)(?:\[(.+)\])?", spec.strip())
    name, variant = match.groups() if match else (spec, None)  # what is neither is an unknown name
    if variant is None:
        return {"name": name}
    kind = registry("metrics").get(name)
    if kind.qualifier is None:
        raise ConfigError(f"metric {name!r} has no variants, so {spec!r} is none; write {name!r}.")
    return {"name": name, kind.qualifier: _value(variant, schema(kind)[kind.qualifier].annotation)}


def _value(text: str, annotation: Any) -> Any:
    if matches(text, annotation):
        return text
    try:
        return parse_json(text)
    except ConfigError as error:
        raise ConfigError(f"a variant of a metric is no such thing: {error}.") from error
    except ValueError:
        return text


def _label(name: str, metric: Metric) -> str:
    qualifier = type(metric).qualifier
    if qualifier is None or metric.config[qualifier] == schema(type(metric))[qualifier].default:
        return name
    return f"{name}[{metric.config[qualifier]}]"
