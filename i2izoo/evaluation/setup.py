"""From what the user asked for, or a protocol, to all that an evaluation is made of."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from i2izoo.contracts.annotations import PartSpec
from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.metric import Metric
from i2izoo.contracts.registry import registry
from i2izoo.data.open import with_task_dataset
from i2izoo.errors import ConfigError, EvaluationError, escaped, listing, suggest
from i2izoo.evaluation.cases import Cases, open_data
from i2izoo.evaluation.measuring import build, spec_of
from i2izoo.evaluation.protocol import Protocol, versions
from i2izoo.evaluation.settings import EvaluationSettings
from i2izoo.evaluation.translations import ImageFolder, is_image_folder
from i2izoo.models.translator import Translator, load
from i2izoo.nn.device import find_device


@dataclass(frozen=True)
class Setup:
    """An evaluation that can begin.

    Attributes:
        name: of the model.
        model: what translates.
        cases: what is translated.
        metrics: label -> metric.
        protocol: all that decides the numbers.
        settings: how it runs.
        device: where the metrics compute.
        notes: what to say of the whole.
    """

    name: str
    model: Translator | ImageFolder
    cases: Cases
    metrics: dict[str, Metric]
    protocol: Protocol
    settings: EvaluationSettings
    device: torch.device
    notes: tuple[str, ...]


def set_up(
    model: Translator | str | os.PathLike[str],
    data: str | os.PathLike[str] | Mapping[str, Any] | Dataset | None,
    settings: EvaluationSettings,
    name: str | None = None,
) -> Setup:
    """Open model and data, build the metrics, and write down the protocol; `name`: of the model in the result."""
    given, device = settings.protocol, settings.device
    if given is not None:
        given = given if isinstance(given, Protocol) else Protocol.load(given)
        settings = settings.under(given)
    asked = settings.decisive
    built = _metrics(settings.metrics, given, settings.seed)
    if data is None:
        if given is None or given.data not in registry("datasets"):
            raise EvaluationError("name the data to evaluate on: a path, a dataset's name or a dataset.")
        data = given.data
    elsewhere = is_image_folder(model) and os.fspath(model) not in registry("pretrained")  # type: ignore[arg-type]
    translator = None if elsewhere else _translator(model, device)  # type: ignore[arg-type]
    source, to = (None, asked["to"]) if translator is None else _direction(translator, asked["to"])
    opened = open_data(
        data if translator is None else with_task_dataset(translator.method.dataset, data),
        domains=None if translator is None else tuple(dict.fromkeys([*([source] if source else []), to])),
        split=asked["split"],
        sides=asked["sides"],
        rename=asked["rename"],
    )
    if translator is None:
        source, to = _direction_of_data(opened.data, to)
    limits = [n for n in (opened.limit, asked["limit"]) if n is not None]
    size, limit = asked["size"] or opened.size, min(limits) if limits else None
    if source is None:  # all are made, and the true ones resized, to one size
        assert translator is not None  # for the type checker
        made = size or translator.native_size or opened.data.sample(0, None)[to].shape[-2:]
        size = list(made)
    channels = None if translator is None else translator.method.image_channels[to]
    cases = Cases(opened.data, source, to, channels=channels, size=size, filter=asked["filter"], limit=limit)
    if not len(cases):
        raise EvaluationError("the data has no images to translate.")
    if translator is not None or given is None:  # to images that are made already a protocol's do no harm
        _check_can(translator, to, settings)
    found = Protocol(
        data=opened.name if given is None else given.data,
        data_sha256=cases.sha256,
        source=source,
        metrics={label: spec_of(label, metric) for label, metric in built.items()},
        n=len(cases),
        versions=versions(),
        **{
            **asked,
            "to": to,
            "split": opened.split,
            "sides": opened.sides,
            "size": size,
            "limit": limit,
            "rename": opened.data.option("rename"),
        },
    )
    notes = () if given is None else _check_same(given, found)
    runner = ImageFolder(Path(model).expanduser(), cases) if translator is None else translator  # type: ignore[arg-type]
    where = runner.device if isinstance(runner, Translator) else find_device(device)
    return Setup(escaped(name or _name(model)), runner, cases, built, found, settings, where, notes)


def _name(model: Translator | str | os.PathLike[str]) -> str:
    return model.name if isinstance(model, Translator) else os.fspath(model)


def _translator(model: Translator | str | os.PathLike[str], device: str | torch.device | None) -> Translator:
    if isinstance(model, Translator):
        return model if device is None else model.to(device)
    return load(model, device=device)


def _direction(model: Translator, to: str | None) -> tuple[str | None, str]:
    to = model.target(to)
    return model.directions[to], to


def _direction_of_data(data: Dataset, to: str | None) -> tuple[str, str]:
    """The direction of images made elsewhere: they do not say themselves what they are."""
    if to is None:
        choices = listing(f"to={domain!r}" for domain in data.domains)
        raise EvaluationError(f"say which domain the images in the folder are of: {choices}.")
    others = [domain for domain in data.domains if domain != to]
    return (others or [to])[0], to


def _check_can(model: Translator | None, to: str, settings: EvaluationSettings) -> None:
    """Refuse samples and options that the model does not have; None: images made elsewhere."""
    if settings.samples > 1 and (model is None or not model.method.samples):
        what = "a folder of images" if model is None else f"method {model.name!r}"
        raise EvaluationError(f"{what} has one answer for each image; leave samples out.")
    from_nothing = model is not None and model.directions[to] is None
    if settings.samples > 1 and from_nothing:
        raise EvaluationError(f"{to!r} is made from nothing, so no image has several samples; leave samples out.")
    method = None if model is None else model.method
    known = {} if method is None else method.generate_options() if from_nothing else method.translate_options()
    own = ["out", "keep_images", *(one.name for one in fields(EvaluationSettings))]
    for name in settings.options:
        if name not in known:
            raise ConfigError(
                f"evaluate has no argument {name!r}, and this translation no such option"
                f"{suggest(name, [*own, *known]) or ';'} Options of the translation: {listing(known)}."
            )


def _metrics(metrics: Iterable[PartSpec] | None, protocol: Protocol | None, seed: int) -> dict[str, Metric]:
    asked = None if metrics is None and protocol is not None else build(metrics, seed)
    if protocol is None:
        return asked or {}
    built = build(protocol.metrics.values(), seed)
    if asked is not None and {k: m.config for k, m in asked.items()} != {k: m.config for k, m in built.items()}:
        raise EvaluationError(
            f"the metrics {listing(asked)} contradict the protocol, which has {listing(built)}; leave metrics out."
        )
    return built


def _check_same(given: Protocol, found: Protocol) -> tuple[str, ...]:
    """Refuse other data than the protocol's; other versions are said."""
    if (given.source, given.to) != (found.source, found.to):
        raise EvaluationError(
            f"the protocol is of {given.source!r} -> {given.to!r}; here {found.source!r} -> {found.to!r} is evaluated."
        )
    if given.data_sha256 != found.data_sha256:
        raise EvaluationError(
            f"the data is not that of the protocol: expected {given.n} images of {given.data!r} with the SHA-256 "
            f"{given.data_sha256[:16]}..., found {found.n} with {found.data_sha256[:16]}...; give the data that it was "
            "written for, or evaluate without the protocol."
        )
    differ = [
        f"{name} {given.versions.get(name, 'none')} (here {found.versions.get(name, 'none')})"
        for name in {**given.versions, **found.versions}
        if given.versions.get(name) != found.versions.get(name)
    ]
    return (f"The protocol was written with {listing(differ)}: numbers may differ.",) if differ else ()
