"""Several models under one protocol, and which of their differences are real."""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from i2izoo.contracts.dataset import Dataset
from i2izoo.data.open import with_task_dataset
from i2izoo.errors import EvaluationError, I2IZooError, WriteError, in_a_sentence, listing
from i2izoo.evaluation.cases import Cases
from i2izoo.evaluation.compared import COPY_INPUT, ComparedModel, Model, fingerprint, name_models
from i2izoo.evaluation.comparison import save_comparison
from i2izoo.evaluation.measuring import build
from i2izoo.evaluation.protocol import PROTOCOL, Protocol
from i2izoo.evaluation.result import IMAGES, PER_IMAGE, SCORES, Comparison, Difference, Result
from i2izoo.evaluation.running import run
from i2izoo.evaluation.settings import EvaluationSettings
from i2izoo.evaluation.setup import Setup, set_up
from i2izoo.evaluation.statistics import holm, paired_difference
from i2izoo.files.locks import locked
from i2izoo.files.weights import weights_in
from i2izoo.files.writing import write_text
from i2izoo.images.writing import save
from i2izoo.models.translator import Translator

FINGERPRINT = "model.json"
LEVEL = 0.05


def compare_models(
    models: Iterable[Model] | Mapping[str, Model],
    data: str | os.PathLike[str] | Mapping[str, Any] | Dataset | None,
    settings: EvaluationSettings,
    out: str | os.PathLike[str] | None = None,
) -> Comparison:
    """Evaluate several models under one protocol and test their differences; see `i2izoo.compare`.

    Args:
        models: as of `i2izoo.compare`.
        data: as of `i2izoo.evaluate`.
        settings: of the evaluation of every model.
        out: folder for protocol.json, comparison.json, per-image.csv, inputs/, truths/ and models/NAME/.
    """
    entered = name_models(models)
    build(settings.metrics, 0)  # a misspelt metric is no model's fault
    place = Path(tempfile.mkdtemp(prefix="i2izoo-compare-")) if out is None else Path(out).expanduser()
    try:
        with weights_in(settings.weights), locked(place):
            comparing = _Comparing(place, data, settings)
            found = {c.name: comparing.evaluate(c) for c in sorted(entered, key=lambda c: c.kind)}
            comparison = comparing.finish(entered, found)
    except BaseException:
        if out is None:
            shutil.rmtree(place, ignore_errors=True)
        raise
    if out is None:
        weakref.finalize(comparison, shutil.rmtree, place, ignore_errors=True)
    else:
        save_comparison(comparison, place)
    return comparison


class _Comparing:
    """A comparison on its way.

    Args:
        place: where everything goes.
        data: as given.
        settings: of the first model that can be evaluated; the others follow the protocol that comes of it.
    """

    def __init__(self, place: Path, data: Any, settings: EvaluationSettings) -> None:
        self.place, self.data, self.settings = place, data, settings
        self.protocol: Protocol | None = None
        self.notes: tuple[str, ...] = ()
        self.inputs: Path | None = None
        self.truths: Path | None = None

    def evaluate(self, compared: ComparedModel) -> Result | Exception:
        """The result of one model, whatever happens; what stopped it where there is no protocol yet."""
        setup: Setup | None = None
        try:
            model = self._open(compared)
            if self.protocol is None:
                setup = self._begin(model)
        except (_OtherProtocol, WriteError):
            raise
        except Exception as error:
            return error
        assert self.protocol is not None  # from `_begin`
        if self.settings.progress:
            print(compared.name, file=sys.stderr)
        folder = self.place / "models" / compared.folder
        try:
            mark = fingerprint(model)
            if (before := self._before(folder, mark)) is not None:
                if self.settings.progress:
                    print("  evaluated before, in this folder", file=sys.stderr)
                return replace(before, model=compared.name)
            _clear(folder)
            setup = setup or set_up(model, self.data, self.settings.repeating(self.protocol))
            notes = tuple(dict.fromkeys([*self.notes, *setup.notes]))
            result = run(replace(setup, name=compared.name, notes=notes), folder, keep_images=True)
            write_text(folder / FINGERPRINT, json.dumps({"model": compared.name, "sha256": mark}) + "\n")
        except WriteError:  # which is no model's fault
            raise
        except Exception as error:
            if (partial := getattr(error, "partial", None)) is not None:  # in its folder already
                return partial
            result = Result(compared.name, self.protocol, problem=_said(error), notes=self.notes)
            result.save(folder)
        return result

    def _open(self, compared: ComparedModel) -> Translator | Path:
        if compared.model != COPY_INPUT:
            return compared.open(self.settings.device)
        if self.protocol is None:
            raise EvaluationError(f"{COPY_INPUT!r} is a baseline; name a model that it is compared with.")
        if self.inputs is None:
            raise EvaluationError(f"the images of {self.protocol.source!r} cannot be copied as 8-bit images.")
        return self.inputs

    def _begin(self, model: Translator | Path) -> Setup:
        """The first model's evaluation, whose protocol is that of all, and the images that are translated."""
        setup = set_up(model, self.data, self.settings)
        if isinstance(model, Translator):  # folders and copies are compared on what the models' task makes of the data
            self.data = with_task_dataset(model.method.dataset, self.data)
        if (self.place / PROTOCOL).exists():
            before = Protocol.load(self.place).config
            if differ := [k for k, v in setup.protocol.config.items() if v != before[k]]:
                raise _OtherProtocol(
                    f"{str(self.place)!r} holds a comparison with another {listing(differ)}; use another out=."
                )
        write_text(self.place / PROTOCOL, setup.protocol.to_json())
        self.protocol, self.notes = setup.protocol, setup.notes
        self.inputs, self.truths = _save_images(setup.cases, self.place)
        return setup

    def _before(self, folder: Path, mark: str) -> Result | None:
        """The result of an earlier run, if it is of the same model under the same protocol, and whole."""
        try:
            same = json.loads((folder / FINGERPRINT).read_text(encoding="utf-8"))["sha256"] == mark
            result = Result.load(folder)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        done = (
            result.problem is None
            and result.images is not None
            and (result.costs is not None or not self.settings.costs)
        )
        if not same or not done or result.protocol != self.protocol:
            return None
        return result

    def finish(self, entered: Sequence[ComparedModel], found: Mapping[str, Result | Exception]) -> Comparison:
        """Test the differences between the models that could be evaluated."""
        if self.protocol is None:
            first = min(c.kind for c in entered)  # those that come later fail because these did
            failures = [f for c in entered if c.kind == first and isinstance(f := found[c.name], Exception)]
            said = dict.fromkeys(map(_said, failures))
            if len(said) == 1:
                raise failures[0]
            raise EvaluationError(f"no model can be evaluated: {' '.join(said)}") from failures[0]
        results = [
            Result(c.name, self.protocol, problem=_said(f)) if isinstance(f := found[c.name], Exception) else f
            for c in entered
        ]
        return Comparison(self.protocol, results, paired_tests(results), self.inputs, self.truths)


