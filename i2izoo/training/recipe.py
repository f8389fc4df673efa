"""Recipes: everything that makes a model, in one file of YAML or JSON."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from i2izoo.contracts.config import Configurable, check_options, schema
from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.options import flat, sort_options
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, I2IZooError, UnknownNameError, listing, suggest
from i2izoo.files.yaml import read_yaml, to_yaml
from i2izoo.models.starting import Start
from i2izoo.training.config import LENGTHS, TrainingOptions, lay_over
from i2izoo.training.run_file import RUN, as_recipe, is_run

FILE = "recipe.yaml"
LENGTH_OPTIONS = [name for names in LENGTHS.values() for name in names]


@dataclass(frozen=True)
class Stage:
    """One training of a recipe.

    Attributes:
        name: of its folder; "" for the last one, whose folder is that of the whole.
        method: name and options of the method.
        training: options of the training. Lengths count from the beginning of the first stage.
    """

    name: str
    method: dict[str, Any]
    training: dict[str, Any]


class Recipe(Configurable):
    """What makes a model: a method with its options, data, and how it is trained.

    Args:
        method: name of the method.
        options: of the method and its parts, nested or with dotted keys.
        start: a model of this method whose weights and options the training starts with, as `i2izoo.create` takes
            `pretrained`; None: untrained.
        to: target domain; None where method or data say it.
        data: what it learns from: the name of a data set, or `{"name": ..., option: value}`; without a name the options
            are for the folder that the user gives; None: the user gives all of it.
        val: held-out images for the metrics, as `data`; None: the split "val" of the data.
        training: options of the training; see `TrainingOptions`.
        stages: of a training in stages what each changes, options of the method and of the training. All but the last
            say in `steps` (or `minutes`) how much of the whole they are.
        notes: what else a reader should know.

    Raises:
        ConfigError: an option is unknown or has a bad value, or the stages do not add up.
        UnknownNameError: there is no such method.

    >>> recipe = Recipe(method="pix2pix", training={"steps": 6}, stages=[{"steps": 4, "crop_size": 64}, {}])
    >>> [(stage.name, stage.training) for stage in recipe.plan()]
    [('stage-1', {'steps': 4, 'crop_size': 64, 'decay_steps': 0}), ('', {'steps': 6})]
    """

    def __init__(
        self,
        *,
        method: str,
        options: dict[str, Any] | None = None,
        start: str | None = None,
        to: str | None = None,
        data: str | dict[str, Any] | None = None,
        val: str | dict[str, Any] | None = None,
        training: dict[str, Any] | None = None,
        stages: list[dict[str, Any]] | None = None,
        notes: str = "",
    ) -> None:
        self.method, self.to, self.data, self.val, self.notes = method, to, data, val, notes
        self.start = None if start is None else Start(start)
        self.source = FILE
        """How the card calls it: an entry's name, or the file that lies beside the model."""
        self.run: Mapping[str, Any] | None = None
        """What run.json says of the run that it repeats; None: it repeats none."""
        self.kind = registry("methods").get(method)
        self._own, _ = self._split(options or {}, "options", self.kind)
        if self.start is not None:
            (given,) = sort_options(self._own.items(), schema(self.kind), where="options", complete=False)
            self._own = dict(flat(self.start.options(method, given), "options"))
        _, self.training = self._split(training or {}, "training", TrainingOptions)
        self.stages = [
            self._split(stage, f"stages[{number}]", self.kind, TrainingOptions)
            for number, stage in enumerate(stages or [])
        ]
        for own, trained in [({}, self.training), *self.stages]:
            check_options(self.kind, self._options(own), complete=False)
            check_options(TrainingOptions, trained, complete=False)
        self._check_lengths()

    def plan(self) -> Iterator[Stage]:
        """Its trainings, one after another."""
        if not self.stages:
            yield Stage("", {"name": self.method, **self._options()}, self.training)
            return
        length, fall = LENGTHS[self._unit()]
        ends = accumulate(trained.get(length, 0) for _, trained in self.stages)
        common = {name: value for name, value in self.training.items() if name not in LENGTH_OPTIONS}
        for number, ((own, trained), end) in enumerate(zip(self.stages, ends, strict=True), 1):
            last = number == len(self.stages)
            until = {length: end, fall: 0.0 if length == "minutes" else 0}
            here = {**self.training, **trained} if last else {**common, **trained, **until}
            yield Stage("" if last else f"stage-{number}", {"name": self.method, **self._options(own)}, here)

    def changed(self, changes: Mapping[str, Any]) -> Recipe:
        """The same recipe with other options of its method and training, in all stages; another length scales them.

        `steps`, `epochs` or `minutes` alone is the length of the whole; the fall keeps its share, see `lay_over`.

        Args:
            changes: nested or with dotted keys.

        >>> recipe = Recipe(method="pix2pix", training={"steps": 6}, stages=[{"steps": 4, "crop_size": 64}, {}])
        >>> recipe.changed({"minutes": 3, "crop_size": 32, "generator.width": 8}).config["stages"]
        [{'minutes': 2.0}, {}]
        """
        if not changes:
            return self
        own, training = self._split(changes, repr(self.method), self.kind, TrainingOptions)
        over = lay_over(self.training, training)
        stages = []
        for before, trained in self.stages:
            kept = {n: v for n, v in {**before, **trained}.items() if n not in (*own, *training, *LENGTH_OPTIONS)}
            if (length := trained.get(self._unit())) is not None:
                unit = "minutes" if "minutes" in over else "steps"
                part = length / _total(self.training, self._unit()) * _total(over, unit)
                kept[unit] = part if unit == "minutes" else max(1, round(part))
            stages.append(kept)
        changed = Recipe(**{**self.config, "options": self._options(own), "training": over, "stages": stages or None})
        changed.run = self.run
        return changed

    def data_at(self, place: Any = None) -> Any:
        """The data, as `i2izoo.open_dataset` takes it.

        Args:
            place: where the user has it: the root of the recipe's data set, if that takes one. A data set, or the name
                of one, takes its place; None: what the recipe says.

        Raises:
            ConfigError: neither says it.

        >>> Recipe(method="pix2pix", data={"sides": ["photo", "label"]}).data_at("./mine")
        {'sides': ['photo', 'label'], 'root': './mine'}
        """
        spec = {"name": self.data} if isinstance(self.data, str) else dict(self.data or {})
        if place is None:
            if not spec.keys() & {"name", "root"}:
                raise ConfigError("the recipe leaves the data to you: say where it is with data= (--data PATH).")
            return spec
        if isinstance(place, (Dataset, Mapping)) or (isinstance(place, str) and place in registry("datasets")):
            return place
        takes_root = "name" not in spec or "root" in schema(registry("datasets").get(spec["name"]))
        return {**spec, "root": os.fspath(place)} if spec and takes_root else place

    def text(self) -> str:
        """The YAML of it."""
        return to_yaml({name: value for name, value in self.config.items() if value not in (None, "", {}, [])})

    def _split(self, options: Mapping[str, Any], where: str, *kinds: type) -> tuple[dict[str, Any], dict[str, Any]]:
        """The method's options with dotted keys, and those of the training."""
        given = dict(flat(options, where))
        sort_options(given.items(), *map(schema, kinds), where=where)  # all are known
        own = {key: value for key, value in given.items() if key.partition(".")[0] in schema(self.kind)}
        rest = {key: value for key, value in given.items() if key not in own}
        return own, sort_options(rest.items(), schema(TrainingOptions), where=where)[0]

    def _options(self, own: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
        """The method's options, with others laid over them."""
        return sort_options([*self._own.items(), *own.items()], schema(self.kind), where="options")[0]

    def _unit(self) -> Literal["minutes", "steps"]:
        return "minutes" if self.training.get("minutes") is not None else "steps"

    def _check_lengths(self) -> None:
        if not self.stages:
            return
        unit = self._unit()
        if self.training.get(unit) is None:
            raise ConfigError("a recipe with stages says the length of the whole: training.steps, or training.minutes.")
        full = self.training[unit] * (1 if unit == "steps" else 1 - self.training.get("decay_share", 0.0))
        *before, last = [training for _, training in self.stages]
        if any(training.get(unit) is None for training in before) or last.get(unit) is not None:
            raise ConfigError(f"each stage but the last says its {unit}; the last one has what is left.")
        if (taken := sum(training[unit] for training in before)) > full:
            raise ConfigError(
                f"the stages before the last take {taken:g} {unit}, and only {full:g} are at the full learning rate; "
                "it falls in the last stage."
            )


def read_recipe(source: str | os.PathLike[str] | Mapping[str, Any]) -> Recipe:
    """The recipe of a pretrained entry, by its name; of a file of YAML or JSON, or a folder with one; of a mapping.

    The `run.json` of a run, or its folder, is the recipe that repeats it.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or is no recipe; names the file and the key.
        UnknownNameError: there is no such file or entry.
    """
    if isinstance(source, Mapping):
        where, content = "the recipe", dict(source)
    else:
        where = os.fspath(source)
        content = read_yaml(_find(where), where)
    if not isinstance(content, dict) or "method" not in content:
        raise ConfigError(
            f"{where}: a recipe is a mapping with the key 'method', and others such as data and training."
        )
    try:
        run = content if is_run(content) else None
        recipe = Recipe(**{str(key): value for key, value in (as_recipe(run) if run else content).items()})
    except I2IZooError as error:
        raise ConfigError(f"{where}: {error}") from error
    recipe.source = where if where in registry("pretrained") else FILE
    recipe.run = run
    return recipe


def _find(name: str) -> Path:
    entries = registry("pretrained")
    if name in entries:
        if (path := entries.get(name).recipe_file()) is None:
            raise ConfigError(f"the pretrained entry {name!r} has no recipe.")
        return path
    path = Path(name).expanduser()
    if path.is_dir():
        path = path / (RUN if (path / RUN).is_file() and not (path / FILE).is_file() else FILE)
    if not path.is_file():
        raise UnknownNameError(
            f"there is no recipe {name!r}, neither file nor pretrained entry{suggest(name, entries.names()) or '.'} "
            f"Entries: {listing(entries.names())}."
        )
    return path


def _total(training: Mapping[str, Any], unit: str) -> float:
    return (training.get(unit) or 0) + ((training.get("decay_steps") or 0) if unit == "steps" else 0)
