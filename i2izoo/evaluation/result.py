"""What `evaluate` and `compare` give back."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from i2izoo.contracts.metric import Score
from i2izoo.errors import ConfigError, EvaluationError, UnknownNameError, listing, suggest
from i2izoo.evaluation import records
from i2izoo.evaluation.json_files import finite, read_json
from i2izoo.evaluation.protocol import PROTOCOL, Protocol
from i2izoo.files.tables import csv_text, frame
from i2izoo.models.notebook import card

if TYPE_CHECKING:
    from pandas import DataFrame

SCORES = "scores.json"
PER_IMAGE = "per-image.csv"
IMAGES = "images"
ARROWS = {True: "\u2191", False: "\u2193"}


@dataclass(frozen=True)
class Costs:
    """What a translation costs.

    Attributes:
        parameters: number that translation needs; 0 for a folder of images.
        seconds: median time of one image at the protocol's size, batch 1; None for a folder of images.
        memory: peak memory of one translation in bytes, weights included; None where it cannot be measured.
        device: where that was measured: "cpu (4 threads)" or the GPU's name.
    """

    parameters: int
    seconds: float | None
    memory: int | None
    device: str


@dataclass
class Result:
    """The scores of one model under one protocol.

    Attributes:
        model: name or folder, as given.
        protocol: what was measured.
        scores: metric label -> score; metrics with several values have `fcn_score.pixel_accuracy` and so on.
        names: of the images, in order.
        values: metric label -> a value for each image, for metrics that have one.
        costs: None where not asked for.
        problem: what stopped the evaluation, in a sentence; the scores are then of the images before it.
        images: folder of the predictions, `NAME.png` each, where they were kept.
        notes: what a reader must know of the evaluation as a whole, one sentence each.
    """

    model: str
    protocol: Protocol
    scores: dict[str, Score] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)
    costs: Costs | None = None
    problem: str | None = None
    images: Path | None = None
    notes: tuple[str, ...] = ()

    def __getitem__(self, label: str) -> Score:
        if label not in self.scores:
            raise UnknownNameError(
                f"{label!r} was not evaluated{suggest(label, self.scores) or ';'} there are {listing(self.scores)}."
            )
        return self.scores[label]

    def __str__(self) -> str:
        scores = [f"{label}: {_said(score)}" for label, score in self.scores.items() if score.value is not None]
        return "\n".join([self.title, *scores, *self.remarks])

    def _repr_html_(self) -> str:
        """What a notebook shows: a row for each metric."""
        rows = [(_named(label, score), *_cells(score)) for label, score in self.scores.items()]
        return card(self.title, rows, ("metric", "value", "95 % interval", "images"), self.remarks)

    @property
    def title(self) -> str:
        """Model and protocol in a line."""
        p = self.protocol
        size = "" if p.size is None else f" at {p.size[1]} x {p.size[0]}"
        source, where = p.source or "nothing", p.data + (f" ({p.split})" if p.split else "")
        return f"{self.model}: {source} -> {p.to}, {p.n} images of {where}{size}"

    @property
    def remarks(self) -> list[str]:
        """All that a reader must know beside the numbers, a sentence each: first problems and what was not computed."""
        scores, about = self.scores.items(), dict[str, list[str]]()
        for label, score in scores:
            if score.value is None:
                about.setdefault(f"not computed: {score.reason}", []).append(label)
        for label, score in scores:
            for note in score.notes:
                about.setdefault(note, []).append(label)
        lines = [self.problem] if self.problem else []
        lines += self.notes
        lines += [f"{', '.join(labels)}: {said}" for said, labels in about.items()]
        lines += [f"{k}: the true images have {s.reference:.4g}" for k, s in scores if s.reference is not None]
        if (costs := self.costs) is not None and costs.seconds is not None:
            memory = "" if costs.memory is None else f", {costs.memory / 1e6:.4g} MB"
            time = f"{1000 * costs.seconds:.4g} ms an image{memory} on {costs.device}"
            lines.append(f"costs: {costs.parameters:,} parameters, {time}")
        return [line if line.endswith(".") else f"{line}." for line in lines]

    def to_dict(self) -> dict[str, Any]:
        """JSON: infinities and NaN as the strings "inf", "-inf" and "nan"; without `images`, a place."""
        content = {
            "model": self.model,
            "scores": {label: asdict(score) for label, score in self.scores.items()},
            "costs": None if self.costs is None else asdict(self.costs),
            "problem": self.problem,
            "notes": self.notes,
            "protocol": self.protocol.config,
            "names": self.names,
            "values": self.values,
        }
        return finite(content)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Result:
        """The result that `to_dict` was made from.

        Raises:
            EvaluationError: something is missing or unknown in it.
        """
        try:
            return cls(
                model=content["model"],
                protocol=Protocol(**content["protocol"]),
                scores={label: _score(score) for label, score in content["scores"].items()},
                names=list(content["names"]),
                values={label: [float(v) for v in values] for label, values in content["values"].items()},
                costs=None if content["costs"] is None else Costs(**content["costs"]),
                problem=content["problem"],
                notes=tuple(content["notes"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, ConfigError) as error:
            raise EvaluationError(f"these are no scores of an evaluation: {type(error).__name__}: {error}.") from error

    def per_image_csv(self) -> str:
        """A table with a line for each image: its name, and its value of each metric that has one."""
        rows = zip(self.names, *self.values.values(), strict=True)
        return csv_text([["name", *self.values], *rows])

    def to_pandas(self, *, per_image: bool = False) -> DataFrame:
        """The scores as a data frame of pandas, a row for each metric.

        Args:
            per_image: a row for each image instead, with a column for each metric that has a value for each.

        Raises:
            ConfigError: pandas is not installed.

        >>> scores = {"psnr": Score(21.5, 21.0, 22.0, n=2, unit="dB")}
        >>> protocol = Protocol(data="houses", data_sha256="", source="label", to="photo", metrics={}, n=2)
        >>> result = Result("ours", protocol, scores, ["a", "b"], {"psnr": [21.0, 22.0]})
        >>> result.to_pandas()[["model", "metric", "value", "unit"]].to_dict("records")
        [{'model': 'ours', 'metric': 'psnr', 'value': 21.5, 'unit': 'dB'}]
        >>> result.to_pandas(per_image=True).set_index("name")["psnr"].to_dict()
        {'a': 21.0, 'b': 22.0}
        """
        if per_image:
            return frame(records.of_images(self), self.values)
        return frame(records.of_result(self), records.NUMBERS)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write protocol.json, per-image.csv and scores.json, each whole or not at all; `load` reads them."""
        from i2izoo.files.writing import write_text

        folder = Path(folder)
        write_text(folder / PROTOCOL, self.protocol.to_json())
        write_text(folder / PER_IMAGE, self.per_image_csv())
        write_text(folder / SCORES, json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n")
        return folder

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Result:
        """Read what `save` wrote, with the images that lie beside it.

        Raises:
            EvaluationError: there is no scores.json, or it is damaged.
        """
        path = Path(folder) / SCORES
        result = cls.from_dict(read_json(path, "evaluation", "evaluate"))
        result.images = path.parent / IMAGES if (path.parent / IMAGES).is_dir() else None
        return result

    def card_metrics(self) -> dict[str, dict[str, Any]]:
        """What a model card states, `provenance["metrics"]`: a row for each metric that has a value."""
        on = self.protocol.split or self.protocol.data
        rows = {}
        for label, score in self.scores.items():
            if score.value is None:
                continue
            row: dict[str, Any] = {"value": _shown(score.value), "on": on, "n": score.n}
            if score.unit:
                row["unit"] = score.unit
            if score.low is not None and score.high is not None:
                row["95 % interval"] = f"{score.low:.4g} to {score.high:.4g}"
            if score.reference is not None:
                row["true images"] = _shown(score.reference)
            if score.notes:
                row["note"] = " ".join(score.notes)
            rows[label] = row
        return rows


def _said(score: Score) -> str:
    """Value with unit, interval and number of images."""
    interval = "" if score.low is None or score.high is None else f" [{score.low:.4g}, {score.high:.4g}]"
    return f"{score.value:.4g} {score.unit}".rstrip() + f"{interval} of {score.n} images"


def _named(label: str, score: Score) -> str:
    """A metric with the direction that is better."""
    return f"{label} {ARROWS[score.higher_is_better]}"


def _cells(score: Score) -> tuple[str, str, str]:
    """Value with unit, interval and number of images, each for itself."""
    interval = "" if score.low is None or score.high is None else f"{score.low:.4g} to {score.high:.4g}"
    value = "not computed" if score.value is None else f"{score.value:.4g} {score.unit}".rstrip()
    return value, interval, str(score.n or "")


def _score(content: Mapping[str, Any]) -> Score:
    numbers = {k: float(v) for k, v in content.items() if k in ("value", "low", "high", "reference") and v is not None}
    return Score(**{**content, **numbers, "notes": tuple(content["notes"])})


def _shown(value: float) -> float | str:
    """Six digits, which a card can show; JSON has no infinity."""
    return float(f"{value:.6g}") if math.isfinite(value) else str(value)


@dataclass(frozen=True)
class Difference:
    """A paired test between two models on one metric.

    Attributes:
        metric: label.
        first, second: names of the models.
        mean: mean over images of first minus second.
        low, high: its 95 % bootstrap confidence interval.
        p: two-sided p value of a paired permutation test.
        p_adjusted: the same after Holm's correction over all tests of the comparison.
        better: the model that is better at p_adjusted < 0.05, or None.
    """

    metric: str
    first: str
    second: str
    mean: float
    low: float
    high: float
    p: float
    p_adjusted: float
    better: str | None


@dataclass
class Comparison:
    """Several models under one protocol.

    Attributes:
        protocol: of all of them.
        results: one for each model, in the order given.
        differences: every pair of models on every metric that has a value for each image.
        inputs: folder of the images that were translated, `NAME.png` each.
        truths: folder of the true images, or None.
    """

    protocol: Protocol
    results: list[Result]
    differences: list[Difference] = field(default_factory=list)
    inputs: Path | None = None
    truths: Path | None = None

    def to_pandas(self, *, per_image: bool = False) -> DataFrame:
        """The scores of all models as a data frame of pandas, a row for each model and metric.

        `pandas.DataFrame(comparison.differences)` are the tests between them.

        Args:
            per_image: a row for each model and image instead, with a column for each metric that has a value for each.

        Raises:
            ConfigError: pandas is not installed.
        """
        if per_image:
            values = {label for result in self.results for label in result.values}
            return frame([row for result in self.results for row in records.of_images(result)], values)
        return frame([row for result in self.results for row in records.of_result(result)], records.NUMBERS)

    def _repr_html_(self) -> str:
        """What a notebook shows: a row for each model, a column for each metric."""
        labels = dict.fromkeys(label for result in self.results for label in result.scores)
        about = {label: next(r.scores[label] for r in self.results if label in r.scores) for label in labels}
        rows = [
            [r.model, *(_cells(r.scores[label])[0] if label in r.scores else "-" for label in labels)]
            for r in self.results
        ]
        p = self.protocol
        title = f"{p.source or 'nothing'} -> {p.to}, {p.n} images of {p.data}{f' ({p.split})' if p.split else ''}"
        better = [
            f"{d.better} is better than {d.second if d.better == d.first else d.first} on {d.metric}, "
            f"p = {d.p_adjusted:.2g}"
            for d in self.differences
            if d.better
        ]
        failed = [f"{r.model}: {r.problem}" for r in self.results if r.problem]
        return card(title, rows, ["model", *(_named(label, score) for label, score in about.items())], failed + better)
