"""The pretrained entries as the site sees them, those of other people's zoo packages among them.

All that it says is read from the entries: config.json, card, evaluation, recipe, weights.
"""

from __future__ import annotations

import functools
import json
import logging
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import stored
from choosing import LEARNS

from i2izoo.contracts.pretrained import PretrainedEntry
from i2izoo.contracts.registry import registry
from i2izoo.errors import I2IZooError
from i2izoo.evaluation.protocol import Protocol
from i2izoo.evaluation.result import SCORES, Comparison, Result
from i2izoo.models.cards import read_card
from i2izoo.models.config_file import count_parameters

DOCS = stored.DOCS
GRIDS = DOCS / "assets" / "gallery"
IMAGES = {".webp", ".png", ".jpg", ".jpeg"}


@dataclass(frozen=True)
class Model:
    """What the site says of an entry.

    Attributes:
        name: of the entry.
        entry: what the registry has.
        distribution: the package that it comes with.
    """

    name: str
    entry: PretrainedEntry
    distribution: str

    @cached_property
    def folder(self) -> Path | None:
        """Where it lies; None: on the Hub."""
        return self.entry.folder() if self.entry.bundled else None

    @cached_property
    def config(self) -> dict[str, Any]:
        return json.loads((self.folder / "config.json").read_text(encoding="utf-8")) if self.folder else {}

    @property
    def facts(self) -> dict[str, Any]:
        """How it was made."""
        return self.config.get("provenance") or {}

    @property
    def directions(self) -> dict[str, str | None]:
        """Target -> source; of an entry on the Hub, the source is not known."""
        return self.config.get("directions") or dict.fromkeys(self.entry.domains)

    @cached_property
    def results(self) -> list[Result]:
        """The evaluations that lie beside its weights."""
        found = sorted((self.folder / "evaluation").rglob(SCORES)) if self.folder else []
        return [Result.load(path.parent) for path in found]

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """Stored comparisons that it is part of, by name."""
        return {n: c for n, c in _comparisons().items() if self.name in (r.model for r in c.results)}

    def in_comparison(self, name: str) -> Result:
        """Its own row of one of them."""
        return next(r for r in self.comparisons[name].results if r.model == self.name)

    @property
    def learns_from(self) -> str:
        """What its method wants of data; "" where the method is not installed."""
        try:
            return LEARNS[registry("methods").get(self.entry.method).data]
        except (I2IZooError, KeyError):
            return ""

    @cached_property
    def parameters(self) -> int:
        """How many translation needs, as measured; else as many as the file has."""
        if measured := [r.costs.parameters for r in self._measured if r.costs]:
            return measured[0]
        if self.folder is None:
            return 0
        return count_parameters(self.folder)

    @property
    def megabytes(self) -> float | None:
        return (self.folder / "model.safetensors").stat().st_size / 1e6 if self.folder else None

    def time(self, to: str) -> tuple[float, str] | None:
        """Seconds of a translation to a domain, and where and at what size that was measured."""
        for result in self._measured:
            if result.protocol.to == to and (costs := result.costs) and costs.seconds:
                return costs.seconds, ", ".join(filter(None, [costs.device, size(result.protocol)]))
        return None

    @property
    def _measured(self) -> list[Result]:
        return [*self.results, *map(self.in_comparison, self.comparisons)]

    @property
    def licence(self) -> str:
        try:
            card = read_card(self.folder) if self.folder else {}
        except I2IZooError:
            card = {}
        return str(card.get("license_name") or card.get("license") or self.entry.licence)

    @cached_property
    def images(self) -> dict[str, Path]:
        """Address on the site -> image of it: those in docs/assets/gallery, and those that lie beside its weights."""
        ours = {f"assets/gallery/{self.name}/{path.name}": path for path in sorted((GRIDS / self.name).glob("*.webp"))}
        beside = sorted(p for p in self.folder.rglob("*") if p.suffix.lower() in IMAGES) if self.folder else []
        return ours | {f"assets/models/{address(self.name)}/{path.name}": path for path in beside}


def models() -> list[Model]:
    """All entries of models of i2izoo that are installed."""
    return [model for model in _entries() if not model.entry.checkpoints]


def published() -> list[Model]:
    """All entries that are converted from what authors publish: nothing of them is here when the site is built."""
    return [model for model in _entries() if model.entry.checkpoints]


def _entries() -> list[Model]:
    """One that is broken stands nowhere on the site."""
    found = []
    for name in registry("pretrained").names():
        try:
            model = Model(name, registry("pretrained").get(name), registry("pretrained").find(name).distribution)
            assert model.entry.method or model.entry.repo  # reads config.json of a bundled one
        except I2IZooError as problem:
            logging.getLogger("mkdocs.i2izoo").info("no page for %s: %s", name, problem)
            continue
        found.append(model)
    return found


@functools.cache
def _comparisons() -> dict[str, Comparison]:
    return {path.stem: stored.figures(path.stem) for path in sorted(stored.RESULTS.glob("*.json"))}


def size(protocol: Protocol) -> str:
    """Width and height that images were measured at; "" where each had its own."""
    return f"{protocol.size[1]} x {protocol.size[0]}" if protocol.size else ""


def address(name: str) -> str:
    """A name as part of an address."""
    return re.sub(r"[^\w.-]+", "-", name)
