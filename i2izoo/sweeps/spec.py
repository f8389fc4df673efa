"""What a sweep is: a grid of options as data, and the runs that it stands for."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from i2izoo.contracts.config import Configurable
from i2izoo.contracts.options import flat
from i2izoo.contracts.ranges import Items, Number, Seed, Side
from i2izoo.errors import ConfigError
from i2izoo.evaluation.settings import EvaluationSettings
from i2izoo.files.yaml import read_yaml


class Sweep(Configurable):
    """A grid of runs that differ in a few options, and what they are measured with.

    Args:
        method: what is trained; None where `grid` or `runs` say it.
        to: target domain.
        options: of all runs: the method's, its parts' and the training's, with the keys of the command line
            (`generator.width: 8`) or nested.
        grid: option -> its values; every combination is trained.
        runs: options that go together, a mapping with a `name` for each; each is trained in every cell of the grid.
        seeds: of the training; each cell is trained with each of them. None: once, with the option `seed`.
        metrics: as of `i2izoo.evaluate`; None: its default.
        val: held-out images: a folder, a CSV or a dataset's name; None: the split "val" of the data.
        size: side, or height and width, that the held-out images are resized to; None: their own size.
        limit: only the first so many of them; None: all.
        samples: translations of each image, for methods that sample.

    >>> sweep = Sweep(method="pix2pix", grid={"generator.width": [8, 16], "gan_loss": ["vanilla", "hinge"]})
    >>> [cell.name for cell in sweep.cells()][:2]
    ['generator.width=8,gan_loss=vanilla', 'generator.width=8,gan_loss=hinge']
    """

    def __init__(
        self,
        *,
        method: str | None = None,
        to: str | None = None,
        options: dict[str, Any] = {},
        grid: dict[str, list[Any]] = {},
        runs: list[dict[str, Any]] = [],
        seeds: Annotated[list[Seed], Items(1, 10_000)] | None = None,
        metrics: list[str | dict[str, Any]] | None = None,
        val: str | None = None,
        size: Side | Annotated[list[Side], Items(2)] | None = None,
        limit: Number | None = None,
        samples: Number = 1,
    ) -> None:
        self.method, self.to, self.options, self.grid, self.runs, self.seeds = method, to, options, grid, runs, seeds
        self.metrics, self.val, self.size, self.limit, self.samples = metrics, val, size, limit, samples
        for key, values in grid.items():
            if not values:
                raise ConfigError(f"grid.{key} has no values.")
        for place, row in enumerate(runs):
            if not isinstance(row.get("name"), str) or not row["name"].strip():
                raise ConfigError(f"runs[{place}] needs a 'name'; found {row.get('name')!r}.")
        if seeds is not None and len(set(seeds)) < len(seeds):
            raise ConfigError(f"seeds are different whole numbers; found {seeds}.")
        if seeds is not None and any(g.key == "seed" for cell in self.cells() for g in cell.given):
            raise ConfigError("'seeds' and the option 'seed' both say the seed; give one of them.")
        _check_names([cell.name for cell in self.cells()])

    def evaluation(self) -> EvaluationSettings:
        """How its runs are evaluated.

        Raises:
            OptionTypeError: a size or a count is no such number.
        """
        return EvaluationSettings(**{name: self.config[name] for name in ("metrics", "to", "size", "limit", "samples")})

    def cells(self) -> Iterator[Combination]:
        """Every run of `runs` in every combination of `grid`, in that order."""
        common = [Given(f"options.{key}", key, value) for key, value in flat(self.options, "options")]
        if self.method is not None:
            common = [Given("method", "method", self.method), *common]
        for place, row in enumerate(self.runs or [{}]):
            own = {k: v for k, v in row.items() if k != "name"}
            named = [Given(f"runs[{place}].{key}", key, value) for key, value in flat(own, f"runs[{place}]")]
            for values in itertools.product(*self.grid.values()):
                chosen = dict(zip(self.grid, values, strict=True))
                words = [row["name"].strip()] if row else []
                words += [f"{key}={label(value)}" for key, value in chosen.items()]
                crossed = [
                    Given(f"grid.{key}", inner, v) for key, value in chosen.items() for inner, v in flat({key: value})
                ]
                yield Combination(",".join(words) or self.method or "run", [*common, *named, *crossed], bool(row))

    @property
    def varied(self) -> list[str]:
        """The options that `runs` and `grid` mention."""
        common = {g.place for cell in self.cells() for g in cell.given if g.place.startswith("options.")}
        keys = (g.key for cell in self.cells() for g in cell.given if g.place not in common | {"method"})
        return list(dict.fromkeys(keys))


@dataclass(frozen=True)
class Given:
    """One option as the user gave it.

    Attributes:
        place: where, for messages: "grid.generator.width".
        key: the option: "generator.width".
        value: of it.
    """

    place: str
    key: str
    value: Any


@dataclass(frozen=True)
class Combination:
    """One row of the table: options that are trained once with each seed.

    Attributes:
        name: unique.
        given: its options, in the order in which they are laid over each other.
        named: has it a name of the user's?
    """

    name: str
    given: list[Given]
    named: bool


def read(source: str | os.PathLike[str] | Mapping[str, Any]) -> tuple[Sweep, str]:
    """A sweep and what messages call it: of a YAML file, or of the same as a mapping.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or is no sweep; names the file and the key.
    """
    if isinstance(source, Mapping):
        where, content = "the sweep", dict(source)
    else:
        where = os.fspath(source)
        content = read_yaml(Path(source).expanduser(), where)
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError(f"{where}: a sweep is a mapping with keys such as method, options and grid.")
    try:
        return Sweep(**content), where
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def label(value: Any) -> str:
    """A value in the name of a run.

    >>> label(8), label("hinge"), label({"name": "resnet_9blocks", "blocks": 6}), label([0.5, 0.9])
    ('8', 'hinge', 'resnet_9blocks(blocks=6)', '0.5-0.9')
    """
    if isinstance(value, dict):
        inner = ",".join(f"{key}={label(v)}" for key, v in value.items() if key != "name")
        return f"{value.get('name', '')}({inner})" if inner else str(value.get("name", "{}"))
    if isinstance(value, list):
        return "-".join(map(label, value))
    return value if isinstance(value, str) else json.dumps(value)


def folder_of(name: str) -> str:
    """A name that every file system takes.

    >>> folder_of("generator=resnet_9blocks(blocks=6),gan_loss=hinge")
    'generator=resnet_9blocks_blocks=6_,gan_loss=hinge'
    """
    return re.sub(r"[^\w.=,+-]+", "_", name).strip(".") or "run"


def _check_names(names: list[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        folder = folder_of(name).lower()
        if folder in seen:
            both = "twice" if seen[folder] == name else f"as {seen[folder]!r} and {name!r}, which share a folder"
            raise ConfigError(f"two runs have one name: {name!r} is there {both}.")
        seen[folder] = name
