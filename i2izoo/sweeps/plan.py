"""The runs of a sweep, all checked before the first is trained."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from i2izoo.contracts.config import schema
from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.method import Method
from i2izoo.contracts.options import sort_options
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, I2IZooError
from i2izoo.evaluation.measuring import build as build_metrics
from i2izoo.models.building import build_without_memory
from i2izoo.sweeps.spec import Combination, Given, Sweep, folder_of
from i2izoo.training.config import TrainingOptions
from i2izoo.training.held_out import open_held_out
from i2izoo.training.prepare import fitted, with_domains
from i2izoo.training.resume import completed


@dataclass(frozen=True)
class Run:
    """One training of a sweep.

    Attributes:
        name: unique; that of its cell, with the seed where there are several.
        cell: name of its cell.
        method: name.
        options: of the method, as given.
        training: options of the training, as given.
        facts: the `run.json` that the run will have, as far as it is known before: method and all options.
        varied: option -> value, for the options that the sweep varies; "-" where the run has no such option.
        parameters: number that translation needs.
        trained: number of all the networks of the training.
    """

    name: str
    cell: str
    method: str
    options: dict[str, Any]
    training: dict[str, Any]
    facts: dict[str, Any]
    varied: dict[str, Any]
    parameters: int
    trained: int

    @property
    def folder(self) -> str:
        """Name of the folder of the run."""
        return folder_of(self.name)


def plan(sweep: Sweep, data: Any, where: str) -> tuple[list[Run], Dataset]:
    """All runs, and the images that they are evaluated on.

    Raises:
        ConfigError: an option is unknown or has a bad value, or the data does not fit; names the file and the key.
    """
    try:
        build_metrics(sweep.metrics, 0)
    except I2IZooError as error:
        raise ConfigError(f"{where}: metrics: {error}") from error
    try:
        sweep.evaluation()
    except I2IZooError as error:
        raise ConfigError(f"{where}: {error}") from error
    planner = _Planner(sweep, data)
    runs = [run for cell in sweep.cells() for run in planner.of_cell(cell, where)]
    first = runs[0]
    try:
        held_out = open_held_out(
            sweep.val, data, build_without_memory({"name": first.method, **first.options}),
            split=first.training.get("split"), sides=first.training.get("sides"),
            rename=first.training.get("rename"),
        )  # fmt: skip
    except I2IZooError as error:
        raise ConfigError(f"{where}: {error}") from error
    return runs, held_out


class _Planner:
    def __init__(self, sweep: Sweep, data: Any) -> None:
        self.sweep, self.data = sweep, data

    def of_cell(self, cell: Combination, where: str) -> Iterator[Run]:
        for seed in self.sweep.seeds or (None,):
            given = [*cell.given, *([] if seed is None else [Given("seeds", "seed", seed)])]
            try:
                yield self.run(cell.name if seed is None else f"{cell.name},seed={seed}", cell.name, given)
            except I2IZooError as error:
                said = self.fault(given) or f"run {cell.name!r}"
                raise ConfigError(f"{where}: {said}: {error}") from error

    def fault(self, given: list[Given]) -> str | None:
        """The place of the option without which all is well, those that vary first."""
        for one in reversed(given):
            if one.key == "method" and one.value not in registry("methods"):
                return one.place
            with contextlib.suppress(I2IZooError):
                self.run("", "", [other for other in given if other is not one])
                return one.place
        return None

    def run(self, name: str, cell: str, given: list[Given]) -> Run:
        method = next((g.value for g in reversed(given) if g.key == "method"), None)
        if not isinstance(method, str):
            raise ConfigError(f"a sweep needs 'method: NAME', beside its options, in its grid or runs; found {method}.")
        kind: type[Method] = registry("methods").get(method)
        own = [g for g in given if g.key != "method"]
        options, training = sort_options(
            ((g.key, g.value) for g in own), schema(kind), schema(TrainingOptions), where=repr(method)
        )
        to = self.sweep.to if "domains" in schema(kind) else None
        spec, data = with_domains({"name": method, **options}, self.data, training, to)
        options = {option: value for option, value in spec.items() if option != "name"}
        built = build_without_memory({"name": method, **options})
        asked = TrainingOptions.of(built.recipe, training)
        facts: dict[str, Any] = {"method": method, "options": built.config, "training": asked.config}
        if self.sweep.samples > 1 and not built.samples:
            raise ConfigError(f"{method!r} has one answer for each image; leave 'samples' out.")
        fitted(built, method, data, training, asked, as_it_is=isinstance(self.data, Dataset))
        sizes = {name: p.numel() for name, p in built.named_parameters()}
        needed = built.inference_state()
        return Run(
            name, cell, method, options, training, facts,
            varied={key: _value(completed(facts), key) for key in self.sweep.varied},
            parameters=sum(n for name, n in sizes.items() if name in needed),
            trained=sum(sizes.values()),
        )  # fmt: skip


def _value(facts: Mapping[str, Any], key: str) -> Any:
    """What a run has for a dotted option, also where that is a default."""
    if key == "method":
        return facts["method"]
    name, *path = key.split(".")
    value = facts["options"].get(name, facts["training"].get(name, "-"))
    for step in path:
        value = value.get(step, "-") if isinstance(value, Mapping) else "-"
    return value["name"] if isinstance(value, Mapping) and "name" in value else value
