"""Options that are laid over each other: those of all runs, of a named run, of a cell of the grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from i2izoo.config import merge, schema
from i2izoo.errors import ConfigError, listing, suggest


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


def flat(options: Mapping[str, Any], where: str = "grid") -> Iterator[tuple[str, Any]]:
    """Dotted keys and plain values; the `name` of a part is the value of the part's own key.

    >>> dict(flat({"generator": {"name": "unet_256", "width": 8}, "steps": 5}))
    {'generator': 'unet_256', 'generator.width': 8, 'steps': 5}
    """
    for key, value in options.items():
        if not isinstance(key, str) or not all(part.isidentifier() for part in key.split(".")):
            raise ConfigError(f"{where}: an option is a name such as generator.width; found {key!r}.")
        if isinstance(value, Mapping) and value:
            for inner, deep in flat(value, f"{where}.{key}"):
                yield (key if inner == "name" else f"{key}.{inner}"), deep
        else:
            yield key.removesuffix(".name"), value


def resolve(given: Iterable[Given], method: type, training: type, where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of the method and of the training, as the command line would sort them; later ones win.

    `generator: resnet_9blocks` and `generator.width: 8` combine, in whichever layers they stand.

    Raises:
        ConfigError: an option is unknown, or has options inside and is no part.
    """
    schemas = (schema(method), schema(training))
    found: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for key, value in {g.key: g.value for g in given}.items():
        name, *path = key.split(".")
        owner = next((i for i, known in enumerate(schemas) if name in known), None)
        if owner is None:
            names = [n for known in schemas for n in known]
            raise ConfigError(f"{where} has no option {name!r}{suggest(name, names) or '.'} Options: {listing(names)}.")
        for step in reversed(path):
            value = {step: value}
        before = found[owner].get(name)
        if isinstance(before, dict) and isinstance(value, str):
            value = {"name": value}
        if isinstance(value, dict) and name in found[owner]:
            value = merge({"name": before} if isinstance(before, str) else before or {}, value)
        found[owner][name] = value
    for known, options in zip(schemas, found, strict=True):
        for name, value in options.items():
            default = known[name].default
            if isinstance(value, dict) and "name" not in value:  # a part that is named by its default
                base = {"name": default} if isinstance(default, str) else default if isinstance(default, dict) else {}
                if isinstance(default, (bool, int, float, list)):
                    raise ConfigError(f"option {name!r} of {where} is one value and has no {listing(value)} inside.")
                options[name] = merge(base, value)
    return found