class _OtherProtocol(EvaluationError):
    """The folder belongs to another comparison: no model's fault."""


def _clear(folder: Path) -> None:
    """Remove an unfinished or outdated evaluation."""
    for name in (PROTOCOL, SCORES, PER_IMAGE, FINGERPRINT):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / IMAGES, ignore_errors=True)


def _said(error: Exception) -> str:
    return in_a_sentence(error).rstrip(".") + "."


def _save_images(cases: Cases, place: Path) -> tuple[Path | None, Path | None]:
    """Write inputs/NAME.png and truths/NAME.png; those that cannot be read or shown are left out."""
    folders = {"inputs": place / "inputs", "truths": place / "truths"}
    for index, name in enumerate(cases.names):
        if all((folder / f"{name}.png").exists() for folder in folders.values()):
            continue
        try:
            case = cases.load(index)
            for folder, image in zip(folders.values(), (case.source, case.target), strict=True):
                if image is not None and len(image):  # of what is made from nothing there is no input
                    save(image, folder / f"{name}.png")
        except WriteError:
            raise
        except (I2IZooError, OSError):
            continue
    return tuple(folder if folder.is_dir() else None for folder in folders.values())  # type: ignore[return-value]


def paired_tests(results: Sequence[Result]) -> list[Difference]:
    """The paired test of every pair of models on every metric with a value for each image.

    Of two models the images count for which both have a value, two at least. Models with a problem take no part.
    """
    sound = [r for r in results if r.problem is None]
    found: list[Difference] = []
    for label in dict.fromkeys(label for r in sound for label in r.values):
        for first, second in itertools.combinations([r for r in sound if label in r.values], 2):
            rows = [dict(zip(r.names, r.values[label], strict=True)) for r in (first, second)]
            pairs = [(rows[0][n], rows[1][n]) for n in rows[0] if n in rows[1]]
            pairs = [pair for pair in pairs if not any(map(math.isnan, pair))]
            if len(pairs) > 1:
                a, b = zip(*pairs, strict=True)
                mean, low, high, p = paired_difference(a, b, first.protocol.seed)
                found.append(Difference(label, first.model, second.model, mean, low, high, p, math.nan, None))
    higher = {label: s.higher_is_better for r in sound for label, s in r.scores.items()}
    adjusted = holm([d.p for d in found])
    return [
        replace(d, p_adjusted=p, better=_better(d, higher[d.metric]) if p < LEVEL else None)
        for d, p in zip(found, adjusted, strict=True)
    ]


def _better(d: Difference, higher_is_better: bool) -> str:
    return d.first if (d.mean > 0) == higher_is_better else d.second
